"""What the rooms hand to each other: plain facts, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


class FailedScore(float):
    """A score that stands for a failure: the number is the user's ``error_score``.

    scikit-learn puts ``error_score`` where a fit or a scorer failed, and nothing tells it from a score
    any more. A float that remembers does.
    """


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate's life over all resources.

    Attributes
    ----------
    number : int
        Position in the order in which candidates were asked, from 0.
    position : tuple of float
        The candidate in the unit cube; NaN where a parameter is inactive.
    params : dict
        The same candidate as the estimator's parameters.
    """

    number: int
    position: tuple[float, ...]
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A trial to be brought to a resource.

    Attributes
    ----------
    trial : int
        Number of the trial; the scheduler numbers new ones consecutively.
    resource : int or None
        Training amount to reach, in units of which ``max_resources`` are the full training; None is
        the estimator's own, in full.
    bracket : int
        The halving run that the trial belongs to.
    rung : int
        Place of the resource on the ladder of resources, from 0, the same for all brackets.
    """

    trial: int
    resource: int | None = None
    bracket: int = 0
    rung: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome of one task, that is of one job on one fold.

    Attributes
    ----------
    job : Job
    fold : int
    outcome : dict
        ``test_scores`` (float or dict of float), ``fit_time``, ``score_time``,
        ``n_test_samples``, ``fit_error`` (traceback or None), and ``train_scores`` if asked for.
    """

    job: Job
    fold: int
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Began:
    """A job that was given out.

    Attributes
    ----------
    job : Job
    trial : Trial or None
        The job's trial if this was the first that was heard of it.
    """

    job: Job
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An end of some kind.

    Attributes
    ----------
    by : {"space", "stop", "run"}
        "space": a new trial was wanted and there was none left. "stop": a stopping rule fired. "run": the
        process that wrote what stands before is gone, and what follows is another's.
    """

    by: Literal["space", "stop", "run"]


Event = Began | Evaluation | Ended
"""Whatever happens in a search that its further course depends on; in their order they are the search."""
