"""Executors: tasks in, results out, in whatever order they finish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from skhpo.evaluation import Call


class TaskLost(Exception):
    """What a task comes to that ended its own worker, or had to be ended. It will not run again."""


class Executor(ABC):
    """A place where tasks run.

    Attributes
    ----------
    in_process : bool
        Whether tasks run in this process and share its memory.
    n_running : int
        Tasks submitted whose result has not been taken.
    n_ahead : int
        How many tasks more than there are workers may be handed over, if nothing can be learnt any more
        that would change them: the next worker to be free has its task at once.
    """

    in_process: bool
    n_running: int = 0
    n_ahead: int = 0

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """How many tasks run at once, now."""

    @abstractmethod
    def submit(self, token: Any, call: Call) -> None:
        """Start a task; its result will carry the token."""

    @abstractmethod
    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Token of the next task that finishes, and a function that returns or raises what came of it.

        The function raises ``TaskLost`` where nothing can come of the task any more.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(abort=kind is not None)

    @abstractmethod
    def close(self, *, abort: bool) -> None:
        """Release the workers; with ``abort`` whatever still runs is abandoned."""


class SerialExecutor(Executor):
    """Runs each task in this thread, when its result is asked for."""

    in_process = True

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Call]] = deque()

    @property
    def n_workers(self) -> int:
        """One, the thread that waits."""
        return 1

    def submit(self, token: Any, call: Call) -> None:
        """Put a task at the end of the queue."""
        self._waiting.append((token, call))
        self.n_running += 1

    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """The task at the head of the queue; calling the function runs it."""
        token, (function, args, kwargs) = self._waiting.popleft()
        self.n_running -= 1
        return token, partial(function, *args, **kwargs)

    def close(self, *, abort: bool) -> None:
        """Forget what never ran."""
        self._waiting.clear()
