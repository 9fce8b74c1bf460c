"""The one number by which a sampler learns, out of the scores of all folds and metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Objective:
    """Mean test score of one metric; greater is better.

    Attributes
    ----------
    metric : str or None
        Name of the metric that counts where there are several. None means the only one, or the
        first that the scorer returns.
    """

    metric: str | None = None

    def __call__(self, outcomes: Sequence[dict[str, Any]]) -> float:
        """Score of a job from the outcomes of its folds, NaN for a failure.

        A job with a failed fold is a failure whatever ``error_score`` puts in its place: a number
        made up for the table would mislead the sampler about the neighbourhood.
        """
        total = 0.0
        for outcome in outcomes:
            scores = outcome["test_scores"]
            if outcome["fit_error"] is not None:
                return math.nan
            if isinstance(scores, dict):
                scores = scores[self.metric] if self.metric in scores else next(iter(scores.values()))
            total += scores
        score = total / len(outcomes)
        return score if math.isfinite(score) else math.nan
