"""The update of Hansen's tutorial: from one normal distribution to the next.

Equation numbers are those of the tutorial [1]_ in its second version (2023). ``A`` is the
diagonal scaling of CMA-ES with margin [2]_ and all ones without discrete columns.

Notation
--------
n        : dimension of the normal distribution
lam, mu  : points in a generation, those of them with positive weight
w        : (lam,), recombination weights, best point first: w_plus >= 0 of the first mu, w_minus <= 0
m, sigma : (n,) and scalar, mean and step size
C        : (n, n), covariance matrix; C = B diag(D^2) B^T with B (n, n), D (n,)
p_sigma  : (n,), evolution path of the step size
p_c      : (n,), evolution path of the covariance matrix
A        : (n,), so that x = m + sigma A y with y ~ N(0, C)
Y        : (lam, n), the steps y of a generation, best first
g        : number of generations so far

References
----------
.. [1] N. Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, 2016, 2023.
.. [2] R. Hamano, S. Saito, M. Nomura, S. Shirakawa, "CMA-ES with margin", GECCO 2022.
.. [3] N. Hansen, "Injecting external solutions into CMA-ES", arXiv 1110.4181, 2011.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Constants:
    """What n and lam fix for a whole run; the symbols are the tutorial's."""

    n: int
    lam: int
    mu: int
    w: np.ndarray = field(repr=False)
    mu_eff: float
    c_m: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi_n: float
    c_y: float
    eigen_gap: int


@dataclass(frozen=True)
class State:
    """What evolves; each update makes a new one."""

    m: np.ndarray
    sigma: float
    C: np.ndarray
    p_sigma: np.ndarray
    p_c: np.ndarray
    A: np.ndarray
    B: np.ndarray
    D: np.ndarray
    g: int = 0
    g_eigen: int = 0


def default_population(n: int) -> int:
    """Points in a generation that suffice for a local search in n dimensions (eq. 48)."""
    return 4 + math.floor(3 * math.log(max(n, 1)))


def recombination_weights(lam: int) -> np.ndarray:
    """Raw weights w' (lam,), best first (eq. 49)."""
    return math.log((lam + 1) / 2) - np.log(np.arange(1, lam + 1))


def positive_weights(lam: int) -> np.ndarray:
    """Weights (lam,) of a generation without the negative ones; they have a sum of one."""
    raw = np.maximum(recombination_weights(max(lam, 2))[:lam], 0)
    return raw / raw.sum()


def make_constants(n: int, lam: int) -> Constants:
    """The tutorial's default strategy parameters (its Table 1)."""
    raw = recombination_weights(lam)
    mu = lam // 2
    mu_eff = raw[:mu].sum() ** 2 / (raw[:mu] ** 2).sum()
    mu_eff_minus = raw[mu:].sum() ** 2 / (raw[mu:] ** 2).sum()
    alpha_cov = 2.0

    c_1 = alpha_cov / ((n + 1.3) ** 2 + mu_eff)  # eq. 57
    c_mu = min(
        1 - c_1, alpha_cov * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + alpha_cov * mu_eff / 2)
    )  # eq. 58
    alpha_minus = min(
        1 + c_1 / c_mu,  # eq. 50
        1 + 2 * mu_eff_minus / (mu_eff + 2),  # eq. 51
        (1 - c_1 - c_mu) / (n * c_mu),  # eq. 52
    )
    positive, negative = raw[raw >= 0].sum(), -raw[raw < 0].sum()
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)  # eq. 55
    return Constants(
        n=n,
        lam=lam,
        mu=mu,
        w=np.where(raw >= 0, raw / positive, raw * alpha_minus / negative),  # eq. 53
        mu_eff=mu_eff,
        c_m=1.0,  # eq. 54
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,  # eq. 55
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),  # eq. 56
        c_1=c_1,
        c_mu=c_mu,
        chi_n=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)),
        c_y=math.sqrt(n) + 2 * n / (n + 2),  # [3]_, Table 1
        eigen_gap=max(1, math.floor(1 / (10 * n * (c_1 + c_mu)))),  # section B.2
    )


def make_state(m: np.ndarray, sigma: float, C: np.ndarray | None = None) -> State:
    """A distribution around m, isotropic unless there is a C."""
    n = len(m)
    zeros, ones, eye = np.zeros(n), np.ones(n), np.eye(n)
    state = State(np.array(m, dtype=float), sigma, eye, zeros, zeros, ones, eye, ones)
    return state if C is None or not n else decompose(replace(state, C=C))


