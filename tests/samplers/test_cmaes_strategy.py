"""Constants and update of CMA-ES against numbers worked by hand from arXiv 1604.00772."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import inv, sqrtm

from skhpo.samplers.cmaes import _strategy

# n = 2, lam = 6. w' = ln 3.5 - ln i = 1.252763, 0.559616, 0.154151, -0.133531, -0.356675, -0.538997.
# Sums: 1.966530 and -1.029203; sums of squares: 1.906345 (1.569415 + 0.313170 + 0.023762) and 0.435566.
# mu_eff = 3.867240 / 1.906346 = 2.028611, mu_eff^- = 1.059259 / 0.435566 = 2.431912.
# c_1 = 2 / (10.89 + 2.028611); c_mu = 2 (0.25 + 2.028611 + 0.492948 - 2) / (16 + 2.028611).
# alpha: 1 + c_1 / c_mu = 2.80873, 1 + 4.863824 / 4.028611 = 2.207321, 0.759592 / 0.171186 = 4.43723.
HAND_2_6 = {
    "mu": 3,
    "mu_eff": 2.028611,
    "c_1": 0.154815,
    "c_mu": 0.085593,
    "c_sigma": 0.446205,  # 4.028611 / 9.028611
    "d_sigma": 1.446205,  # the square root is sqrt(1.028611 / 3) < 1
    "c_c": 0.624555,  # 5.014306 / 8.028611
    "chi_n": 1.254273,  # sqrt(2) (1 - 1/8 + 1/84)
    "c_y": 2.414214,  # sqrt(2) + 4 / 4
}
WEIGHTS_2_6 = [0.637043, 0.284570, 0.078387, -0.286383, -0.764957, -1.155981]


def test_constants_worked_by_hand() -> None:
    c = _strategy.make_constants(2, 6)
    for name, value in HAND_2_6.items():
        assert getattr(c, name) == pytest.approx(value, abs=2e-6), name
    np.testing.assert_allclose(c.w, WEIGHTS_2_6, atol=3e-6)


@pytest.mark.parametrize(
    ("n", "lam"), [(1, 4), (2, 6), (3, 7), (5, 8), (8, 10), (10, 10), (20, 12), (50, 15)]
)
def test_default_population(n: int, lam: int) -> None:
    # 3 ln n = 0, 2.08, 3.30, 4.83, 6.24, 6.91, 8.99, 11.74
    assert _strategy.default_population(n) == lam


@pytest.mark.parametrize("n", [1, 2, 10, 50])
@pytest.mark.parametrize("lam", [2, 3, 8, 15, 1000])
def test_constants_keep_the_covariance_positive(n: int, lam: int) -> None:
    c = _strategy.make_constants(n, lam)
    assert c.w[c.w > 0].sum() == pytest.approx(1)
    assert 0 < c.c_1 + c.c_mu <= 1 + 1e-12
    # Each negative term takes n |w| at most from an eigenvalue, eq. 46 and 52.
    assert 1 - c.c_1 - c.c_mu * c.w.sum() + n * c.c_mu * c.w[c.w < 0].sum() >= -1e-12


def _textbook(c: _strategy.Constants, s: _strategy.State, X: np.ndarray) -> dict[str, np.ndarray | float]:
    """One generation as the tutorial's Figure 6 has it: a loop for each sum, dense square roots."""
    lam, n = X.shape
    root = np.real(inv(sqrtm(s.C)))
    y = [(x - s.m) / s.sigma for x in X]
    y_w = sum(c.w[i] * y[i] for i in range(c.mu))
    m = s.m + s.sigma * y_w
    p_sigma = (1 - c.c_sigma) * s.p_sigma + np.sqrt(c.c_sigma * (2 - c.c_sigma) * c.mu_eff) * root @ y_w
    sigma = s.sigma * np.exp(c.c_sigma / c.d_sigma * (np.linalg.norm(p_sigma) / c.chi_n - 1))
    normalised = np.linalg.norm(p_sigma) / np.sqrt(1 - (1 - c.c_sigma) ** (2 * (s.g + 1)))
    h = 1.0 if normalised < (1.4 + 2 / (n + 1)) * c.chi_n else 0.0
    p_c = (1 - c.c_c) * s.p_c + h * np.sqrt(c.c_c * (2 - c.c_c) * c.mu_eff) * y_w
    C = (1 + c.c_1 * (1 - h) * c.c_c * (2 - c.c_c) - c.c_1 - c.c_mu * sum(c.w)) * s.C
    C = C + c.c_1 * np.outer(p_c, p_c)
    for i in range(lam):
        w = c.w[i] if c.w[i] >= 0 else c.w[i] * n / np.linalg.norm(root @ y[i]) ** 2
        C = C + c.c_mu * w * np.outer(y[i], y[i])
    return {"m": m, "sigma": float(sigma), "C": C, "p_sigma": p_sigma, "p_c": p_c}


