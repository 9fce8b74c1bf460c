"""Parzen estimators over a conditional search space.

A Parzen estimator is a mixture of one kernel for each observed point and of the prior.
A kernel is a product over the columns of the space, taken down the tree,

    k(x | x_i) = prod_{j active in x} k_j(x_j | x_ij),                                  (1)
    p(x) = w_0 p_0(x) + sum_i w_i k(x | x_i)                                            (2)

(Watanabe 2023, section 3.3; Bergstra 2011, section 4), so that it is a joint density of all
columns and not a product of marginal ones. In a column in which x_i is inactive its kernel has
nothing to say and is the prior, k_j(. | NaN) = p_0j. Each factor of (1) then integrates to one
given the columns above it in the tree, hence so does (1), and points with different active
columns are weighed by the same mixture: the branches are compared by the kernels of their
choice, the values under a branch by the points that had one there.

All densities are taken with respect to the prior p_0, that is to the uniform distribution of
positions in the unit cube. This makes the columns of all kinds commensurable: p_0 and every
factor in which either point is inactive are exactly 1.

===========  ==================================================================================
kind         k_j(x | mu), relative to the prior
===========  ==================================================================================
real         phi((x - mu) / sigma) / (sigma Z), Z = Phi((1 - mu) / sigma) - Phi(-mu / sigma)
ordinal      the same density averaged over the cell [a, b] of x: its mass over b - a
categorical  L (1 - b) for x = mu, else L b / (L - 1): Aitchison & Aitken 1976, L levels
===========  ==================================================================================

In a cell that is narrow beside sigma, h = (b - a) / sigma, the mean of the density over it is that at its
middle, z = (x - mu) / sigma, times 1 + h^2 (z^2 - 1) / 24 (the second term of Taylor's series), or

    log k_j(x | mu) = log phi(z) - log(sigma Z) + h^2 (z^2 - 1) / 24 + O(h^4),                    (3)

which is linear in the powers of x and b - a, as the logarithm of the real kernel is in those of x: one
product of matrices for all columns and kernels, where masses would take two values of Phi for each.

Notation
--------
d     : number of columns of the space
m     : number of kernels without the prior
c     : number of points at which the density is wanted
X     : (m, d), the points of the kernels, canonical; NaN where inactive
sigma : (m, d), bandwidths of the ordered columns
b     : (m, d), probability to leave the level, in the categorical columns
w     : (m + 1,), weights of the kernels, that of the prior last; they sum to one
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from skhpo.space import Space

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_NARROW = 1 / 3
"""Cells up to this part of the narrowest bandwidth of their column have (3) for a mean density. What it
leaves out is h^4 / 1152 (z^2 - 1)^2 and less: 1e-4 at z = 2 and 6e-3 at z = 5."""


def gaussian_mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Phi(high) - Phi(low), without cancellation in the tails; narrow cells lose eps / mass.

    On the right Phi is close to one and differences of it cancel, so there [low, high] is
    exchanged for [-high, -low], which has the same mass. Beyond 37 standard deviations it is 0.
    """
    right = low + high > 0
    return ndtr(np.where(right, -low, high)) - ndtr(np.where(right, -high, low))


