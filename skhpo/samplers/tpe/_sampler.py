"""The tree-structured Parzen estimator (TPE).

The evaluations are split at a quantile of their losses; the density l of the points below it and
the density g of those above are estimated; and the proposal is the point, of some drawn
from l, at which l is largest in comparison with g.

    p(x | y) = l(x) if y < y*, else g(x)                          Bergstra 2011, (2)
    EI_y*(x) proportional to (gamma + (1 - gamma) g(x) / l(x))^-1    Bergstra 2011, section 4.1

The expected improvement grows with l / g and with nothing else, so that log l - log g is what is
maximised.

Notation
--------
d         : number of columns of the space
n         : number of evaluations that have a loss
y         : (n,), losses
n_below   : ceil(gamma n), at most ``max_below``
y*        : the least loss above the split
l, g      : densities of the points below and above y*; ``below`` and ``above`` in the code
w         : (m + 1,), weights of the m kernels of l or g and, last, of the prior
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.samplers.tpe._bandwidths import select_bandwidths
from skhpo.samplers.tpe._parzen import ParzenEstimator


@dataclass(eq=False)
class TPESampler(Sampler):
    """Multivariate tree-structured Parzen estimator.

    One model for the whole conditional tree, with joint kernels over all columns. Failed and
    pending points count among the bad ones, so that proposals keep away from them.

    Parameters
    ----------
    n_startup : int, default=10
        Points of the scrambled Sobol design that comes before the model.
    gamma : float, default=0.15
        Share of the evaluations that counts as good ("below").
    max_below : int, default=25
        Most evaluations that count as good, however many there are.
    weights : {"ei", "uniform"}, default="ei"
        Weight of a good point's kernel: its improvement on the best of the bad points, or the
        same for all. The kernels of bad points weigh the same.
    prior_weight : float, default=1.0
        Weight of the prior, in units of the mean weight of the observations.
    min_bandwidth_factor : float, default=0.03
        Least bandwidth of a kernel on an ordered axis, as a part of the axis.
    magic_clip_exponent : float, default=2.0
        While a set has few points m, bandwidths are at least (m + 2) to the power of minus this.
    n_ei_candidates : int, default=24
        Points drawn from the density of the good ones, of which the best is proposed.
    """

    n_startup: int = 10
    gamma: float = 0.15
    max_below: int = 25
    weights: Literal["ei", "uniform"] = "ei"
    prior_weight: float = 1.0
    min_bandwidth_factor: float = 0.03
    magic_clip_exponent: float = 2.0
    n_ei_candidates: int = 24

    def __post_init__(self) -> None:
        for name in ("n_startup", "max_below", "n_ei_candidates"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}.")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}.")
        for name, limit in (
            ("gamma", 1.0),
            ("prior_weight", math.inf),
            ("min_bandwidth_factor", 1.0),
            ("magic_clip_exponent", math.inf),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"{name} must be a number, got {value!r}.")
            if not (0 < value <= limit and math.isfinite(value)):
                above = f" and at most {limit:g}" if math.isfinite(limit) else " and finite"
                raise ValueError(f"{name} must be greater than 0{above}, got {value!r}.")
        if self.weights not in ("ei", "uniform"):
            raise ValueError(f"weights must be 'ei' or 'uniform', got {self.weights!r}.")

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self._in_design(self.n_startup):
            return self._design.points(self.n_asked, n)
        good, bad, weights = self._split()
        below = self._estimator(good, weights)
        bad = np.concatenate([bad, pending])
        taken = {row.tobytes() for row in pending}
        proposals = np.empty((n, self.space.d))
        for i in range(n):
            above = self._estimator(bad, np.ones(len(bad)))
            proposals[i] = self._best_candidate(below, above, taken, rng)
            # What was proposed is pending for the rest of the batch.
            bad = np.concatenate([bad, proposals[i : i + 1]])
            taken.add(proposals[i].tobytes())
        return proposals

    def _split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points below (m, d) and above, and the weights (m,) of those below."""
        history = self.history
        y = np.where(history.succeeded, history.loss, np.inf)
        order = np.argsort(y, kind="stable")
        n = int(history.succeeded.sum())
        n_below = min(math.ceil(self.gamma * n), self.max_below)
        below, above = order[:n_below], order[n_below:]
        weights = np.ones(n_below)
        if self.weights == "ei" and n > n_below:
            # w_i = y* - y_i (Watanabe 2023, section 3.2): l is then the density of the
            # improvement, and not of the event that there is one.
            improvement = y[above[0]] - y[below]
            if improvement.sum() > 0:
                weights = improvement
        return history.X[below], history.X[above], weights

    def _estimator(self, X: np.ndarray, weights: np.ndarray) -> ParzenEstimator:
        bandwidths = select_bandwidths(self.space, X, self.min_bandwidth_factor, self.magic_clip_exponent)
        prior = self.prior_weight * weights.mean() if len(X) else 1.0
        w = np.append(weights, prior)
        return ParzenEstimator(self.space, X, bandwidths, w / w.sum())

    def _best_candidate(
        self,
        below: ParzenEstimator,
        above: ParzenEstimator,
        taken: set[bytes],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """The candidate (d,) with the largest log l - log g that was not seen, if there is one."""
        candidates = below.sample(self.n_ei_candidates, rng)
        order = np.argsort(above.log_density(candidates) - below.log_density(candidates), kind="stable")
        for i in order:
            if not self._is_taken(candidates[i], taken):
                return candidates[i]
        return candidates[order[0]]
