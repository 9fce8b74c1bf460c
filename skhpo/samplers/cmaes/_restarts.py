"""When a run has ended, and how large the next one is.

Notation
--------
n, lam : dimension and population of the run
lam_0  : population of the first run

References
----------
.. [1] A. Auger, N. Hansen, "A restart CMA evolution strategy with increasing population size",
   CEC 2005.
.. [2] N. Hansen, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed",
   GECCO 2009.
.. [3] N. Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, section B.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skhpo.samplers.cmaes._strategy import Constants, State

TOL_X = 1e-12
TOL_FUN = 1e-12
TOL_X_UP = 1e4
MAX_CONDITION = 1e14


@dataclass
class Progress:
    """Best and median loss of each generation of a run; failures left out."""

    best: list[float] = field(default_factory=list)
    median: list[float] = field(default_factory=list)

    def append(self, loss: np.ndarray) -> None:
        """Add a generation's losses (lam,), not all of them NaN."""
        loss = loss[np.isfinite(loss)]
        self.best.append(float(loss.min()))
        self.median.append(2 * float(np.median(0.5 * loss)))  # the sum of two losses may overflow


def stop_reason(
    c: Constants, s: State, sigma_0: float, progress: Progress, loss: np.ndarray, narrowing: np.ndarray
) -> str | None:
    """Name of the criterion that ends the run [3]_, or None.

    Parameters
    ----------
    c, s : Constants, State
    sigma_0 : float
        Step size that the run began with.
    progress : Progress
        Including the last generation.
    loss : ndarray of shape (lam,)
        The last generation's losses.
    narrowing : ndarray of bool of shape (n,)
        Columns that can become arbitrarily narrow; a margin prevents it in discrete ones.
    """
    deviations = s.sigma * s.A * np.sqrt(np.diag(s.C))
    if s.D[-1] > math.sqrt(MAX_CONDITION) * s.D[0]:
        return "condition"
    if s.sigma * s.D[-1] > TOL_X_UP * sigma_0:
        return "tol_x_up"
    if narrowing.any():
        small = TOL_X * sigma_0
        if (deviations[narrowing] < small).all() and (np.abs(s.sigma * s.A * s.p_c)[narrowing] < small).all():
            return "tol_x"
        if (s.m == s.m + 0.2 * deviations)[narrowing].any():
            return "no_effect_coordinate"
        i = s.g % c.n
        if (s.m == s.m + 0.1 * s.sigma * s.A * s.D[i] * s.B[:, i]).all():
            return "no_effect_axis"
    horizon = 10 + math.ceil(30 * c.n / c.lam)
    if len(progress.best) >= horizon:
        half_spread = np.ptp(0.5 * np.array(progress.best[-horizon:]))  # the spread itself may overflow
        if half_spread == 0:
            return "equal_losses"
        if max(half_spread, 0.5 * np.nanmax(loss) - 0.5 * np.nanmin(loss)) < 0.5 * TOL_FUN:
            return "tol_fun"
    return "stagnation" if _stagnates(c, progress) else None


def _stagnates(c: Constants, progress: Progress) -> bool:
    length = int(min(20_000, max(120 + 30 * c.n / c.lam, 0.2 * len(progress.best))))
    if len(progress.best) < length:
        return False
    part = int(0.3 * length)
    for values in (progress.best, progress.median):
        window = np.array(values[-length:])
        if not np.median(window[-part:]) >= np.median(window[:part]):
            return False
    return True


@dataclass(frozen=True)
class Regime:
    """A run to be made: its population, its step size as a share of the first, its budget."""

    lam: int
    sigma_share: float = 1.0
    large: bool = True
    max_evaluations: float = math.inf


@dataclass
class Schedule:
    """The sequence of runs.

    Attributes
    ----------
    lam_0 : int
    kind : {"ipop", "bipop"} or None
    n_large : int
        Large restarts so far: each doubles the population.
    spent_large, spent_small : int
        Evaluations in the two regimes; the first run counts as neither.
    last_large : int
        Evaluations of the last large restart; a small one has half of them at most.
    """

    lam_0: int
    kind: str | None
    n_large: int = 0
    spent_large: int = 0
    spent_small: int = 0
    last_large: int = 0

    def following(self, regime: Regime, n_evaluations: int, rng: np.random.Generator) -> Regime:
        """The run after one in ``regime`` that took ``n_evaluations``."""
        if self.kind == "ipop":
            self.n_large += 1
            return Regime(self.lam_0 * 2**self.n_large)
        if self.n_large:
            if regime.large:
                self.spent_large += n_evaluations
                self.last_large = n_evaluations
            else:
                self.spent_small += n_evaluations
        if self.n_large and self.spent_small < self.spent_large:
            lam_large = self.lam_0 * 2**self.n_large
            lam = math.floor(self.lam_0 * (lam_large / self.lam_0 / 2) ** (rng.random() ** 2))
            sigma_share = 10 ** (-2 * rng.random())
            return Regime(lam, sigma_share, large=False, max_evaluations=self.last_large / 2)
        self.n_large += 1
        return Regime(self.lam_0 * 2**self.n_large)
