r"""The posterior of a Gaussian process, for many queries at once, with gradients and fantasies.

Notation
--------
n, m, q  : numbers of observations, of pending points, of queries
F, S     : numbers of features, of fantasies
k        : number of ordered columns
Phi      : (q, F), features of queries, or of points that are added
Psi      : the same, bent; (n + m, F) for the observations and pending points
K        : (n + m, n + m), covariance of the noisy observations; L its Cholesky factor
c        : (q, n + m), covariances of queries with observations
mu       : (q, S), posterior means; one column for each fantasy
sigma    : (q,), posterior standard deviations of the noise-free function, the same under all fantasies
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from skhpo.samplers.gp._bending import bend, slope
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._fit import MEAN_VARIANCE, Hyperparameters, cholesky
from skhpo.samplers.gp._kernel import matern52, squared_distances

_JITTERS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""Noise variances that are added in turn until a covariance has a factor."""


def _safe_cholesky(K: np.ndarray) -> np.ndarray:
    """Lower factor of K (n, n), which rounding may have left indefinite.

    Length scales far below the cube's make squared distances of 1e8 and more, with errors above the noise
    floor; a point that is there twice, in part and in full, then seems to differ from itself.
    """
    for jitter in _JITTERS[:-1]:
        try:
            return cholesky(K + jitter * np.eye(len(K)) if jitter else K)
        except np.linalg.LinAlgError:
            continue
    return cholesky(K + _JITTERS[-1] * np.eye(len(K)))


class Posterior:
    """Gaussian process given observations.

    Parameters
    ----------
    embedding : Embedding
    hyper : Hyperparameters
    Phi : ndarray of shape (n, F)
    Y : ndarray of shape (n, S)
        Targets, one column for each fantasy; they may differ in the rows of pending points only,
        but nothing here depends on that.
    """

    def __init__(self, embedding: Embedding, hyper: Hyperparameters, Phi: np.ndarray, Y: np.ndarray) -> None:
        self._embedding, self.hyper = embedding, hyper
        self._w = hyper.lengths[embedding.owner] ** -2.0
        self.Psi, self.Y = self._bent(Phi), Y
        K = self._prior_covariance(self.Psi, self.Psi)
        K.flat[:: len(Phi) + 1] += hyper.noise
        self._finish(_safe_cholesky(K))

    def _finish(self, L: np.ndarray) -> None:
        self.L = L
        self.alpha = lapack.dpotrs(L, self.Y, lower=1)[0]
        # Queries come by the thousand: a product with L^-1 is many times faster than a solve for each, and
        # the noise floor bounds what it loses.
        self._L_inverse = lapack.dtrtri(L, lower=1)[0]

    def _bent(self, Phi: np.ndarray) -> np.ndarray:
        if not self.hyper.is_bent:
            return Phi
        return self._embedding.moved(Phi, bend(self._embedding.positions(Phi), self.hyper.bends))

    def _prior_covariance(self, Psi: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances (q, n) without noise."""
        return self.hyper.signal * matern52(squared_distances(Psi, other, self._w))[0] + MEAN_VARIANCE

    def conditioned(self, Phi: np.ndarray, Y: np.ndarray) -> Posterior:
        """The posterior given m more points (m, F), targets (m, S), by extending the factor in O(n^2 m)."""
        n, m = len(self.Psi), len(Phi)
        other: Posterior = object.__new__(Posterior)
        other._embedding, other.hyper, other._w = self._embedding, self.hyper, self._w
        Psi = self._bent(Phi)
        other.Psi = np.concatenate([self.Psi, Psi])
        other.Y = np.concatenate([np.broadcast_to(self.Y, (n, Y.shape[1])), Y])
        # [L 0; C^T D] with L C = K12 and D D^T = K22 - C^T C.
        C = self._L_inverse @ self._prior_covariance(self.Psi, Psi)
        K22 = self._prior_covariance(Psi, Psi)
        K22.flat[:: m + 1] += self.hyper.noise
        L = np.zeros((n + m, n + m))
        L[:n, :n], L[n:, :n] = self.L, C.T
        L[n:, n:] = _safe_cholesky(K22 - C.T @ C)
        other._finish(L)
        return other

    def __call__(self, Phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (q, S) and standard deviation (q,) at features (q, F): R&W eq. 2.25 and 2.26."""
        c = self._prior_covariance(self._bent(Phi), self.Psi)
        V = c @ self._L_inverse.T
        return c @ self.alpha, self._deviation(np.einsum("ij,ij->i", V, V))

    def with_gradients(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean (q, S), deviation (q,), and their gradients (q, S, d), (q, d), at points X (q, d)."""
        embedding, bends = self._embedding, self.hyper.bends
        x = bent = X[:, embedding.ordered]
        Psi = embedding.features(X)
        if self.hyper.is_bent:
            bent = bend(x, bends)
            Psi = embedding.moved(Psi, bent)
        M, dM = matern52(squared_distances(Psi, self.Psi, self._w))
        c = self.hyper.signal * M + MEAN_VARIANCE
        V = c @ self._L_inverse.T
        sigma = self._deviation(np.einsum("ij,ij->i", V, V))
        # d c(x, x_i) / d psi = s M'(r^2) 2 w (psi - psi_i), so that sum_i a_i d c_i / d psi
        # = 2 s w (psi sum_i a_i M'_i - sum_i a_i M'_i psi_i).
        S = self.alpha.shape[1]
        A = np.empty((len(X), S + 1, len(self.Psi)))
        A[:, :S] = self.alpha.T
        A[:, S] = V @ self._L_inverse
        A *= dM[:, None, :]
        by_feature = A.sum(axis=2)[..., None] * Psi[:, None, :] - A @ self.Psi
        by_feature *= 2.0 * self.hyper.signal * self._w
        by_position = embedding.by_positions(bent[:, None], by_feature)
        if self.hyper.is_bent:
            by_position *= np.nan_to_num(slope(x, bends))[:, None]
        gradients = np.zeros((len(X), S + 1, X.shape[1]))
        gradients[..., embedding.ordered] = by_position
        # d sigma^2 = -2 (K^-1 c) dc and d sigma = d sigma^2 / (2 sigma).
        return c @ self.alpha, sigma, gradients[:, :-1], -gradients[:, -1] / sigma[:, None]

    def _deviation(self, explained: np.ndarray) -> np.ndarray:
        # Rounding may leave nothing, or less, of a variance far below the noise.
        variance = self.hyper.signal + MEAN_VARIANCE - explained
        return np.sqrt(np.maximum(variance, 1e-12 * self.hyper.signal))

    def sample(self, Phi: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Noisy observations (m, S) at features (m, F) drawn jointly with standard normals (m, S)."""
        Psi = self._bent(Phi)
        c = self._prior_covariance(Psi, self.Psi)
        V = self._L_inverse @ c.T
        K = self._prior_covariance(Psi, Psi) - V.T @ V
        K.flat[:: len(Phi) + 1] += self.hyper.noise
        return c @ self.alpha + _safe_cholesky(K) @ normals