def _update(c: _strategy.Constants, s: _strategy.State, X: np.ndarray) -> _strategy.State:
    return _strategy.update(c, s, (X - s.m) / s.sigma, np.maximum(c.w, 0), np.minimum(c.w, 0))


def test_step_size_grows_by_e_at_most() -> None:
    c = _strategy.make_constants(2, 6)
    s = _strategy.make_state(np.zeros(2), 0.1)
    s = _update(c, s, np.full((6, 2), 1e3) + np.eye(6, 2))
    assert s.sigma == pytest.approx(0.1 * np.e)


@pytest.mark.parametrize("far", [False, True])
def test_three_updates_equal_the_textbook(far: bool) -> None:
    c = _strategy.make_constants(2, 6)
    s = _strategy.make_state(np.array([0.4, 0.6]), 0.2)
    rng = np.random.default_rng(3)
    stalled = []
    for _ in range(3):
        X = s.m + s.sigma * (0.5 * rng.standard_normal((6, 2)) + (1.5 if far else 0))
        expected, before = _textbook(c, s, X), s.p_c
        s = _update(c, s, X)
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(s, name), value, rtol=1e-10, err_msg=name)
        stalled.append(np.allclose(s.p_c, (1 - c.c_c) * before))
    assert s.g == 3
    assert any(stalled) == far  # both values of h_sigma were met


def test_first_update_worked_by_hand() -> None:
    # Steps along the axes, best first: e1, 2 e1, e2, -e1, -e2, -2 e1; m = 0, sigma = 1, C = I.
    Y = np.array([[1.0, 0], [2, 0], [0, 1], [-1, 0], [0, -1], [-2, 0]])
    s = _update(_strategy.make_constants(2, 6), _strategy.make_state(np.zeros(2), 1.0), Y)
    # <y>_w = (0.637043 + 2 x 0.284570, 0.078387)
    np.testing.assert_allclose(s.m, [1.206183, 0.078387], atol=3e-6)
    # sqrt(0.446205 x 1.553795 x 2.028611) = 1.185942
    np.testing.assert_allclose(s.p_sigma, [1.430463, 0.092963], atol=5e-6)
    # |p_sigma| = 1.433480; exp(0.446205 / 1.446205 (1.433480 / 1.254273 - 1)) = exp(0.044083)
    assert s.sigma == pytest.approx(1.045069, abs=5e-6)
    # h_sigma: 1.433480 / sqrt(1 - 0.553795^2) = 1.721581 < 2.066667 x 1.254273
    # sqrt(0.624555 x 1.375445 x 2.028611) = 1.320099
    np.testing.assert_allclose(s.p_c, [1.592281, 0.103479], atol=5e-6)
    # sum w = -1.207321; kept = 1 - 0.154815 + 0.085593 x 1.207321 = 0.948523
    # C_11: + 0.154815 x 1.592281^2 + 0.085593 (0.637043 + 4 x 0.284570 - 2 x 0.286383 - 2 x 1.155981)
    # C_22: + 0.154815 x 0.103479^2 + 0.085593 (0.078387 - 2 x 0.764957)
    # C_12: 0.154815 x 1.592281 x 0.103479
    np.testing.assert_allclose(s.C, [[1.246078, 0.025509], [0.025509, 0.825940]], atol=1e-5)


