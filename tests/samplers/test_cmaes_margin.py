"""The margin of CMA-ES with margin, hidden steps, and the categorical distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, truncnorm

from skhpo.samplers.cmaes import _categorical
from skhpo.samplers.cmaes._margin import complete, truncated_normal, with_margin

INF = np.inf


def _sides(m: np.ndarray, s: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return norm.cdf(low, m, s), norm.sf(high, m, s)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_every_neighbouring_level_keeps_its_probability(alpha: float) -> None:
    rng = np.random.default_rng(0)
    edges = np.linspace(0, 1, 11)
    m, s = rng.uniform(-0.3, 1.3, 500), 10 ** rng.uniform(-6, 1, 500)
    cell = np.clip(np.floor(m * 10), 0, 9).astype(int)
    low = np.where(cell == 0, -INF, edges[cell])
    high = np.where(cell == 9, INF, edges[cell + 1])
    p_low, p_up = _sides(*with_margin(m, s, low, high, alpha), low, high)
    inner = (cell > 0) & (cell < 9)
    assert (p_low[inner] >= alpha / 2 - 1e-8).all() and (p_up[inner] >= alpha / 2 - 1e-8).all()
    assert (p_up[cell == 0] >= alpha - 1e-8).all()
    assert (p_low[cell == 9] >= alpha - 1e-8).all()


def test_margin_worked_by_hand() -> None:
    # Cell [0.4, 0.6], alpha = 0.1. First, s = 0.01 in the middle: both sides are raised to 0.05,
    # so s = 0.2 / (2 x 1.644854). Second, m = 0.59 and s = 0.05: p_low = Phi(-3.8) = 7.235e-5 -> 0.05,
    # p_up = Phi(-0.2) = 0.420740, p_mid = 0.579187;
    # p_up'' = 0.420740 - 0.049928 / 0.899928 x 0.370740 = 0.400172,
    # whose quantile is 0.252903: s = 0.2 / (1.644854 + 0.252903), m = 0.4 + 1.644854 s.
    # Third, m = 0.5, s = 1: nothing to do.
    m, s = np.array([0.5, 0.59, 0.5]), np.array([0.01, 0.05, 1.0])
    m, s = with_margin(m, s, np.full(3, 0.4), np.full(3, 0.6), 0.1)
    np.testing.assert_allclose(s, [0.060796, 0.105388, 1.0], atol=2e-6)
    np.testing.assert_allclose(m, [0.5, 0.573348, 0.5], atol=2e-6)


def test_binary_column_by_hand() -> None:
    # alpha = 0.1: the mean stays within 1.281552 standard deviations of the threshold 0.5.
    m, s = with_margin(np.array([0.1, 0.45]), np.full(2, 0.1), np.full(2, -INF), np.full(2, 0.5), 0.1)
    np.testing.assert_allclose(m, [0.371845, 0.45], atol=1e-6)
    np.testing.assert_allclose(s, 0.1)


def test_arguments_are_left_alone() -> None:
    m, s = np.array([0.5]), np.array([1e-3])
    with_margin(m, s, np.array([0.4]), np.array([0.6]), 0.1)
    assert m[0] == 0.5 and s[0] == 1e-3


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.3), (1.0, INF), (-INF, -2.0), (5.0, 5.5), (-INF, INF)])
def test_truncated_normal_has_scipys_moments(low: float, high: float) -> None:
    n = 20_000
    draws = truncated_normal(
        np.full(n, 0.2), np.full(n, 0.7), np.full(n, low), np.full(n, high), np.random.default_rng(1)
    )
    expected = truncnorm((low - 0.2) / 0.7, (high - 0.2) / 0.7, 0.2, 0.7)
    assert ((draws >= low) & (draws <= high)).all()
    assert draws.mean() == pytest.approx(expected.mean(), abs=5 * expected.std() / np.sqrt(n))
    assert draws.std() == pytest.approx(expected.std(), rel=0.05)


def test_truncated_normal_in_the_far_tails_is_finite() -> None:
    draws = truncated_normal(
        np.zeros(4),
        np.ones(4),
        np.array([50.0, -INF, 1e6, -60.0]),
        np.array([INF, -50.0, 2e6, -59.0]),
        np.random.default_rng(0),
    )
    assert np.isfinite(draws).all()
    np.testing.assert_allclose(draws, [50, -50, 1e6, -59], rtol=0.02)


def test_hidden_steps_follow_the_distribution_given_what_is_known() -> None:
    # Column 0 known to be 1.5; column 1 unknown: mean rho 1.5 and variance 1 - rho^2.
    n, rho = 20_000, 0.8
    C = np.array([[1.0, rho], [rho, 1.0]])
    low, high = np.tile([1.5, -INF], (n, 1)), np.tile([1.5, INF], (n, 1))
    Y = complete(low, high, C, np.linalg.inv(C), np.random.default_rng(0))
    assert (Y[:, 0] == 1.5).all()
    assert Y[:, 1].mean() == pytest.approx(1.2, abs=0.02)
    assert Y[:, 1].var() == pytest.approx(0.36, rel=0.05)


def test_hidden_steps_of_neutral_selection_keep_the_covariance() -> None:
    # What a column's cells do not tell is made up in such a way that the update is not biased.
    n, rho = 20_000, 0.6
    C = np.array([[1.0, rho], [rho, 2.0]])
    y = multivariate_normal(np.zeros(2), C, seed=0).rvs(n)
    cell = np.floor(y[:, 1])
    low = np.column_stack([y[:, 0], cell])
    high = np.column_stack([y[:, 0], cell + 1])
    Y = complete(low, high, C, np.linalg.inv(C), np.random.default_rng(1))
    assert ((Y >= low) & (Y <= high)).all()
    np.testing.assert_allclose(Y.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(Y.T), C, atol=0.06)


def test_categorical_update_by_hand() -> None:
    # Weights 0.6, 0.3, 0.1; choices 2, 0, 2: shares (0.3, 0, 0.7). Half way: (0.3167, 0.1667, 0.5167).
    q = _categorical.update(np.full(3, 1 / 3), np.array([2.0, 0, 2]), np.array([0.6, 0.3, 0.1]), 0.0)
    eta = _categorical.ETA
    np.testing.assert_allclose(q, (1 - eta) / 3 + eta * np.array([0.3, 0, 0.7]))


def test_inactive_points_do_not_move_a_categorical_column() -> None:
    q = np.array([0.5, 0.3, 0.2])
    w = np.array([0.6, 0.3, 0.1])
    np.testing.assert_allclose(_categorical.update(q, np.full(3, np.nan), w, 0.01), q)
    half = _categorical.update(q, np.array([np.nan, 0.0, np.nan]), w, 0.01)
    np.testing.assert_allclose(half, q + _categorical.ETA * 0.3 * (np.array([1.0, 0, 0]) - q))


@pytest.mark.parametrize("K", [2, 3, 10])
@pytest.mark.parametrize("n_columns", [1, 4])
def test_categorical_margin(K: int, n_columns: int) -> None:
    q_min = _categorical.least_probability(K, n_columns)
    # All favourites together keep probability 0.73, as in CatCMA.
    assert (1 - (K - 1) * q_min) ** n_columns == pytest.approx(0.73)
    q = np.full(K, 1 / K)
    for _ in range(200):
        q = _categorical.update(q, np.zeros(4), np.full(4, 0.25), q_min)
        assert q.sum() == pytest.approx(1) and q.min() >= q_min - 1e-12
    assert q[0] == pytest.approx(1 - (K - 1) * q_min)


def test_categorical_draws_have_their_probabilities() -> None:
    q = np.array([0.6, 0.3, 0.1])
    draws = _categorical.sample(q, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(draws, minlength=3) / 20_000, q, atol=0.015)
