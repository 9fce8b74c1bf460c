"""Fold racing: a candidate that is clearly worse than the incumbent is not brought through all folds.

Folds differ in difficulty, which hits all candidates alike, so that candidates are compared fold by fold.
What is asked after k of K folds is not whether the candidate is worse in general, but whether it would come
out worse on these K folds, by which the incumbent was judged too.

Notation

======  ==================================================================================
symbol  meaning
======  ==================================================================================
K, k    folds; of them those that a candidate has been evaluated on
d_i     candidate's score less the incumbent's on fold i; dbar is their mean over k folds
D       the same mean over all K folds, of which k are known
s^2     variance of d_i between the folds, of one candidate; s0^2 that of those before, and
        after one fold at least the variance of the incumbent's scores
nu0     how many observations s0^2 counts for, beside the k - 1 of the candidate's own
alpha   probability of being better, D > margin, below which a candidate is given up
======  ==================================================================================

If the d_i of a candidate are a sample from a normal distribution, then D - dbar has the mean 0 and the
variance s^2 (K - k) / (K k): that of a mean of k draws without replacement from K.

That is about one candidate. If all began with the same folds, the errors of their verdicts would be one and
the same: an incumbent that was lucky in these would outlive all better ones, however many are proposed. And
s0^2 would shrink from verdict to verdict, as it is those whose differences vary little that are given up. So
the n-th candidate begins with fold n mod K, and goes on in a circle: of several good ones some begin where
the incumbent was not lucky.

References
----------
.. [1] E. Bergman, L. Purucker, F. Hutter: Don't Waste Your Time: Early Stopping Cross-Validation. AutoML
       2024. Its "forgiving" rule gives a candidate up whose mean so far is below the incumbent's worst fold.
.. [2] W. G. Cochran: Sampling Techniques, 3rd edition, 1977, section 2.6, for the variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from scipy.stats import t as student


class FoldRace:
    """Scores of candidates fold by fold, greater is better, and the verdict on those who are under way.

    Parameters
    ----------
    n_folds : int
        K, at least 2.
    alpha : float, default=0.1
    margin : float, default=0.1
        By how many standard errors of the incumbent a candidate must be able to be better: what is as good as
        the incumbent is not worth its folds. Who leads on the folds so far goes on in any case; whose scores
        are the incumbent's very own is given up after half of the folds, but three at least.
    prior_weight : float, default=4
        nu0.

    Attributes
    ----------
    incumbent : int or None
        The candidate with the best mean of all folds.
    """

    def __init__(
        self, n_folds: int, alpha: float = 0.1, margin: float = 0.1, prior_weight: float = 4.0
    ) -> None:
        self._K, self._alpha, self._margin, self._nu0 = n_folds, alpha, margin, prior_weight
        self._scores: dict[int, dict[int, float]] = {}
        self._out: set[int] = set()
        self._best: np.ndarray | None = None
        self._variances: list[float] = []
        self.incumbent: int | None = None

    def order(self, candidate: int) -> list[int]:
        """The folds of a candidate in the order in which they are to be done."""
        return [(candidate + i) % self._K for i in range(self._K)]

    def take(self, candidate: int, fold: int, score: float) -> None:
        """Take note of a score.

        A failure, which is NaN, is no reason to give a candidate up: what it costs is for the user to say.
        """
        scores = self._scores.setdefault(candidate, {})
        scores[fold] = score
        if len(scores) == self._K:
            self._finish(candidate, scores)
        elif candidate in self._out or self._best is None:
            return
        elif self._is_worse(self._differences(scores, self._best)):
            self._out.add(candidate)

    def is_out(self, candidate: int) -> bool:
        """Whether a candidate has been given up."""
        return candidate in self._out

    def estimate(self, candidate: int) -> float:
        """Mean over all folds that a candidate who was given up is to be expected to have.

        That is the incumbent's, and the mean difference from it on the folds that both have been through: how
        easy these were does not count.
        """
        if self._best is None:
            return math.nan
        return float(self._best.mean() + self._differences(self._scores[candidate], self._best).mean())

    def _differences(self, scores: Mapping[int, float], best: np.ndarray) -> np.ndarray:
        """d_i (k,)."""
        return np.array([score - best[fold] for fold, score in scores.items()])

    def _finish(self, candidate: int, scores: Mapping[int, float]) -> None:
        own = np.array([scores[fold] for fold in range(self._K)])
        if not np.isfinite(own).all():
            return
        if self._best is not None:
            self._note(float(np.var(own - self._best, ddof=1)))
        if self._best is None or own.mean() > self._best.mean():
            self._best, self.incumbent = own, candidate

    def _is_worse(self, d: np.ndarray) -> bool:
        """Whether P(D > margin) < alpha."""
        best = self._best
        if best is None or not np.isfinite(d).all():
            return False
        k, dbar = len(d), float(d.mean())
        if dbar > 0:
            return False
        if not d.any():
            # The incumbent in all but name, so it seems, as on a plateau; its differences have no variance.
            return k >= max(3, self._K / 2)
        shortfall = dbar - self._margin * float(best.std(ddof=1)) / math.sqrt(self._K)
        squares = float(((d - dbar) ** 2).sum())
        s0, nu0 = float(np.median(self._variances)) if self._variances else 0.0, self._nu0
        if k == 1:
            # Those before may all have been of the incumbent's kind, which differ from it by little. Of one
            # fold there is no telling what kind this is, nor whether it was the incumbent's lucky one.
            s0 = max(s0, float(best.var(ddof=1)))
        elif not self._variances:
            if k == 2:
                return False  # two differences alone say next to nothing of their variance
            nu0 = 0.0
        variance = (nu0 * s0 + squares) / (nu0 + k - 1)
        error = math.sqrt(variance * (self._K - k) / (self._K * k))
        is_out = shortfall < -_quantile(self._alpha, nu0 + k - 1) * error
        if is_out and k > 1:
            # Of those who come to their end there may be few.
            self._note(squares / (k - 1))
        return is_out

    def _note(self, variance: float) -> None:
        # Who is the incumbent in all but name does not tell how others differ from it.
        if variance > 0:
            self._variances.append(variance)


@cache
def _quantile(alpha: float, nu: float) -> float:
    return float(student.isf(alpha, nu))
