"""The contract of workers: where tasks really run, and what is known when one of them dies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

from skhpo.evaluation import Call


class WorkerDied(Exception):
    """What a task comes to whose process is gone: killed, crashed, or lost with its machine.

    Parameters
    ----------
    reason : str
    blame : {"culprit", "bystander", None}, default=None
        "culprit": it was this task's own process that died first. "bystander": it was another's, which
        took this one with it. None: that is not known.
    """

    def __init__(self, reason: str, blame: Literal["culprit", "bystander"] | None = None) -> None:
        super().__init__(reason, blame)
        self.reason = reason
        self.blame = blame

    def __str__(self) -> str:
        return self.reason


def giving(result: Any) -> Callable[[], Any]:
    """A function that returns a result."""
    return lambda: result


def failing(error: BaseException) -> Callable[[], Any]:
    """A function that raises: what comes of a task without a result."""

    def retrieve() -> Any:
        raise error

    return retrieve


class Workers(ABC):
    """Processes or threads, each of which runs one task at a time.

    They run what they are given and tell what came of it. Who was to blame when several died together, and
    who is given another chance, is decided above them (``SupervisedExecutor``), by the same rules
    for all backends.

    Attributes
    ----------
    in_process : bool
        Whether they are threads of this process and share its memory.
    can_kill : bool
        Whether ``kill`` can end a task that runs.
    blames_exactly : bool
        Whether a task that came to ``WorkerDied`` without a word on the blame was at least on the worker
        that died. Else others which ran at the same time may be the cause.
    """

    in_process: bool
    can_kill: bool
    blames_exactly: bool
    n_ahead: int = 0

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """How many tasks can run at once, now: a cluster may grow and shrink."""

    @abstractmethod
    def submit(self, token: Any, call: Call) -> None:
        """Start a task on a free worker.

        The same objects come again and again as arguments (X, y); they travel once.

        Parameters
        ----------
        token : hashable
            Under which the task comes back; not in use by a task that runs.
        call : tuple of (callable, tuple, dict)
            Function, positional and keyword arguments.
        """

    @abstractmethod
    def next_finished(self, timeout: float | None = None) -> tuple[Any, Callable[[], Any]] | None:
        """Token of the next task that ended, and a function that returns or raises what came of it.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which None is returned. By default this blocks, and can be interrupted from
            the keyboard.

        Returns
        -------
        token, retrieve
            ``retrieve()`` raises ``WorkerDied`` if the worker did not live to give an answer. After a
            death the workers are whole again by the time of the next ``submit``.
        """

    @abstractmethod
    def seconds_running(self, token: Any) -> float:
        """For how long a task has been running, 0.0 before it began: the start of a worker is not counted."""

    def kill(self, token: Any) -> None:
        """End a task that runs, with its process; only of workers with ``can_kill``.

        It comes back as ``WorkerDied``, and so may others that were running. If it has just
        ended by itself, it comes back with what came of it.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot end a task that runs.")

    @abstractmethod
    def close(self, *, abort: bool) -> None:
        """Give the workers back; with ``abort`` kill or abandon what still runs on them.

        Nothing that was started for this object outlives it, nor do arrays that were sent ahead.
        """
