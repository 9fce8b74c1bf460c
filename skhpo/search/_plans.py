"""What a search has decided before its first fit: how many candidates, and how much is spent on whom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skhpo._records import Job
from skhpo._warnings import warn_user
from skhpo.evaluation import BudgetedCrossValidation, CrossValidation, ResourcePlan, open_checkpoints
from skhpo.execution import Executor, FoldRace
from skhpo.journal import MemoryJournal
from skhpo.samplers import Earlier, Sampler
from skhpo.schedulers import Scheduler


@dataclass(frozen=True)
class Plan(ABC):
    """The two choices of a search, and what they mean for its table.

    Attributes
    ----------
    sampler : Sampler
        Not started.
    scheduler : Scheduler
    n_candidates : int or None
        At most; None if only the clock knows.
    n_jobs : int or None
        Evaluations of a candidate, at most; None if only the clock knows.
    earlier : Earlier or None
        What the sampler starts from.
    """

    sampler: Sampler
    scheduler: Scheduler
    n_candidates: int | None
    n_jobs: int | None
    earlier: Earlier | None = field(default=None, kw_only=True)

    def describe(self, n_splits: int) -> str:
        """What is going to be done, in a sentence that begins like scikit-learn's."""
        many = (
            "as many candidates as come" if self.n_candidates is None else f"{self.n_candidates} candidates"
        )
        return f"Fitting {n_splits} folds for each of {many}"

    @property
    def max_resources(self) -> int | None:
        """Resource of the full training; None where there is no other."""
        return None

    def race(self, n_splits: int) -> FoldRace | None:
        """Who is brought through all folds; None for everyone."""
        return None

    @abstractmethod
    def evaluation(self, stack: ExitStack, executor: Executor, **common: Any) -> CrossValidation:
        """What turns jobs into work; what it opens is closed with the stack."""

    def columns(self, journal: MemoryJournal) -> dict[str, Any]:
        """Columns of ``cv_results_`` beside scikit-learn's."""
        return {}

    def attributes(self, journal: MemoryJournal) -> dict[str, Any]:
        """Fitted attributes beside scikit-learn's."""
        return {}

    def can_be_best(self, results: dict[str, Any]) -> np.ndarray:
        """Which rows of ``cv_results_`` the best is chosen from: all that were evaluated in full."""
        return np.ones(len(results["params"]), dtype=bool)


@dataclass(frozen=True)
class FullPlan(Plan):
    """Every candidate is trained in full, once.

    Attributes
    ----------
    races : bool
        Whether candidates that are clearly worse are not brought through all folds.
    """

    races: bool = False

    def describe(self, n_splits: int) -> str:
        """scikit-learn's own words."""
        message = super().describe(n_splits)
        if self.n_jobs is None:
            return message
        return f"{message}, totalling {'at most ' if self.races else ''}{self.n_jobs * n_splits} fits"

    def race(self, n_splits: int) -> FoldRace | None:
        """By the rule of `FoldRace`, where the user asks for it."""
        return FoldRace(n_splits) if self.races and n_splits > 1 else None

    def columns(self, journal: MemoryJournal) -> dict[str, Any]:
        """How many folds a candidate has been through, and whether that is not all."""
        if not self.races:
            return {}
        seen = np.array([len(journal.folds(job)) for job in journal.jobs()])
        return {"n_splits_evaluated": seen, "dropped": seen < seen.max()}

    def can_be_best(self, results: dict[str, Any]) -> np.ndarray:
        """Those that were not given up."""
        return ~results["dropped"] if self.races else super().can_be_best(results)

    def evaluation(self, stack: ExitStack, executor: Executor, **common: Any) -> CrossValidation:
        """Plain cross-validation."""
        return CrossValidation(**common)


@dataclass(frozen=True)
class BudgetPlan(Plan):
    """Candidates are trained to the rungs of a ladder of resources.

    Attributes
    ----------
    resources : ResourcePlan
    ladder : tuple of int
        All resources that are possible, ascending.
    first : int
        The lowest level of the ladder that is used.
    """

    resources: ResourcePlan
    ladder: tuple[int, ...]
    first: int

    @property
    def max_resources(self) -> int:
        """The top of the ladder."""
        return self.ladder[-1]

    def evaluation(self, stack: ExitStack, executor: Executor, **common: Any) -> CrossValidation:
        """Cross-validation that trains on, with its checkpoints opened."""
        checkpoints = stack.enter_context(open_checkpoints(in_process=executor.in_process))
        return BudgetedCrossValidation(**common, plan=self.resources, checkpoints=checkpoints)

    def describe(self, n_splits: int) -> str:
        """With the rungs, and how many fits there may be."""
        rungs, unit = list(self.ladder[self.first :]), self.resources.unit_in_words
        message = f"{super().describe(n_splits)} in rungs of {rungs} {unit}"
        return message if self.n_jobs is None else f"{message}, at most {self.n_jobs * n_splits} fits"

    def columns(self, journal: MemoryJournal) -> dict[str, Any]:
        """Candidate, rung, resource and bracket of each row, and what the candidate cost up to it."""
        jobs = journal.jobs()
        cost: dict[int, float] = defaultdict(float)
        totals = {}
        for job in sorted(jobs, key=lambda job: (job.trial, job.rung)):
            cost[job.trial] += sum(outcome["fit_time"] for outcome in journal.outcomes(job))
            totals[job] = cost[job.trial]
        return {
            "candidate": np.array([job.trial for job in jobs]),
            "iter": np.array([self._iteration(job) for job in jobs]),
            "n_resources": np.array([job.resource for job in jobs]),
            "bracket": np.array([job.bracket for job in jobs]),
            "total_fit_time": np.array([totals[job] for job in jobs]),
        }

    def attributes(self, journal: MemoryJournal) -> dict[str, Any]:
        """As ``HalvingRandomSearchCV`` has them, counted over all brackets."""
        counts = Counter(self._iteration(job) for job in journal.jobs())
        used = list(self.ladder[self.first :])
        return {
            "n_resources_": used,
            "n_candidates_": [counts[i] for i in range(len(used))],
            "n_iterations_": len(used),
            "n_possible_iterations_": len(self.ladder),
            "resource_": list(self.resources.names),
            "min_resources_": used[0],
            "max_resources_": used[-1],
        }

    def can_be_best(self, results: dict[str, Any]) -> np.ndarray:
        """Those with the largest resource at which there is a score; a warning if it is not the full one."""
        resources = results["n_resources"]
        means = [column for name, column in results.items() if name.startswith("mean_test_")]
        # By any of several metrics: one that is not defined says nothing of how far somebody was trained.
        scored = np.isfinite(np.array(means, dtype=float)).any(axis=0)
        top = resources[scored].max() if scored.any() else resources.max()
        if top < self.max_resources:
            warn_user(
                f"No candidate has a score at {self.max_resources} {self.resources.unit_in_words}, to which "
                f"the best would be trained; it is chosen among those with {top}, and has that length."
            )
        return resources == top

    def _iteration(self, job: Job) -> int:
        return job.rung - self.first