def steps(state: State, Z: np.ndarray) -> np.ndarray:
    """Steps y ~ N(0, C) from rows z ~ N(0, I) (eq. 39)."""
    return (Z * state.D) @ state.B.T


def clip_steps(c: Constants, state: State, Y: np.ndarray) -> np.ndarray:
    """Rows of Y no longer than a step of the distribution is.

    Results that come late, and points that were told without being asked, may lie far outside the
    distribution; at full length a single one of them would set mean and step size.
    """
    length = np.sqrt(((Y @ state.B / state.D) ** 2).sum(axis=1))
    return Y * np.minimum(1.0, c.c_y / np.maximum(length, 1e-300))[:, None]


def tied_weights(c: Constants, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights w_plus and w_minus (lam,) of a generation sorted by loss.

    Points of equal loss share theirs: cross-validated accuracies tie often, and an order that they
    do not have would be learned as if it were one. Failures, the NaN at the end, are ties, too.
    """
    w_plus, w_minus = np.maximum(c.w, 0), np.minimum(c.w, 0)
    new = np.append(True, (loss[1:] != loss[:-1]) & ~np.isnan(loss[:-1]))
    if new.all():
        return w_plus, w_minus
    group = np.cumsum(new) - 1
    size = np.bincount(group)
    return (np.bincount(group, w_plus) / size)[group], (np.bincount(group, w_minus) / size)[group]


def update(c: Constants, s: State, Y: np.ndarray, w_plus: np.ndarray, w_minus: np.ndarray) -> State:
    """One generation.

    Parameters
    ----------
    c : Constants
    s : State
    Y : ndarray of shape (lam, n)
        Steps of the points, best first.
    w_plus, w_minus : ndarray of shape (lam,)
        Their weights.

    Returns
    -------
    State
    """
    mu_eff = 1 / (w_plus @ w_plus)
    y_w = w_plus @ Y  # eq. 41
    m = s.m + c.c_m * s.sigma * s.A * y_w  # eq. 42

    Z = Y @ s.B / s.D  # C^(-1/2) y in the rows, but for the rotation B, which keeps lengths
    p_sigma = (1 - c.c_sigma) * s.p_sigma + math.sqrt(c.c_sigma * (2 - c.c_sigma) * mu_eff) * (
        s.B @ (w_plus @ Z)
    )  # eq. 43
    length = math.sqrt(p_sigma @ p_sigma)
    # eq. 44; that sigma grows by e at most is the bound of [3]_.
    sigma = s.sigma * math.exp(min(1.0, c.c_sigma / c.d_sigma * (length / c.chi_n - 1)))

    accumulated = math.sqrt(1 - (1 - c.c_sigma) ** (2 * (s.g + 1)))
    h_sigma = float(length / accumulated < (1.4 + 2 / (c.n + 1)) * c.chi_n)
    p_c = (1 - c.c_c) * s.p_c + h_sigma * math.sqrt(c.c_c * (2 - c.c_c) * mu_eff) * y_w  # eq. 45

    w_circle = w_plus + w_minus * c.n / np.maximum((Z**2).sum(axis=1), 1e-300)  # eq. 46
    delta = (1 - h_sigma) * c.c_c * (2 - c.c_c)
    kept = 1 + c.c_1 * delta - c.c_1 - c.c_mu * (w_plus.sum() + w_minus.sum())
    C = kept * s.C + c.c_1 * np.outer(p_c, p_c) + c.c_mu * (Y.T * w_circle) @ Y  # eq. 47
    s = replace(s, m=m, sigma=sigma, C=C, p_sigma=p_sigma, p_c=p_c, g=s.g + 1)
    return decompose(s) if s.g - s.g_eigen >= c.eigen_gap else s


def decompose(s: State) -> State:
    """The state with B and D brought up to its C."""
    C = (s.C + s.C.T) / 2
    squares, B = np.linalg.eigh(C)
    if squares[0] <= 0:
        # Only rounding makes C indefinite: the weights are bounded against it (eq. 52).
        squares = np.maximum(squares, 1e-20 * squares[-1])
        C = (B * squares) @ B.T
    return replace(s, C=C, B=B, D=np.sqrt(squares), g_eigen=s.g)


def precision(s: State) -> np.ndarray:
    """The inverse of C (n, n), as of the last decomposition."""
    return (s.B / s.D**2) @ s.B.T
