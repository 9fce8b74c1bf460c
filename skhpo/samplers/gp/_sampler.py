"""Bayesian optimisation with a Gaussian process.

Notation
--------
n, m, d : numbers of evaluations, of pending points, of columns
X       : (n, d), canonical points; NaN where a column is inactive
y       : (n,), targets: transformed losses
S       : number of fantasies
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, get_args

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.samplers.gp import _acquisition
from skhpo.samplers.gp._acquisition import Acquisition, Values
from skhpo.samplers.gp._context import ContextEmbedding
from skhpo.samplers.gp._earlier import first_points
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._fit import Hyperparameters, LogNormalPrior, MapObjective, fit
from skhpo.samplers.gp._folds import slope
from skhpo.samplers.gp._observations import Observations, observations
from skhpo.samplers.gp._optimize import local_search
from skhpo.samplers.gp._posterior import Posterior
from skhpo.samplers.gp._starts import Starts
from skhpo.samplers.gp._transforms import targets

AcquisitionName = Literal["log_ei", "ei", "pi", "ucb"]

_N_FIRST = 5
"""Points of an earlier search that are evaluated before the model takes over, in place of a design."""

_ENUMERABLE = 1000
"""Spaces up to this size have the acquisition function evaluated at each point that is left."""


@dataclass(eq=False)
class GPSampler(Sampler):
    """Bayesian optimisation with a Gaussian process.

    The losses, standardised and if that suits the model power-transformed, are modelled by a Gaussian process
    with a Matern-5/2 covariance, one length scale for each column and Hamming distance between categories.
    Its hyperparameters are those of greatest posterior density. The next point is where the acquisition
    function is largest, searched by quasi-Newton over real columns and level by level over discrete ones.

    The model of choice where an evaluation is expensive: it learns most from few, and its own time grows with
    the cube of their number, up to ``max_points``.

    Parameters
    ----------
    acquisition : {"log_ei", "ei", "pi", "ucb"}, default="log_ei"
        Logarithm of expected improvement [1]_, expected improvement, probability of improvement, or upper
        confidence bound of the score. The first two have the same maximum; the logarithm has
        gradients that lead there from far away.
    n_startup : int, default=10
        Scrambled Sobol points before the model takes over.
    kappa : float, default=2.0
        Weight of the standard deviation in "ucb".
    margin : float, default=0.01
        Improvement that "pi" asks for, in standard deviations of the transformed losses; with none it would
        ask for the neighbours of the best point for ever.
    n_fantasies : int, default=16
        Outcomes drawn for the pending points. The acquisition function is averaged over them [2]_.
    max_points : int, default=500
        Most evaluations that are modelled. Of more, half are the best and half are from evenly
        spaced ranks of the others, so that a proposal costs the same after two thousand evaluations.
    transform : bool, default=True
        Whether the tail of bad losses is drawn in before they are modelled: none counts as farther above
        the median of the first ``n_startup`` than the best lies below it, and a Yeo-Johnson transform
        does the rest where the transformed losses are the likelier ones under the model.
    warp : bool, default=False
        Whether ordered columns are bent before distances are taken, so that one may matter more at one end
        than at the other: by Kumaraswamy's distribution function with two exponents for each, which are
        fitted with the other hyperparameters [5]_, [6]_. For parameters whose effect ends somewhere, and
        losses without noise; a proposal takes a third longer.

    Raises
    ------
    ValueError
        If an option is out of its range.
    TypeError
        If an option is of the wrong type.

    Notes
    -----
    A failed evaluation counts as the worst success.

    Where results come from less than the full resource, its logarithm is one more input of the covariance
    [3]_, and the acquisition function is that at the full resource. Losses are modelled as what they are
    expected to be at the largest resource, by straight lines fitted to the trials that have two losses; the
    covariance is left with what depends on the point. Trials that were stopped are believed to come to their
    posterior means in full, so that new ones are asked for where they may beat those that could be trained
    on.

    An earlier search [4]_ gives up to a hundred of its results, as many as have room within ``max_points``,
    and the first five points in place of the design: its best, others of its best that are far from each
    other, and a middling one. A straight line carries its losses to the scale of this search, and one more
    input of the covariance, 0 here and 1 there, learns by its length scale how much they say. The incumbent
    is of this search alone. Under a budget it is the same, with the earlier results at the full resource.

    Where each evaluation has folds of its own, their residual variance gives the noise a narrower prior, with
    a median of three tenths of it. Where the folds are the same for all, as in a search by cross-validation,
    they say nothing of noise and the prior stays.

    Hyperparameters are fitted at fixed lengths of the history: at powers of two afresh, and in
    between, at most 16 times for each doubling, from the last fit. The fit in force is thereby a function of
    the history alone, also for a history that was told all at once, and its cost is a fixed number of fits
    for each doubling.

    What each of these rules is worth stands, with figures, in ``docs/gp_ablation.md``.

    References
    ----------
    .. [1] S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization",
       NeurIPS 2023, arXiv:2310.20708.
    .. [2] J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian optimization of machine learning
       algorithms", NeurIPS 2012, arXiv:1206.2944.
    .. [3] K. Kandasamy, G. Dasarathy, J. Schneider and B. Poczos, "Multi-fidelity Bayesian optimisation with
       continuous approximations", ICML 2017, arXiv:1703.06240.
    .. [4] K. Swersky, J. Snoek and R. P. Adams, "Multi-task Bayesian optimization", NeurIPS 2013.
    .. [5] J. Snoek, K. Swersky, R. Zemel and R. P. Adams, "Input warping for Bayesian optimization of
       non-stationary functions", ICML 2014, arXiv:1402.0929.
    .. [6] A. I. Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter
       optimisation", JAIR 74, 2022, arXiv:2012.03826.

    Examples
    --------
    >>> import numpy as np
    >>> from skhpo.samplers.gp import GPSampler
    >>> from skhpo.space import Column, Real, Space
    >>> sampler = GPSampler(n_startup=4).start(Space([Column("x", Real(-1.0, 1.0))]), seed=0)
    >>> for _ in range(10):
    ...     X = sampler.ask()
    ...     sampler.tell(X, (X[:, 0] - 0.3) ** 2)
    >>> bool(abs(sampler.history.X[np.argmin(sampler.history.loss), 0] - 0.3) < 0.01)
    True
    """

    acquisition: AcquisitionName = "log_ei"
    n_startup: int = 10
    kappa: float = 2.0
    margin: float = 0.01
    n_fantasies: int = 16
    transform: bool = True
    warp: bool = False
    max_points: int = 500

    warm_starts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options."""
        names = get_args(AcquisitionName)
        if self.acquisition not in names:
            raise ValueError(
                f"acquisition must be one of {', '.join(map(repr, names))}, got {self.acquisition!r}."
            )
        for name in ("n_startup", "n_fantasies", "max_points"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}.")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}.")
        for name in ("kappa", "margin"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"{name} must be a number, got {value!r}.")
            if not 0.0 <= float(value) < np.inf:
                raise ValueError(f"{name} must be finite and not negative, got {value!r}.")
        for name in ("transform", "warp"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}.")

    def _start(self) -> None:
        self._starts = Starts(self.space)
        self._fitted_at = 0
        self._first = np.empty((0, self.space.d))
        if self.earlier is not None:
            rows = first_points(Embedding(self.space).features(self.earlier.X), min(_N_FIRST, self.n_startup))
            self._first = self.earlier.X[rows]
        self._model(budget=False)

    def _model(self, *, budget: bool) -> None:
        """Take up a model of which nothing is known yet."""
        earlier = self.earlier is not None
        plain = not (budget or earlier)
        space = self.space
        self._embedding = (
            Embedding(space) if plain else ContextEmbedding(space, budget=budget, earlier=earlier)
        )
        n_bent = len(self._embedding.ordered) if self.warp else 0
        self._prior = LogNormalPrior.for_columns(space.d, budget=budget, earlier=earlier, n_bent=n_bent)
        self._has_budget = budget
        self._theta = dict.fromkeys((False, True), self._prior.mean)
        self._transforms = False

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n_startup = len(self._first) if len(self._first) == _N_FIRST else self.n_startup
        n_design = min(n, max(0, n_startup - max(self.n_asked, self.history.n_trials)))
        if len(self.history) == 0:
            # More workers than startup points, and none is back yet: the design goes on.
            n_design = n
        X = self._designed(n_design, pending)
        if n_design == n:
            return X
        posterior = self._posterior()
        for _ in range(n - n_design):
            point = self._best_point(posterior, np.concatenate([pending, X]), rng)
            X = np.concatenate([X, point[None]])
        return X

    def _designed(self, n: int, pending: np.ndarray) -> np.ndarray:
        """Points (n, d) of the design: first those of the earlier search that are not evaluated yet."""
        taken = {row.tobytes() for row in pending}
        left = [point for point in self._first if not self._is_taken(point, taken)][:n]
        sobol = self.space.canonical(self._design.points(self.n_asked + len(left), n - len(left)))
        return np.concatenate([np.reshape(left, (len(left), self.space.d)), sobol])

    # -- the model --------------------------------------------------------------------------------

    def _data(self, n: int) -> Observations:
        """What is modelled of the first n evaluations."""
        if not self._has_budget and not (self.history.resource[:n] == 1.0).all():
            self._model(budget=True)
        n_typical = self.n_startup if self.transform else 0
        return observations(self.history, n, self._embedding, self.earlier, self.max_points, n_typical)

    def _posterior(self) -> Posterior:
        n = len(self.history)
        self._refit(n)
        self._observed = seen = self._data(n)
        y, _ = targets(seen.loss, transform=self._transforms)
        hyper = Hyperparameters.from_theta(self._theta[self._transforms], self._embedding.n_columns)
        posterior = Posterior(self._embedding, hyper, seen.Phi, y[:, None])
        rows = np.intersect1d(self.history.at_largest(), seen.rows)
        rows = rows[self.history.resource[rows] < 1.0]
        if not len(rows):
            return posterior
        # A trial that was stopped can be trained on. Left open, what it would come to in full draws new
        # trials to its place, where at a small resource they show the same again.
        stopped = self._embedding.features(self._points(rows))
        return posterior.conditioned(stopped, posterior(stopped)[0])

    def _points(self, rows: np.ndarray) -> np.ndarray:
        """Different points (m, d) in these rows of the history."""
        _, first = np.unique(self.history.trial[rows], return_index=True)
        return self.history.X[rows[np.sort(first)]]

    def _refit(self, n: int) -> None:
        """Bring the hyperparameters to what the schedule says for n evaluations, from wherever they stand."""
        first = 1 << (n.bit_length() - 1)
        for length in range(first, n + 1, max(1, first // 16)):
            if length > self._fitted_at:
                self._fit(self._data(length), afresh=length == first)
                self._fitted_at = length

    def _fit(self, seen: Observations, *, afresh: bool) -> None:
        least, self._transforms = np.inf, False
        for transforms in (False, True) if self.transform else (False,):
            y, log_jacobian = targets(seen.loss, transform=transforms)
            prior = self._prior
            if seen.noise is not None:
                prior = prior.with_noise(seen.noise * slope(seen.loss[seen.m :], y[seen.m :]) ** 2)
            starts = prior.starts() if afresh else [self._theta[transforms]]
            # Constant targets say nothing, and the likelihood would shrink the signal to nothing.
            if np.ptp(y) == 0.0:
                self._theta[transforms] = self._prior.mean
                continue
            objective = MapObjective(self._embedding, seen.Phi, y, prior)
            self._theta[transforms], value = fit(objective, starts, prior)
            if value - log_jacobian < least:
                least, self._transforms = value - log_jacobian, transforms

    # -- the acquisition --------------------------------------------------------------------------

    def _best_point(self, posterior: Posterior, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The point (d,), neither told nor pending, with the largest acquisition value found."""
        told = np.intersect1d(self.history.at_largest(), self._observed.rows)
        X = np.concatenate([self.history.X[told], self._observed.X_earlier])
        believed = posterior(self._embedding.features(X))[0][:, 0]
        if len(pending):
            # Sampled outcomes and not the mean alone: a believer in the mean sees no chance that a pending
            # point turns out well, and goes on proposing its neighbours.
            Phi = self._embedding.features(pending)
            fantasies = posterior.sample(Phi, rng.standard_normal((len(pending), self.n_fantasies)))
            posterior = posterior.conditioned(Phi, fantasies)
        acquisition = Acquisition(self._embedding, posterior, self._utility(posterior))
        taken = {row.tobytes() for row in pending}
        if self.space.size <= _ENUMERABLE:
            left = [point for point in self.space.enumerate() if not self._is_taken(point, taken)]
            return left[np.argmax(acquisition(np.array(left)))]
        lengths = posterior.hyper.lengths[: self.space.d]
        groups = self._starts.candidates(X, believed, lengths, rng)
        log_values = [acquisition(self.space.canonical(U)) for U in groups]
        U = self._starts.choose(list(zip(groups, log_values, strict=True)), rng)
        found, values = local_search(self.space, acquisition, acquisition.with_gradient, U, lengths)
        order = np.argsort(-values, kind="stable")
        # Where all were taken the base class moves the best one to a point nearby.
        return next((found[i] for i in order if not self._is_taken(found[i], taken)), found[order[0]])

    def _utility(self, posterior: Posterior) -> Callable[[np.ndarray, np.ndarray], Values]:
        if self.acquisition == "ucb":
            return partial(_acquisition.ucb, kappa=self.kappa)
        # The least target and not the least posterior mean. Under noise it is partly luck, and asks for more
        # than is known to be there; what that adds in exploration halved the regret of noisy Hartmann-6.
        # Without noise the two are the same.
        f = posterior.Y[self._observed.m :].min(axis=0)
        if self.acquisition == "pi":
            return partial(_acquisition.log_pi, f=f - self.margin)
        return partial(_acquisition.log_ei if self.acquisition == "log_ei" else _acquisition.ei, f=f)