class ParzenEstimator:
    """The mixture (2): a density on the space that can be evaluated and drawn from.

    Parameters
    ----------
    space : Space
    X : ndarray of shape (m, d)
        Points of the kernels, canonical.
    bandwidths : ndarray of shape (m, d)
        sigma in the ordered columns, b in the categorical ones; what stands where a point is
        inactive is ignored as long as it is positive.
    weights : ndarray of shape (m + 1,)
        Weights of the kernels and, last, of the prior; they sum to one.
    """

    def __init__(self, space: Space, X: np.ndarray, bandwidths: np.ndarray, weights: np.ndarray) -> None:
        self.space, self.X, self.weights = space, X, weights
        kinds = np.array(space.kinds)
        self._real = np.flatnonzero(kinds == "real")
        self._ordinal = np.flatnonzero(kinds == "ordinal")
        self._categorical = np.flatnonzero(kinds == "categorical")
        self._active = ~np.isnan(X)
        self._n_levels = np.array([int(space.columns[j].dimension.n_levels) for j in self._categorical], int)
        # One indicator for each level of each categorical column, side by side.
        self._level_column = np.repeat(np.arange(len(self._categorical)), self._n_levels)
        self._level = np.concatenate([np.arange(n) for n in self._n_levels] + [np.empty(0, int)])

        self._b = bandwidths[:, self._categorical]
        self._own_level = self._levels_of(X)
        self._ordered = np.concatenate([self._real, self._ordinal])
        is_ordered = kinds != "categorical"
        self._mu = np.where(self._active & is_ordered, X, 0.5)
        self._sigma = np.where(is_ordered, bandwidths, 1.0)
        self._narrowest = self._sigma[:, self._ordinal].min(axis=0, initial=np.inf)
        # mu lies in [0, 1], so that one of the two edges is no tail and Z is never small.
        self._cdf_low = ndtr(-self._mu / self._sigma)
        self._Z = ndtr((1 - self._mu) / self._sigma) - self._cdf_low
        self._coefficients = self._linear_coefficients()

    def _levels_of(self, X: np.ndarray) -> np.ndarray:
        """Level numbers in the categorical columns; NaN where inactive."""
        return np.minimum(np.floor(X[:, self._categorical] * self._n_levels), self._n_levels - 1)

    def _linear_coefficients(self) -> np.ndarray:
        """Coefficients (p, m) of the logarithms of the ordered and categorical factors.

        The logarithm of a Gaussian is linear in (x^2, x, 1), what (3) adds to it in these times
        (b - a)^2, that of a table in the indicators of its levels; so the sum of all these
        columns is one product of matrices.
        """
        mu, sigma, Z, active = (
            array[:, self._ordered] for array in (self._mu, self._sigma, self._Z, self._active)
        )
        precision = sigma**-2.0
        constant = -0.5 * precision * mu**2 - np.log(sigma * Z) - _LOG_SQRT_2PI
        gaussian = [np.where(active, part, 0.0) for part in (-0.5 * precision, precision * mu, constant)]
        mu, active, precision = (array[:, len(self._real) :] for array in (mu, active, precision))
        over_cell = [
            np.where(active, precision / 24 * part, 0.0)
            for part in (precision, -2 * precision * mu, precision * mu**2 - 1)
        ]
        n_levels, b = self._n_levels[self._level_column], self._b[:, self._level_column]
        same = self._own_level[:, self._level_column] == self._level
        probability = np.where(same, 1 - b, b / np.maximum(n_levels - 1, 1))
        speaks = self._active[:, self._categorical[self._level_column]] & (n_levels > 1)
        table = np.log(np.where(speaks, n_levels * probability, 1.0))
        return np.concatenate([*gaussian, *over_cell, table], axis=1).T

    def _features(self, X: np.ndarray, width: np.ndarray, is_wide: np.ndarray) -> np.ndarray:
        """What the coefficients are multiplied with (c, p); zero where x is inactive or its cell wide."""
        x = X[:, self._ordered]
        one = ~np.isnan(x)
        one[:, len(self._real) :] &= ~is_wide
        x = np.where(one, x, 0.0)
        squared_width = np.where(one[:, len(self._real) :], width**2, 0.0)
        over_cell = x[:, len(self._real) :] * squared_width
        same = self._levels_of(X)[:, self._level_column] == self._level
        return np.concatenate(
            [x * x, x, one, x[:, len(self._real) :] * over_cell, over_cell, squared_width, same], axis=1
        )

    def log_kernels(self, X: np.ndarray) -> np.ndarray:
        """Logarithm (c, m) of k(x | x_i), equation (1), relative to the prior.

        Parameters
        ----------
        X : ndarray of shape (c, d)
            Canonical points.
        """
        low, high = self._cells(X)
        width = high - low
        is_wide = width > _NARROW * self._narrowest
        log_k = self._features(X, width, is_wide) @ self._coefficients
        if is_wide.any():
            log_k += self._log_masses(low, high, is_wide)
        return log_k

    def _cells(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges (c, number of ordinal columns) of the cells; NaN where inactive."""
        x = X[:, self._ordinal]
        low, high = np.empty(x.shape), np.empty(x.shape)
        for position, j in enumerate(self._ordinal.tolist()):
            low[:, position], high[:, position] = self.space.columns[j].dimension.cells(x[:, position])
        return low, high

    def _log_masses(self, low: np.ndarray, high: np.ndarray, is_wide: np.ndarray) -> np.ndarray:
        """Logarithm (c, m) of the product of the ordinal factors of wide cells.

        A column with wide cells has its kernels in few places, of which each is worked out once.
        """
        total = np.zeros((len(low), len(self.X)))
        for position, j in enumerate(self._ordinal.tolist()):
            rows = np.flatnonzero(is_wide[:, position])
            # A complex number stands for a pair: of mu and sigma, on which alone a factor depends.
            place = np.where(self._active[:, j], self._mu[:, j] + 1j * self._sigma[:, j], 0.0)
            _, one, kernel_of = np.unique(place, return_index=True, return_inverse=True)
            a, b = low[rows, position, None], high[rows, position, None]
            mu, sigma, Z = self._mu[one, j], self._sigma[one, j], self._Z[one, j]
            with np.errstate(divide="ignore"):
                log_factor = np.log(gaussian_mass((a - mu) / sigma, (b - mu) / sigma) / ((b - a) * Z))
            log_factor[:, ~self._active[one, j]] = 0.0
            total[rows] += log_factor[:, kernel_of]
        return total

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """Logarithm (c,) of p(x), equation (2), relative to the prior.

        Parameters
        ----------
        X : ndarray of shape (c, d)
            Canonical points.
        """
        with np.errstate(divide="ignore"):
            log_w = np.log(self.weights)
        log_terms = self.log_kernels(X) + log_w[:-1]
        # logsumexp, where the prior's term, log w_0 + log 1, is one more that may be the largest.
        top = np.maximum(log_terms.max(axis=1, initial=-np.inf), log_w[-1])
        return top + np.log(np.exp(log_terms - top[:, None]).sum(axis=1) + np.exp(log_w[-1] - top))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Independent canonical points (n, d) from the mixture.

        The kernel is drawn first and then every column from its factor, so that the choices of
        branches and the values under them come from one observation or, where it is inactive,
        from the prior.
        """
        kernel = rng.choice(len(self.weights), size=n, p=self.weights)
        U = rng.random((n, self.space.d))
        from_kernel = np.flatnonzero(kernel < len(self.X))
        i, u = kernel[from_kernel], U[from_kernel]
        mu, sigma = self._mu[i], self._sigma[i]
        drawn = np.clip(mu + sigma * ndtri(self._cdf_low[i] + u * self._Z[i]), 0.0, 1.0)
        # One uniform number does both: below b it leaves, and b is cut into equal parts.
        v, b = u[:, self._categorical], self._b[i]
        step = np.where(v < b, 1 + np.floor(v / np.where(b > 0, b, 1.0) * (self._n_levels - 1)), 0)
        level = (self._own_level[i] + step) % self._n_levels
        drawn[:, self._categorical] = (level + 0.5) / self._n_levels
        U[from_kernel] = np.where(self._active[i], drawn, u)
        return self.space.canonical(U)
