"""Executors: tasks in, results out, in whatever order they finish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from skhpo.evaluation import Call
from skhpo.execution._joblib import JoblibPool


class Executor(ABC):
    """A place where tasks run.

    Attributes
    ----------
    n_workers : int
        How many tasks run at once; no more than this are ever handed over.
    in_process : bool
        Whether tasks run in this process and share its memory.
    n_running : int
        Tasks submitted whose result has not been taken.
    """

    n_workers: int
    in_process: bool
    n_running: int = 0

    @abstractmethod
    def submit(self, token: Any, call: Call) -> None:
        """Start a task; its result will carry the token."""

    @abstractmethod
    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Token of the next task that finishes, and a function that returns or raises what came of it."""

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

    n_workers = 1
    in_process = True

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Call]] = deque()

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


class JoblibExecutor(Executor):
    """Runs tasks on the workers of the user's joblib backend.

    Parameters
    ----------
    pool : JoblibPool
    """

    def __init__(self, pool: JoblibPool) -> None:
        self._pool = pool
        self.n_workers = pool.n_workers
        self.in_process = pool.in_process

    def submit(self, token: Any, call: Call) -> None:
        """Hand a task to a free worker."""
        function, args, kwargs = call
        self._pool.submit(token, function, args, kwargs)
        self.n_running += 1

    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Block until any task ends."""
        token, retrieve = self._pool.next_finished()
        self.n_running -= 1
        return token, retrieve

    def close(self, *, abort: bool) -> None:
        """Give the workers back, or kill what runs on them."""
        self._pool.close(abort=abort)


def open_executor(n_jobs: int | None) -> Executor:
    """The executor that ``n_jobs`` and the active joblib backend ask for.

    Parameters
    ----------
    n_jobs : int or None
        As everywhere in scikit-learn: None is 1 outside a ``joblib.parallel_config``, -1 all cores.

    Returns
    -------
    executor : Executor
        A context manager. Serial where joblib would not run anything in parallel.
    """
    pool = JoblibPool(n_jobs)
    if pool.n_workers == 1:
        pool.close(abort=False)
        return SerialExecutor()
    return JoblibExecutor(pool)
