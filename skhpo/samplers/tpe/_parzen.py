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
product of matrices for all columns and kernels, where masses would take two values of Phi for each. Wide
cells do take those, but there are few of them on an axis: kernels and points stand in few different ones.

Notation
--------
d     : number of columns of the space
m     : number of kernels without the prior
c     : number of points at which the density is wanted
p     : number of features in which the logarithm of a kernel is linear
X     : (m, d), the points of the kernels, canonical; NaN where inactive
sigma : (m, d), bandwidths of the ordered columns
b     : (m, d), probability to leave the level, in the categorical columns
w     : (m + 1,), weights of the kernels, that of the prior last; they sum to one
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from skhpo.samplers.tpe._layout import layout_of
from skhpo.space import Space

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_NARROW = 1 / 3
"""Cells up to this part of the narrowest bandwidth of their column have (3) for a mean density. What it
leaves out is h^4 / 1152 (z^2 - 1)^2 and less: 1e-4 at z = 2 and 6e-3 at z = 5."""


def gaussian_mass(z: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Phi(z + half) - Phi(z - half), without cancellation in the tails; narrow cells lose eps / mass.

    On the right Phi is close to one and differences of it cancel, so a cell there is exchanged for the one
    around -z, which has the same mass. Beyond 37 standard deviations it is 0.
    """
    left = -np.abs(z)
    return ndtr(left + half) - ndtr(left - half)


def _log_means(
    x: np.ndarray, width: np.ndarray, mu: np.ndarray, sigma: np.ndarray, Z: np.ndarray
) -> np.ndarray:
    """Logarithm of the mean density of ordinal kernels over cells of any width around x."""
    with np.errstate(divide="ignore"):
        return np.log(gaussian_mass((x - mu) / sigma, 0.5 * width / sigma) / (width * Z))


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different values in each row, numbered through from the first row to the last.

    Returns
    -------
    row, column : ndarray of int
        Where each value stands, or one of the places.
    number : ndarray of int
        Of the value at each place of ``rows``.
    """
    order = np.argsort(rows, axis=1)
    flat = (order + rows.shape[1] * np.arange(len(rows))[:, None]).ravel()
    ascending = rows.take(flat).reshape(rows.shape)
    is_new = np.ones(rows.shape, dtype=bool)
    is_new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    number = np.empty(rows.size, dtype=int)
    number[flat] = is_new.cumsum() - 1
    row, place = np.nonzero(is_new)
    return row, order[row, place], number.reshape(rows.shape)


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
        self._layout = layout_of(space)
        self._active = ~np.isnan(X)
        self._b = bandwidths[:, self._layout.categorical]
        self._own_level = self._layout.levels_of(X)
        self._mu = np.where(self._active & self._layout.is_ordered, X, 0.5)
        self._sigma = np.where(self._layout.is_ordered, bandwidths, 1.0)
        self._narrowest = self._sigma[:, self._layout.ordinal].min(axis=0, initial=np.inf)
        # mu lies in [0, 1], so that one of the two edges is no tail and Z is never small.
        self._cdf_low = ndtr(-self._mu / self._sigma)
        self._Z = ndtr((1 - self._mu) / self._sigma) - self._cdf_low
        self._coefficients = self._linear_coefficients()

    def _linear_coefficients(self) -> np.ndarray:
        """Coefficients (p, m) of the logarithms of the ordered and categorical factors.

        The logarithm of a Gaussian is linear in (x^2, x, 1), what (3) adds to it in these times
        (b - a)^2, that of a table in the indicators of its levels; so the sum of all these
        columns is one product of matrices.
        """
        layout = self._layout
        mu, sigma, Z, active = (
            array.T[layout.ordered] for array in (self._mu, self._sigma, self._Z, self._active)
        )
        precision = active / (sigma * sigma)
        slope = precision * mu
        parts = [-0.5 * precision, slope, -0.5 * slope * mu - active * (np.log(sigma * Z) + _LOG_SQRT_2PI)]
        if len(layout.ordinal):
            mu, precision, slope = (array[layout.n_real :] for array in (mu, precision, slope))
            over_cell = precision / 24
            parts += [over_cell * precision, -2 * over_cell * slope, over_cell * (slope * mu - 1)]
        if len(layout.categorical):
            n_levels, b = layout.n_levels[layout.level_column, None], self._b.T[layout.level_column]
            same = self._own_level.T[layout.level_column] == layout.level[:, None]
            probability = np.where(same, 1 - b, b / np.maximum(n_levels - 1, 1))
            speaks = self._active.T[layout.categorical[layout.level_column]] & (n_levels > 1)
            parts.append(np.log(np.where(speaks, n_levels * probability, 1.0)))
        return np.concatenate(parts)

    def _features(self, X: np.ndarray, width: np.ndarray, is_wide: np.ndarray) -> np.ndarray:
        """What the coefficients are multiplied with (c, p); zero where x is inactive or its cell wide."""
        layout = self._layout
        x = X[:, layout.ordered]
        one = ~np.isnan(x)
        one[:, layout.n_real :] &= ~is_wide
        x = np.where(one, x, 0.0)
        parts = [x * x, x, one]
        if len(layout.ordinal):
            x, one = x[:, layout.n_real :], one[:, layout.n_real :]
            squared_width = np.where(one, width**2, 0.0)
            parts += [x * x * squared_width, x * squared_width, squared_width]
        if len(layout.categorical):
            parts.append(layout.levels_of(X)[:, layout.level_column] == layout.level)
        return np.concatenate(parts, axis=1)

    def log_kernels(self, X: np.ndarray) -> np.ndarray:
        """Logarithm (c, m) of k(x | x_i), equation (1), relative to the prior.

        Parameters
        ----------
        X : ndarray of shape (c, d)
            Canonical points.
        """
        width = self._layout.cell_widths(X)
        is_wide = (width > _NARROW * self._narrowest) & ~np.isnan(X[:, self._layout.ordinal])
        log_k = self._features(X, width, is_wide) @ self._coefficients
        with_wide = np.flatnonzero(is_wide.any(axis=0))
        if len(with_wide):
            j = self._layout.ordinal[with_wide]
            log_k += self._log_masses(j, X.T[j], width.T[with_wide], is_wide.T[with_wide]).T
        return log_k

    def _log_masses(self, j: np.ndarray, x: np.ndarray, width: np.ndarray, is_wide: np.ndarray) -> np.ndarray:
        """Logarithm (m, c) of the product of the ordinal factors of wide cells.

        Columns with wide cells have their kernels in few places and their points in few cells, and a factor
        is worked out once for each place and cell: those of all columns together.

        Parameters
        ----------
        j : ndarray of int of shape (o,)
            The columns that have wide cells.
        x, width, is_wide : ndarray of shape (o, c)
            Their cells: middles, widths, and which are wide.
        """
        mu, sigma, Z, active = (array.T[j] for array in (self._mu, self._sigma, self._Z, self._active))
        m, c = len(self.X), x.shape[1]
        if m <= c:  # For the few good points a search for equals costs more than it spares.
            x, width, is_wide = (array[:, None] for array in (x, width, is_wide))
            mu, sigma, Z, active = (array[:, :, None] for array in (mu, sigma, Z, active))
            return np.where(is_wide & active, _log_means(x, width, mu, sigma, Z), 0.0).sum(axis=0)

        # Where bandwidths are not the same, a complex number stands for the pair of mu and sigma.
        place = mu if (sigma == sigma[:, :1]).all() else mu + 1j * sigma
        place_column, kernel, place_of = _distinct(np.where(active, place, -1.0))
        cell_column, point, cell_of = _distinct(np.where(is_wide, x, -1.0))
        # A table (places, slots): the cells of a column are in the first slots of its places' rows.
        first = np.searchsorted(cell_column, np.arange(len(j)))
        slot = np.arange(len(cell_column)) - first[cell_column]
        point_in = np.zeros((len(j), slot.max() + 1), dtype=int)
        in_use = np.zeros(point_in.shape, dtype=bool)
        point_in[cell_column, slot], in_use[cell_column, slot] = point, is_wide[cell_column, point]
        has_factor = in_use[place_column] & active[place_column, kernel, None]
        row, column = np.nonzero(has_factor)
        at_kernel = place_column[row], kernel[row]
        at_point = place_column[row], point_in[place_column[row], column]
        table = np.zeros(has_factor.shape)
        table[row, column] = _log_means(
            x[at_point], width[at_point], mu[at_kernel], sigma[at_kernel], Z[at_kernel]
        )
        # With all points in a row, so that a kernel takes those of its place in one piece of memory.
        table = np.take_along_axis(table, (cell_of - first[:, None])[place_column], axis=1)
        total = np.zeros((m, c))
        for places in place_of:
            total += table.take(places, axis=0)
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
        categorical, n_levels = self._layout.categorical, self._layout.n_levels
        if len(categorical):
            # One uniform number does both: below b it leaves, and b is cut into equal parts.
            v, b = u[:, categorical], self._b[i]
            step = np.where(v < b, 1 + np.floor(v / np.where(b > 0, b, 1.0) * (n_levels - 1)), 0)
            drawn[:, categorical] = ((self._own_level[i] + step) % n_levels + 0.5) / n_levels
        U[from_kernel] = np.where(self._active[i], drawn, u)
        return self.space.canonical(U)