def test_scaling_of_the_margin_only_moves_the_mean() -> None:
    c = _strategy.make_constants(2, 6)
    Y = np.random.default_rng(0).standard_normal((6, 2))
    plain = _strategy.make_state(np.zeros(2), 0.5)
    scaled = _strategy.State(**{**plain.__dict__, "A": np.array([1.0, 3.0])})
    w = np.maximum(c.w, 0), np.minimum(c.w, 0)
    a, b = _strategy.update(c, plain, Y, *w), _strategy.update(c, scaled, Y, *w)
    np.testing.assert_allclose(b.m, a.m * [1, 3])
    np.testing.assert_allclose(b.C, a.C)
    assert b.sigma == a.sigma


def test_steps_have_the_covariance() -> None:
    C = np.array([[2.0, 0.8], [0.8, 0.5]])
    s = _strategy.decompose(_strategy.State(**{**_strategy.make_state(np.zeros(2), 1.0).__dict__, "C": C}))
    Y = _strategy.steps(s, np.eye(2))
    np.testing.assert_allclose(Y.T @ Y, C)
    np.testing.assert_allclose(_strategy.precision(s) @ C, np.eye(2), atol=1e-12)


def test_decomposition_is_lazy_in_high_dimension() -> None:
    # n = 100, lam = 17: 2 / (101.3^2 + 9.1) + 2 (0.25 + 9.1 + 0.11 - 2) / (102^2 + 9.1) = 0.00163
    assert _strategy.make_constants(100, 17).eigen_gap == 1
    # n = 100, lam = 4, mu_eff = 1.6: 2 / 10263.3 + 2 x 0.475 / 10405.6 = 0.00029: 1 / 0.29 = 3.5
    c = _strategy.make_constants(100, 4)
    assert c.eigen_gap == 3
    s = _strategy.make_state(np.zeros(100), 1.0)
    rng = np.random.default_rng(0)
    for g in range(1, 7):
        s = _update(c, s, rng.standard_normal((4, 100)))
        assert s.g_eigen == g - g % 3


def test_rounding_below_zero_is_repaired() -> None:
    s = _strategy.make_state(np.zeros(2), 1.0)
    s = _strategy.decompose(_strategy.State(**{**s.__dict__, "C": np.diag([1.0, -1e-18])}))
    assert (s.D > 0).all()
    np.testing.assert_allclose((s.B * s.D**2) @ s.B.T, s.C)


def test_long_steps_are_clipped_in_their_direction() -> None:
    c = _strategy.make_constants(2, 6)
    s = _strategy.decompose(
        _strategy.State(**{**_strategy.make_state(np.zeros(2), 1.0).__dict__, "C": np.diag([4.0, 1.0])})
    )
    Y = _strategy.clip_steps(c, s, np.array([[100.0, 0], [0, 100], [4, 0], [0, 0]]))
    # c_y = 2.414214 standard deviations; (4, 0) has two
    np.testing.assert_allclose(Y, [[4.828427, 0], [0, 2.414214], [4, 0], [0, 0]], atol=1e-6)


def test_equal_losses_share_their_weights() -> None:
    c = _strategy.make_constants(2, 6)
    plus, minus = _strategy.tied_weights(c, np.array([1.0, 2, 2, 3, np.nan, np.nan]))
    np.testing.assert_allclose(plus, [0.637043, 0.181478, 0.181478, 0, 0, 0], atol=3e-6)
    np.testing.assert_allclose(minus, [0, 0, 0, -0.286383, -0.960469, -0.960469], atol=3e-6)
    plus, minus = _strategy.tied_weights(c, np.zeros(6))
    np.testing.assert_allclose(plus, np.full(6, 1 / 6))
    np.testing.assert_allclose(minus, np.full(6, -2.207321 / 6), atol=1e-6)
