"""Stopping rules: predicates on what has happened, which combine with ``|``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What a stopping rule may look at.

    Attributes
    ----------
    elapsed : float
        Seconds since the search began, those of earlier runs included.
    n_begun : int
        Candidates begun.
    n_done : int
        Jobs finished.
    best_loss : float
        Least loss of a finished job; infinite before there is one.
    n_evaluations : int
        Tasks finished.
    n_running : int
        Tasks that run.
    n_spared : int
        Tasks of candidates that began which will not be done.
    """

    elapsed: float
    n_begun: int
    n_done: int
    best_loss: float
    n_evaluations: int = 0
    n_running: int = 0
    n_spared: int = 0


class StoppingRule(ABC):
    """Says when no further work is to be begun. What already runs is always brought to its end."""

    @abstractmethod
    def __call__(self, progress: Progress) -> bool:
        """Whether to stop now."""

    def __or__(self, other: StoppingRule) -> StoppingRule:
        return _Either(self, other)


@dataclass(frozen=True, slots=True)
class _Either(StoppingRule):
    first: StoppingRule
    second: StoppingRule

    def __call__(self, progress: Progress) -> bool:
        return self.first(progress) or self.second(progress)


@dataclass(frozen=True, slots=True)
class Never(StoppingRule):
    """Leaves the end to the scheduler and the space."""

    def __call__(self, progress: Progress) -> bool:
        """Always False."""
        return False


@dataclass(frozen=True, slots=True)
class Timeout(StoppingRule):
    """Stops after a number of seconds, though never before the first candidate has begun.

    Attributes
    ----------
    seconds : float
    """

    seconds: float

    def __call__(self, progress: Progress) -> bool:
        """Whether the time is over."""
        return progress.n_begun > 0 and progress.elapsed >= self.seconds
