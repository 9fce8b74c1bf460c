r"""Hyperparameters of the Gaussian process: maximum a posteriori with analytic gradients.

Notation
--------
n, d, F : numbers of points, of columns, of features
k       : number of columns that are bent; see ``_bending``
Phi     : (n, F), features of the points; owner (F,) their columns
Psi     : (n, F), features of the bent points
y       : (n,), targets
theta   : (d + 2 k + 2,), (log l_1, ..., log l_d, log a_1, ..., log a_k, log b_1, ..., log b_k, log s, log v)
l, s, v : length scales, signal variance, noise variance above its floor
a, b    : exponents of the bends
tau2    : variance of the constant mean, which is integrated out
K       : (n, n), s M(R2) + tau2 + (v + floor) I
alpha   : (n,), K^-1 y
L       : Cholesky factor of K, lower

All kinds of parameter have normal priors on their logarithms, so the mode in log space is where the
density of the logarithms is greatest and does not depend on units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from skhpo.samplers.gp._bending import bend, by_bends
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._kernel import matern52, squared_distances

NOISE_FLOOR = 1e-8
"""Least noise variance for targets of unit variance.

It lets a search without noise resolve differences of 1e-4 standard deviations; 1e-6 was seen to stop searches
along Rosenbrock's valley early. It bounds the condition number of K by about n (s + tau2) / 1e-8, at which,
with s near 1, the posterior deviation still has four digits."""

MEAN_VARIANCE = 1.0
"""The prior of the constant mean: as wide as the (standardised) targets themselves."""


_LENGTH = (0.0, math.sqrt(3.0))
_LENGTH_BENT = (-0.9, 0.7)
_CONTEXT_LENGTH = (0.0, 1.0)
_SIGNAL = (0.0, 1.0)
_NOISE = (math.log(1e-4), 4.0)
_BEND = (0.0, math.sqrt(0.75))
"""Means and standard deviations of the priors on the logarithms; see ``LogNormalPrior.for_columns``."""

_ESTIMATED_NOISE = (math.log(0.3), 1.0)
"""The same for the noise as a part of what it is estimated to be; see ``docs/gp_ablation.md``."""

_NOISY = 0.05
"""Noise variance of the noisy start."""


@dataclass(frozen=True)
class Hyperparameters:
    """What the covariance needs.

    Attributes
    ----------
    lengths : ndarray of shape (d,)
    signal : float
    noise : float
        Noise variance, floor included.
    bends : ndarray of shape (2, k)
        Logarithms of the exponents; (2, 0) where nothing is bent.
    """

    lengths: np.ndarray
    signal: float
    noise: float
    bends: np.ndarray = field(default_factory=lambda: np.empty((2, 0)))

    @classmethod
    def from_theta(cls, theta: np.ndarray, d: int) -> Hyperparameters:
        bends = theta[d:-2].reshape(2, -1)
        return cls(np.exp(theta[:d]), math.exp(theta[-2]), math.exp(theta[-1]) + NOISE_FLOOR, bends)

    @property
    def is_bent(self) -> bool:
        return self.bends.size > 0


@dataclass(frozen=True)
class LogNormalPrior:
    """Independent normal priors on the entries of theta.

    Attributes
    ----------
    mean, sd : ndarray of shape (d + 2 k + 2,)
    """

    mean: np.ndarray
    sd: np.ndarray

    def starts(self) -> list[np.ndarray]:
        """Where a fit starts that has nothing better: at the mode, and at the mode with more noise.

        Ragged data have two explanations, noise and short length scales, with a local maximum of the density
        for each; a search from one side alone may end in the wrong one.
        """
        noisy = self.mean.copy()
        noisy[-1] = math.log(_NOISY)
        return [self.mean, noisy]

    def with_noise(self, variance: float) -> LogNormalPrior:
        """The prior where there is an estimate of the noise variance."""
        mean, sd = self.mean.copy(), self.sd.copy()
        mean[-1], sd[-1] = _ESTIMATED_NOISE
        # From next to nothing to all that there is of standardised targets.
        mean[-1] += math.log(min(max(variance, 1e-6), 1.0))
        return LogNormalPrior(mean, sd)

    @classmethod
    def for_columns(
        cls, d: int, *, budget: bool = False, earlier: bool = False, n_bent: int = 0
    ) -> LogNormalPrior:
        """The prior for d columns of which ``n_bent`` are bent.

        Length scales: distances in the cube grow with sqrt(d), and the prior's mode with them, as in [1]_
        with its width of sqrt(3). Its median there is exp(sqrt(2)) times larger; in the one setting where
        that was tried, noisy Hartmann-6, it came out worse. Beside bends they are shorter, 1 in six
        dimensions, and within a factor of 4 of that, as what a bend explains needs no long scale
        (``docs/gp_ablation.md``). Exponents of the bends: straight lines by their median, as in [2]_.
        Signal: near the targets' variance of 1. Noise: from none (the floor) to a third of the variance
        within two standard deviations, since both kinds of search are common.

        With ``budget`` there is one more column, the resource's, with a median length scale of three decades
        and from one half of a decade to more than twenty within two standard deviations. With ``earlier``
        there is one for the search: by its median the two searches correlate to one half, within two standard
        deviations from not at all to 0.98. Twice the median, or the width,
        gave equal regrets.

        References
        ----------
        .. [1] C. Hvarfner, E. O. Hellsten and L. Nardi, "Vanilla Bayesian optimization performs great in high
           dimensions", ICML 2024, arXiv:2402.02229.
        .. [2] A. I. Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter
           optimisation", JAIR 74, 2022, arXiv:2012.03826.
        """
        mode, width = _LENGTH_BENT if n_bent else _LENGTH
        lengths = [(mode + 0.5 * math.log(d), width)] * d
        lengths += [_CONTEXT_LENGTH] * (budget + earlier)
        mean, sd = np.array([*lengths, *[_BEND] * (2 * n_bent), _SIGNAL, _NOISE]).T
        return cls(mean, sd)


def cholesky(K: np.ndarray) -> np.ndarray:
    """Lower factor of a positive definite K (n, n); zeros above the diagonal.

    Raises
    ------
    numpy.linalg.LinAlgError
        If K is not positive definite to working precision.
    """
    L, info = lapack.dpotrf(K, lower=1, clean=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"The leading minor of order {info} is not positive definite.")
    return L


class MapObjective:
    """Negative log posterior density of theta, up to a constant, and its gradient.

    Parameters
    ----------
    embedding : Embedding
    Phi : ndarray of shape (n, F)
    y : ndarray of shape (n,)
    prior : LogNormalPrior
    """

    def __init__(self, embedding: Embedding, Phi: np.ndarray, y: np.ndarray, prior: LogNormalPrior) -> None:
        self._embedding, self._Phi, self._y, self._prior = embedding, Phi, y, prior
        self._x = embedding.positions(Phi)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient (d + 2 k + 2,) at theta."""
        embedding, y, n, d = self._embedding, self._y, len(self._y), self._embedding.n_columns
        hyper = Hyperparameters.from_theta(theta, d)
        Psi = self._Phi
        if hyper.is_bent:
            bent = bend(self._x, hyper.bends)
            Psi = embedding.moved(Psi, bent)
        w = hyper.lengths[embedding.owner] ** -2.0
        M, dM = matern52(squared_distances(Psi, Psi, w))
        K = hyper.signal * M + MEAN_VARIANCE
        K.flat[:: n + 1] += hyper.noise
        try:
            L = cholesky(K)
        except np.linalg.LinAlgError:
            # The line search steps back from a value that is infinite.
            return np.inf, np.zeros_like(theta)
        alpha = lapack.dpotrs(L, y, lower=1)[0]
        # R&W eq. 5.8, negated.
        value = 0.5 * (y @ alpha) + np.log(L.diagonal()).sum() + 0.5 * n * math.log(2.0 * math.pi)

        # R&W eq. 5.9: d value / d K = (K^-1 - alpha alpha^T) / 2 =: G, symmetric. dpotri fills the lower
        # half, and leaves the zeros in the upper one.
        G = lapack.dpotri(L, lower=1)[0]
        diagonal = G.diagonal().copy()
        G = G + G.T
        G.flat[:: n + 1] = diagonal
        G -= np.outer(alpha, alpha)
        G *= 0.5
        # With S = s G M' the derivative by psi_if is 4 w_f sum_k S_ik (psi_if - psi_kf). As
        # sum_ik S_ik (psi_i - psi_k)^2 = 2 sum_ik psi_i S_ik (psi_i - psi_k), that by log l_j is minus the
        # sum of psi_if times it over i and the features of j.
        S = G * dM
        S *= hyper.signal
        by_feature = 4.0 * w * (S.sum(axis=1)[:, None] * Psi - S @ Psi)
        gradient = np.empty_like(theta)
        gradient[:d] = -embedding.by_column(np.einsum("if,if->f", Psi, by_feature))
        if hyper.is_bent:
            by_position = embedding.by_positions(bent, by_feature)
            gradient[d:-2] = np.nansum(by_position * by_bends(self._x, hyper.bends), axis=1).ravel()
        gradient[-2] = hyper.signal * np.vdot(G, M)
        gradient[-1] = (hyper.noise - NOISE_FLOOR) * G.trace()

        z = (theta - self._prior.mean) / self._prior.sd
        return value + 0.5 * (z @ z), gradient + z / self._prior.sd


def fit(objective: MapObjective, starts: list[np.ndarray], prior: LogNormalPrior) -> tuple[np.ndarray, float]:
    """Theta of the best local minimum found from the starts, and the objective's value there.

    Bounds at six standard deviations of the prior keep the exponentials in range and are out of reach
    otherwise.
    """
    bounds = list(zip(prior.mean - 6.0 * prior.sd, prior.mean + 6.0 * prior.sd, strict=True))
    options = {"maxiter": 100, "gtol": 1e-2}
    found = [
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        for start in starts
    ]
    best = min(found, key=lambda result: result.fun)
    return best.x, float(best.fun)
