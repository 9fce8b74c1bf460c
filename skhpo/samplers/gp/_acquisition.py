r"""What a point is worth to the search, given the posterior there; all are maximised.

Notation
--------
q, S, d : numbers of queries, of fantasies, of columns
f       : (S,), incumbent: the least target, fantasies included
mu      : (q, S), posterior means
sigma   : (q,), posterior standard deviations
z       : (q, S), (f - mu) / sigma
h(z)    : phi(z) + z Phi(z), so that EI = sigma h(z)

Each function is given by its value and its derivatives by mu and sigma; the chain rule does the rest in one
place.

References
----------
.. [1] S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS
   2023, arXiv:2310.20708.
.. [2] N. Srinivas et al., "Gaussian process optimization in the bandit setting", ICML 2010, arXiv:0912.3995.
.. [3] J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian optimization of machine learning
   algorithms", NeurIPS 2012, arXiv:1206.2944.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._posterior import Posterior

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

Values = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Value (q,), derivative by mu (q, S), derivative by sigma (q,)."""


_FAR = 50.0
"""Where log h changes to its series: what cancels before is 1e-16 z^2 = 2.5e-13, what the series leaves out
beyond is 10395 / z^10 = 1e-13."""


def log_h(z: np.ndarray) -> np.ndarray:
    """Logarithm of h(z) = phi(z) + z Phi(z), right to the last digits for every z; compare [1]_, eq. 9."""
    z = np.asarray(z, dtype=float)
    near, far = z > -1.0, z < -_FAR
    result = np.empty_like(z)
    for part, formula in ((near, _log_h_near), (~(near | far), _log_h_middle), (far, _log_h_far)):
        if part.all():
            return formula(z)
        if part.any():
            result[part] = formula(z[part])
    return result


def _log_h_near(z: np.ndarray) -> np.ndarray:
    return np.log(_phi(z) + z * ndtr(z))


def _log_h_middle(z: np.ndarray) -> np.ndarray:
    # h = phi (1 - t) with t = |z| Phi(z) / phi(z) = |z| sqrt(pi / 2) erfcx(|z| / sqrt(2)).
    t = -z * math.sqrt(0.5 * math.pi) * erfcx(-z * math.sqrt(0.5))
    return -0.5 * z**2 - _LOG_SQRT_2PI + np.log1p(-t)


def _log_h_far(z: np.ndarray) -> np.ndarray:
    # 1 - t = u (1 - 3 u + 15 u^2 - 105 u^3 + 945 u^4 - ...), u = 1 / z^2.
    u = z**-2.0
    series = u * (-3.0 + u * (15.0 + u * (-105.0 + u * 945.0)))
    return -0.5 * z**2 - _LOG_SQRT_2PI - 2.0 * np.log(-z) + np.log1p(series)


def _phi(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z**2 - _LOG_SQRT_2PI)


def _log_mean_exp(each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm (q,) of the mean over fantasies of exp(each) (q, S), and each one's share (q, S) in it."""
    # The usual case, in the innermost loop of the search for the next point.
    if each.shape[1] == 1:
        return each[:, 0], np.ones_like(each)
    largest = each.max(axis=1, keepdims=True)
    share = np.exp(each - largest)
    total = share.sum(axis=1, keepdims=True)
    return (largest + np.log(total / each.shape[1]))[:, 0], share / total


def log_ei(mu: np.ndarray, sigma: np.ndarray, f: np.ndarray) -> Values:
    """Logarithm of expected improvement, averaged over fantasies before the logarithm is taken."""
    z = (f - mu) / sigma[:, None]
    each = log_h(z)
    log_mean, share = _log_mean_exp(each)
    share /= sigma[:, None]
    # d log h / d z = Phi / h, and h - z Phi = phi.
    by_mu = -share * np.exp(log_ndtr(z) - each)
    by_sigma = (share * np.exp(-0.5 * z**2 - _LOG_SQRT_2PI - each)).sum(axis=1)
    return np.log(sigma) + log_mean, by_mu, by_sigma


def ei(mu: np.ndarray, sigma: np.ndarray, f: np.ndarray) -> Values:
    """Expected improvement, averaged over fantasies as in [3]_."""
    z = (f - mu) / sigma[:, None]
    S = z.shape[1]
    return sigma * np.exp(log_h(z)).mean(axis=1), -ndtr(z) / S, _phi(z).mean(axis=1)


def log_pi(mu: np.ndarray, sigma: np.ndarray, f: np.ndarray) -> Values:
    """Logarithm of the probability of improvement: the same maximiser, and no underflow."""
    z = (f - mu) / sigma[:, None]
    each = log_ndtr(z)
    log_mean, share = _log_mean_exp(each)
    # d log Phi / d z = phi / Phi.
    by_mu = -share * np.exp(-0.5 * z**2 - _LOG_SQRT_2PI - each) / sigma[:, None]
    return log_mean, by_mu, (by_mu * z).sum(axis=1)


def ucb(mu: np.ndarray, sigma: np.ndarray, kappa: float) -> Values:
    """Upper confidence bound of minus the target [2]_.

    Under fantasies sigma is what knows of pending points; the mean over their outcomes is the mean
    without them, up to the noise of sampling.
    """
    S = mu.shape[1]
    return kappa * sigma - mu.mean(axis=1), np.full(mu.shape, -1.0 / S), np.full(sigma.shape, kappa)


@dataclass(frozen=True)
class Acquisition:
    """An acquisition function over positions.

    Attributes
    ----------
    embedding : Embedding
    posterior : Posterior
    utility : callable
        ``(mu, sigma) -> Values``.
    """

    embedding: Embedding
    posterior: Posterior
    utility: Callable[[np.ndarray, np.ndarray], Values]

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Values (q,) at canonical points X (q, d)."""
        return self.utility(*self.posterior(self.embedding.features(X)))[0]

    def with_gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (q,) and gradients (q, d); zero in categorical and inactive columns."""
        mu, sigma, d_mu, d_sigma = self.posterior.with_gradients(X)
        value, by_mu, by_sigma = self.utility(mu, sigma)
        return value, np.einsum("qs,qsd->qd", by_mu, d_mu) + by_sigma[:, None] * d_sigma
