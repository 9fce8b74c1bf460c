"""The one number by which a sampler learns, out of the scores of all folds and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from skhpo._records import FailedScore


@dataclass(frozen=True)
class Objective:
    """Mean test score of one metric; greater is better.

    Attributes
    ----------
    metric : str or None
        Name of the metric that counts where there are several; None means the first.
    check_names : callable or None
        Called with the names of the metrics where the scorer returned several; raises if the search
        could not choose by them, while there is still work to be saved.
    """

    metric: str | None = None
    check_names: Callable[[Iterable[str]], None] | None = None

    def __call__(self, outcomes: Sequence[dict[str, Any]]) -> float:
        """Score of a job from the outcomes of its folds, NaN for a failure.

        A job with a failed fold is a failure whatever ``error_score`` puts in its place: a number
        made up for the table would mislead the sampler about the neighbourhood.
        """
        score = sum(self.of_fold(outcome) for outcome in outcomes) / len(outcomes)
        return score if math.isfinite(score) else math.nan

    def of_fold(self, outcome: dict[str, Any]) -> float:
        """Score of one fold, NaN for a failure."""
        score = self._pick(outcome["test_scores"])
        return math.nan if isinstance(score, FailedScore) or not math.isfinite(score) else score

    def _pick(self, scores: float | dict[str, float]) -> float:
        if not isinstance(scores, dict):
            return scores
        if self.check_names is not None:
            self.check_names(scores)
        if self.metric is not None:
            return scores[self.metric]
        return next(iter(scores.values()), math.nan)
