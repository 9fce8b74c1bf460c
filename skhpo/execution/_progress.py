"""A search's progress in lines of text, for whoever watches it run."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

from skhpo.execution._stopping import Progress

_EVERY = 0.1
"""A line when the search has become older by this part of its age ..."""

_SHORTEST, _LONGEST = 1.0, 60.0
"""... but after no less and no more than so many seconds."""


class ProgressLines:
    """Prints how far a search is, whenever a task has ended and the last line is old enough.

    Parameters
    ----------
    n_tasks : int or None
        How many tasks there will be at most; None if only the clock knows.
    n_workers : callable
        Returns how many there are now.
    timeout : float or None
        Seconds that the search may take.
    write : callable, default=print
        Takes a line.
    """

    def __init__(
        self,
        n_tasks: int | None,
        n_workers: Callable[[], int],
        timeout: float | None = None,
        write: Callable[[str], None] = print,
    ) -> None:
        self._n_tasks, self._n_workers, self._timeout, self._write = n_tasks, n_workers, timeout, write
        self._first: Progress | None = None
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take note of the progress, and print it if it is time."""
        if self._first is None:
            # What an earlier run has done says nothing about the speed of this one.
            self._first = progress
            self._next = progress.elapsed + _SHORTEST
        elif progress.elapsed >= self._next:
            self._write(self.line(progress))
            self._next = progress.elapsed + min(_LONGEST, max(_SHORTEST, _EVERY * progress.elapsed))

    def line(self, progress: Progress) -> str:
        """The progress in words."""
        n_tasks = self._n_left(progress) + progress.n_evaluations
        of = f" of {n_tasks:.0f}" if math.isfinite(n_tasks) else ""
        parts = [f"{progress.n_evaluations}{of} fits done"]
        if math.isfinite(progress.best_loss):
            parts.append(f"best score {-progress.best_loss:.4g}")
        parts.append(f"{progress.n_running} of {self._n_workers()} workers busy")
        parts.append(f"{_clock(progress.elapsed)} gone")
        if (left := self._seconds_left(progress)) is not None:
            parts.append(f"at most about {_clock(left)} left")
        return ", ".join(parts)

    def _seconds_left(self, progress: Progress) -> float | None:
        """By the pace of this run, or by the clock, whichever ends first."""
        ends = []
        if self._timeout is not None:
            ends.append(max(0.0, self._timeout - progress.elapsed))
        first, n_left = self._first, self._n_left(progress)
        if math.isfinite(n_left) and first is not None and progress.n_evaluations > first.n_evaluations:
            pace = (progress.elapsed - first.elapsed) / (progress.n_evaluations - first.n_evaluations)
            ends.append(pace * n_left)
        return min(ends, default=None)

    def _n_left(self, progress: Progress) -> float:
        """How many tasks there will still be at most."""
        if self._n_tasks is None:
            return math.inf
        return max(0, self._n_tasks - progress.n_spared - progress.n_evaluations)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
