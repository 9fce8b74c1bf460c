"""CMA-ES as a sampler: generations out of results that come one at a time, in any order.

Notation
--------
n    : number of ordered columns, those of the normal distribution
lam  : points in a generation
m, s : the distribution's mean and state; see ``_strategy``
q    : probabilities of each categorical column; see ``_categorical``
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from skhpo.samplers._base import Sampler
from skhpo.samplers._history import Earlier
from skhpo.samplers._resources import full_losses
from skhpo.samplers.cmaes import _categorical, _learning_rates, _margin, _restarts, _strategy, _warm_start
from skhpo.samplers.cmaes._layout import Layout

_LEARNING = 0xC3A
"""Third word of the key of the generator that updates draw from, which keeps it apart from those of asks."""

_PARENTS = 3
"""Points of the initial design that the first mean is made of."""

_GENERATIONS = 20
"""Generations that a known budget should allow for. A shorter search gains more from small populations, a
small first step and good points that count again than it loses by ending in a local optimum."""

_SIGMA_SHORT, _SIGMA_LONG = 0.1, 0.15

_LEAST_POPULATION = 5

_MEMORY = 4
"""Generations in which a point may be the best once more: for ever, and a point that was lucky under
noise, or lies in a local optimum, holds the distribution where it is."""

_REDRAWS = 10
"""How often a point outside the cube is drawn again before it is reflected."""


@dataclass(eq=False)
class CMAESSampler(Sampler):
    """Covariance matrix adaptation evolution strategy, for mixed and conditional spaces.

    A normal distribution over the real and ordinal columns and a categorical one over each
    categorical column move, generation by generation, to where the better half of the points lay.
    The update is that of Hansen's tutorial [1]_ with negative weights. Ordinal columns keep a
    margin [2]_, categorical ones are handled as in CatCMA [3]_.

    Parameters
    ----------
    restarts : {"ipop", "bipop"} or None, default="ipop"
        What follows when the distribution has converged: a run with twice the population
        [4]_, runs that alternate between large and small populations [5]_, or nothing.
    population_size : int, optional
        Points in a generation; by default 4 + floor(3 ln(number of columns with a choice)), or fewer, down
        to 5, where the search's ``n_trials`` would not allow for 20 generations of them.
    sigma0 : float, optional
        First standard deviation, as a share of each column's range; by default 0.15, or 0.1 where
        ``n_trials`` would not allow for 20 generations of the default population.
    x0 : array-like of shape (d,), optional
        First mean in the unit cube; NaN leaves a column open. By default, and for what is open, it is
        the weighted mean of the three best points of the initial design, the middle without a design.
    n_startup : int, optional
        Length of the initial Sobol design; by default 4 + floor(3 ln(number of columns)),
        and none if there is an ``x0``. The results of an earlier search always take its place.
    alpha : float, default=0.1
        How far the optimum is believed to be from good points of an earlier search, as a share of each
        column: the standard deviation of what each of them is blurred with.
    learning_rates : {"fixed", "adaptive"}, default="fixed"
        With "adaptive" only a share of each update is made, which shrinks where noise or ruggedness turn one
        update against the next [8]_. It takes thousands of evaluations to be of use; see Notes.

    Raises
    ------
    TypeError
        If ``population_size`` or ``n_startup`` is no integer, or ``sigma0`` no number.
    ValueError
        If an option is outside what is allowed.

    Notes
    -----
    The first lam results, whichever points they belong to, form a generation; any number of points
    may be pending. Steps are clipped [6]_ to the length that the distribution's own have, so that late
    results and points that were never asked for can be learned from. In a search too short for 20
    generations the best point of the last four takes the place of the worst in one that did not reach it.
    Points of equal loss share their weights, and failures rank last. A generation of failures only
    begins elsewhere.

    Losses of different resources are compared by what they are expected to be at the largest: straight
    lines, fitted to the trials that have two losses, lead from each resource to the next. A trial counts
    once in a generation, at its largest resource; when promoted later, it counts in that generation, too,
    as a point that was never asked for would. On synthetic problems under Hyperband this was as good as
    ranks among the results of one resource, and better than leaving promotions out.

    Samples are quasi-random: consecutive points of the design's Sobol sequence, mapped through the
    normal quantile function. Real columns are drawn again outside the cube and reflected at
    last. Where in its cell a sample lay, and where an inactive column's stood, does not matter to
    the loss and is drawn anew from the distribution for the update; see ``_margin``.

    With the results of an earlier search, mean, step size and covariances begin as those of its best
    tenth, blurred [7]_, and the probabilities of choices as theirs. Restarts do not.

    Adaptive learning rates take long to pay: on six functions of two to six columns, one of them noisy, they
    had 1.7 times the regret of fixed ones after 100 evaluations and 2.3 times after 300. After 10,000 in ten
    columns they beat these by far, under noise and on Rastrigin's function.

    References
    ----------
    .. [1] N. Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, 2016, 2023.
    .. [2] R. Hamano, S. Saito, M. Nomura, S. Shirakawa, "CMA-ES with margin", GECCO 2022.
    .. [3] R. Hamano, S. Saito, M. Nomura, K. Uchida, S. Shirakawa, "CatCMA", GECCO 2024.
    .. [4] A. Auger, N. Hansen, "A restart CMA evolution strategy with increasing population
       size", CEC 2005.
    .. [5] N. Hansen, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed",
       GECCO 2009.
    .. [6] N. Hansen, "Injecting external solutions into CMA-ES", arXiv 1110.4181, 2011.
    .. [7] M. Nomura, S. Watanabe, Y. Akimoto, Y. Ozaki, M. Onishi, "Warm starting CMA-ES for
       hyperparameter optimization", AAAI 2021.
    .. [8] M. Nomura, Y. Akimoto, I. Ono, "CMA-ES with learning rate adaptation: can CMA-ES with
       default population size solve multimodal and noisy problems?", GECCO 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skhpo.samplers.cmaes import CMAESSampler
    >>> from skhpo.space import Column, Real, Space
    >>> space = Space([Column("a", Real(0.0, 1.0)), Column("b", Real(0.0, 1.0))])
    >>> sampler = CMAESSampler().start(space, seed=0)
    >>> for _ in range(100):
    ...     X = sampler.ask()
    ...     sampler.tell(X, ((X - 0.3) ** 2).sum(axis=1))
    >>> bool(sampler.history.loss.min() < 1e-3)
    True
    """

    warm_starts: ClassVar[bool] = True

    restarts: Literal["ipop", "bipop"] | None = "ipop"
    population_size: int | None = None
    sigma0: float | None = None
    x0: ArrayLike | None = None
    n_startup: int | None = None
    alpha: float = 0.1
    learning_rates: Literal["fixed", "adaptive"] = "fixed"

    def __post_init__(self) -> None:
        if self.restarts not in ("ipop", "bipop", None):
            raise ValueError(f"restarts must be 'ipop', 'bipop' or None, got {self.restarts!r}.")
        if self.learning_rates not in ("fixed", "adaptive"):
            raise ValueError(f"learning_rates must be 'fixed' or 'adaptive', got {self.learning_rates!r}.")
        for name, value, least in (
            ("population_size", self.population_size, 2),
            ("n_startup", self.n_startup, 0),
        ):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name} must be an integer or None, got {value!r}.")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value!r}.")
        for name, width in (("sigma0", self.sigma0), ("alpha", self.alpha)):
            if width is None:
                continue
            if isinstance(width, bool) or not isinstance(width, numbers.Real):
                raise TypeError(f"{name} must be a number, got {width!r}.")
            if not 0 < width <= 10:
                raise ValueError(f"{name} must be greater than 0 and at most 10, got {width!r}.")
        if self.x0 is not None:
            x0 = np.asarray(self.x0, dtype=float)
            if x0.ndim != 1 or ((x0 < 0) | (x0 > 1)).any():
                raise ValueError(f"x0 must be a list of positions in [0, 1], got {self.x0!r}.")

    # -- a run --------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self.x0 is not None and np.shape(self.x0) != (self.space.d,):
            raise ValueError(
                f"x0 must have one position for each of the {self.space.d} columns of the space, "
                f"got shape {np.shape(self.x0)}."
            )
        self._layout = Layout(self.space)
        default = _strategy.default_population(self._layout.n_free)
        self._is_short = self.n_trials is not None and self.n_trials < _GENERATIONS * default
        lam = default if self.population_size is None else self.population_size
        if self.population_size is None and self.n_trials is not None and self._is_short:
            lam = min(default, max(_LEAST_POPULATION, self.n_trials // _GENERATIONS))
        self._schedule = _restarts.Schedule(lam, self.restarts)
        default_design = default if self.x0 is None else 0
        self._n_design = default_design if self.n_startup is None else self.n_startup
        self._n_used = self._run_from = 0
        self._philox = np.random.Philox(np.random.SeedSequence(self.seed))
        self._counted = self._philox.state
        self._running = False
        if self.earlier is not None:
            self._begin_from(self.earlier)
        elif not self._n_design:
            self._begin_first(0)

    def _begin_from(self, earlier: Earlier) -> None:
        """The first run, from the good points of an earlier search."""
        good = earlier.X[: _warm_start.n_good(len(earlier.X))]
        m, sigma, C = _warm_start.promising(good[:, self._layout.ordered], self._first_sigma, self.alpha)
        chosen = self._layout.choices(good)
        q = [_warm_start.probabilities(*each) for each in zip(chosen, self._layout.K, strict=True)]
        self._begin(_restarts.Regime(self._schedule.lam_0), self._given_mean(m), q, sigma, C)

    def _begin_first(self, last: int) -> None:
        """The first run, from what the initial design has shown."""
        lam, layout = self._schedule.lam_0, self._layout
        m = np.full(len(layout.ordered), 0.5)
        q = [np.full(K, 1 / K) for K in layout.K]
        rows = self.history.at_largest(0, last)
        loss = full_losses(self.history, last)[rows]
        order = rows[np.argsort(loss, kind="stable")[: np.isfinite(loss).sum()]]
        if len(order):
            X = self.history.X[order]
            m = _weighted_mean(X[:_PARENTS, layout.ordered], _strategy.positive_weights(2 * _PARENTS))
            q = self._learn_choices(q, X, _strategy.positive_weights(len(X)))
        self._n_used = last
        self._begin(_restarts.Regime(lam), self._given_mean(m), q, self._first_sigma)

    @property
    def _first_sigma(self) -> float:
        if self.sigma0 is not None:
            return self.sigma0
        return _SIGMA_SHORT if self._is_short else _SIGMA_LONG

    def _given_mean(self, m: np.ndarray) -> np.ndarray:
        """The user's first mean, ``m`` where that leaves it open."""
        if self.x0 is None:
            return m
        x0 = np.asarray(self.x0, dtype=float)[self._layout.ordered]
        return np.where(np.isnan(x0), m, x0)

    def _begin(
        self,
        regime: _restarts.Regime,
        m: np.ndarray,
        q: list[np.ndarray],
        sigma: float,
        C: np.ndarray | None = None,
    ) -> None:
        self._running = True
        self._regime = regime
        self._progress = _restarts.Progress()
        self._rates = _learning_rates.make_rates(len(m))
        self._sigma_0 = sigma
        self._q = q
        # Without ordered columns only lam and w of the constants are of use.
        self._c = _strategy.make_constants(max(len(m), 1), regime.lam)
        self._s = self._with_margin(_strategy.make_state(m, sigma, C))

    def _begin_elsewhere(self, regime: _restarts.Regime, rng: np.random.Generator) -> None:
        self._run_from = self._n_used
        m, q = rng.random(len(self._layout.ordered)), [np.full(K, 1 / K) for K in self._layout.K]
        self._begin(regime, m, q, self._first_sigma * regime.sigma_share)

    def _generator(self) -> np.random.Generator:
        # Of a counted sequence each ask has its own stretch, which takes no time to find; to seed
        # another generator each time, as the base class does, takes a third of the whole ask.
        self._counted["state"]["counter"][-1] = self.n_asked
        self._philox.state = self._counted
        return np.random.Generator(self._philox)

    # -- asking ---------------------------------------------------------------------------------------

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        design = self._design.points(self.n_asked, n)
        if not self._running:
            return design
        Z = ndtri(np.minimum(np.maximum(design[:, self._layout.ordered], 1e-12), 1 - 1e-12))
        X = self._draw(Z, rng)
        if self._layout.may_repeat:
            taken = {row.tobytes() for row in pending}
            for _ in range(_REDRAWS):
                repeated = self._repeated(X, taken)
                if not repeated:
                    break
                X[repeated] = self._draw(rng.standard_normal((len(repeated), Z.shape[1])), rng)
        return X

    def _repeated(self, X: np.ndarray, taken: set[bytes]) -> list[int]:
        """Rows of X that were seen, are in ``taken``, or stand earlier in X."""
        rows, earlier = [], set(taken)
        for i, row in enumerate(self.space.canonical(X)):
            if self._is_taken(row, earlier):
                rows.append(i)
            earlier.add(row.tobytes())
        return rows

    def _draw(self, Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Points (rows, d) of the current distribution for standard normal Z (rows, n)."""
        s, real = self._s, self._layout.real
        x = s.m + s.sigma * s.A * _strategy.steps(s, Z)  # eq. 40
        for _ in range(_REDRAWS):
            outside = (np.abs(x[:, real] - 0.5) > 0.5).any(axis=1)
            if not outside.any():
                break
            Z = rng.standard_normal((outside.sum(), len(s.m)))
            x[outside] = s.m + s.sigma * s.A * _strategy.steps(s, Z)
        else:
            folded = x[:, real] % 2
            x[:, real] = np.minimum(folded, 2 - folded)
        return self._layout.points(x, [_categorical.sample(q, len(x), rng) for q in self._q])

    # -- learning ---------------------------------------------------------------------------------------

    def _learn(self, n_new: int) -> None:
        # Row by row, so that generations do not depend on how results were grouped.
        for last in range(len(self.history) - n_new + 1, len(self.history) + 1):
            size = self._c.lam if self._running else self._n_design
            if last - self._n_used < size:
                continue
            rows = self.history.at_largest(self._n_used, last)
            if len(rows) < size:
                continue
            if self._running:
                self._n_used = last
                self._generation(rows, full_losses(self.history, last))
            else:
                self._begin_first(last)

    def _generation(self, rows: np.ndarray, loss: np.ndarray) -> None:
        """Learn from lam rows of the history; losses (at most n,) of all its rows are on one scale."""
        layout, c, s = self._layout, self._c, self._s
        if not np.isfinite(loss[rows]).any():
            self._begin_elsewhere(self._regime, self._learning_generator(rows))
            return
        has_elite = self._is_short and self.learning_rates == "fixed"
        parents = self._with_elite(rows, loss) if has_elite else rows
        parents = parents[np.argsort(loss[parents], kind="stable")]
        X = self.history.X[parents]
        w_plus, w_minus = _strategy.tied_weights(c, loss[parents])
        self._q = self._learn_choices(self._q, X, w_plus)
        if not len(layout.ordered):
            return

        low, high = layout.known(X[:, layout.ordered])
        low, high = ((edge - s.m) / (s.sigma * s.A) for edge in (low, high))
        Y = low
        if (low < high).any():
            Y = _margin.complete(low, high, s.C, _strategy.precision(s), self._learning_generator(rows, 1))
        updated = _strategy.update(c, s, _strategy.clip_steps(c, s, Y), w_plus, w_minus)
        if self.learning_rates == "adaptive":
            self._rates, updated = _learning_rates.adapt(self._rates, s, updated)
        self._s = self._with_margin(updated)
        self._progress.append(loss[rows])
        if self.restarts is None:
            return
        n_evaluations = c.lam * len(self._progress.best)
        if n_evaluations >= self._regime.max_evaluations or _restarts.stop_reason(
            c, self._s, self._sigma_0, self._progress, loss[rows], layout.narrowing
        ):
            rng = self._learning_generator(rows)
            self._begin_elsewhere(self._schedule.following(self._regime, n_evaluations, rng), rng)

    def _with_elite(self, rows: np.ndarray, loss: np.ndarray) -> np.ndarray:
        """The rows of a generation, the best of those before in place of its worst if that beats them all."""
        first = max(self._run_from, rows[0] - _MEMORY * self._c.lam)
        past = loss[first : rows[0]]
        if not np.isfinite(past).any() or np.nanmin(past) >= np.nanmin(loss[rows]):
            return rows
        rows = rows.copy()
        rows[np.argsort(loss[rows], kind="stable")[-1]] = first + np.nanargmin(past)  # NaN is sorted last
        return rows

    def _learning_generator(self, rows: np.ndarray, stream: int = 0) -> np.random.Generator:
        """What the update from these rows draws from: one stream for what is hidden, another for restarts."""
        return np.random.default_rng([self.seed, rows[0], _LEARNING, stream])

    def _learn_choices(self, q: list[np.ndarray], X: np.ndarray, w: np.ndarray) -> list[np.ndarray]:
        n_columns = len(q)
        return [
            _categorical.update(q_j, chosen, w, _categorical.least_probability(len(q_j), n_columns))
            for q_j, chosen in zip(q, self._layout.choices(X), strict=True)
        ]

    def _with_margin(self, s: _strategy.State) -> _strategy.State:
        """The state with discrete columns at least so wide that neighbouring levels are tried."""
        layout = self._layout
        k = layout.discrete
        if not len(k):
            return s
        low, high = layout.known(s.m[None])
        deviation = s.sigma * s.A[k] * np.sqrt(np.diag(s.C)[k])
        alpha = 1 / (self._c.lam * layout.n_free)
        m, A = s.m.copy(), s.A.copy()
        m[k], widened = _margin.with_margin(s.m[k], deviation, low[0, k], high[0, k], alpha)
        A[k] *= widened / deviation
        return replace(s, m=m, A=A)


def _weighted_mean(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Mean (n,) over the rows of x in which a column is active, 0.5 if there is none."""
    active = w[: len(x), None] * np.isfinite(x)
    total = active.sum(axis=0)
    mean = (active * np.nan_to_num(x)).sum(axis=0) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, 0.5)
