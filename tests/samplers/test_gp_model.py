"""Parts of the Gaussian-process sampler against textbook results, finite differences and stored digits."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime, check_grad
from scipy.special import kv

from skhpo.samplers.gp import _acquisition
from skhpo.samplers.gp._acquisition import Acquisition, log_h
from skhpo.samplers.gp._bending import bend, by_bends, slope
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._fit import (
    MEAN_VARIANCE,
    NOISE_FLOOR,
    Hyperparameters,
    LogNormalPrior,
    MapObjective,
    fit,
)
from skhpo.samplers.gp._kernel import matern52, squared_distances
from skhpo.samplers.gp._optimize import local_search, minimise_in_box
from skhpo.samplers.gp._posterior import Posterior
from skhpo.samplers.gp._transforms import capped, power_transformed, standardised, targets, yeo_johnson
from skhpo.space._dimensions import Categorical, Integer, Real
from skhpo.space._space import Column, Space

SPACE = Space(
    [
        Column("model", Categorical(["a", "b", "c"])),
        Column("x", Real(0.0, 1.0)),
        Column("n", Integer(1, 9)),
        Column("C", Real(0.0, 1.0), parent=0, branches=frozenset({0, 1})),
        Column("flag", Categorical([True, False]), parent=0, branches=frozenset({1})),
    ]
)
"""A mixed and conditional space; column 3 is a circle of the embedding, 4 has an inactive level."""

THETA = np.log([0.9, 0.4, 1.3, 0.7, 2.0, 1.7, 0.01])
BENT = np.concatenate([THETA[:5], np.log([0.6, 1.9, 0.5, 2.2, 0.8, 1.4]), THETA[5:]])
"""The same with exponents: the columns x, n and C are bent."""


def points(n, seed=0):
    return SPACE.canonical(np.random.default_rng(seed).random((n, SPACE.d)))


def distance2(a, b, j):
    """Squared distance of two positions in column j, from its definition and not from the embedding."""
    if np.isnan(a) and np.isnan(b):
        return 0.0
    if np.isnan(a) or np.isnan(b):
        return 1.0
    if SPACE.kinds[j] == "categorical":
        return float(a != b)
    return (2.0 * np.sin(0.5 * (a - b))) ** 2 if j == 3 else (a - b) ** 2


def bent_by_hand(X, hyper):
    X = X.copy()
    for i, j in enumerate((1, 2, 3) if hyper.bends.size else ()):
        a, b = np.exp(hyper.bends[:, i])
        X[:, j] = 1.0 - (1.0 - X[:, j] ** a) ** b
    return X


def dense_kernel(A, B, hyper):
    """Rasmussen & Williams eq. 4.14 with nu = 5/2, by Bessel functions, plus the constant mean's variance."""
    K = np.empty((len(A), len(B)))
    A, B = bent_by_hand(A, hyper), bent_by_hand(B, hyper)
    for i, a in enumerate(A):
        for k, b in enumerate(B):
            r2 = sum(distance2(a[j], b[j], j) / hyper.lengths[j] ** 2 for j in range(SPACE.d))
            z = np.sqrt(5.0 * r2)
            K[i, k] = 1.0 if z < 1e-9 else 2**-1.5 / 1.3293403881791370 * z**2.5 * kv(2.5, z)  # Gamma(5/2)
    return hyper.signal * K + MEAN_VARIANCE


@pytest.fixture(params=["straight", "bent"])
def model(request):
    X = points(14)
    y = np.random.default_rng(1).standard_normal(14)
    embedding = Embedding(SPACE)
    hyper = Hyperparameters.from_theta(BENT if request.param == "bent" else THETA, SPACE.d)
    return X, y, embedding, hyper, Posterior(embedding, hyper, embedding.features(X), y[:, None])


def test_posterior_against_the_textbook(model):
    X, y, embedding, hyper, posterior = model
    Q = points(9, seed=2)
    K = dense_kernel(X, X, hyper) + hyper.noise * np.eye(14)
    k = dense_kernel(Q, X, hyper)
    mean = k @ np.linalg.inv(K) @ y  # R&W eq. 2.23
    covariance = dense_kernel(Q, Q, hyper) - k @ np.linalg.inv(K) @ k.T  # eq. 2.24
    mu, sigma = posterior(embedding.features(Q))
    # Positions are kept 1e-6 from the edges before they are bent.
    rtol, atol = (1e-4, 1e-5) if hyper.is_bent else (1e-9, 1e-12)
    np.testing.assert_allclose(mu[:, 0], mean, rtol=rtol, atol=atol)
    np.testing.assert_allclose(sigma**2, covariance.diagonal(), rtol=rtol)
    draws = posterior.sample(embedding.features(Q), np.eye(9)) - mean[:, None]
    np.testing.assert_allclose(
        draws @ draws.T, covariance + hyper.noise * np.eye(9), rtol=10 * rtol, atol=1e-5
    )


def test_the_noise_floor_leaves_the_deviation_four_digits():
    # Sixty points of a smooth function within a hundredth of its length scale and no noise: K is as near to
    # singular as it gets.
    space = Space([Column("x", Real(0.0, 1.0))])
    embedding, hyper = Embedding(space), Hyperparameters(np.array([1.0]), 1.0, 1e-8)
    X = (0.4 + np.arange(60) / 59 / 100)[:, None]
    posterior = Posterior(embedding, hyper, embedding.features(X), np.sin(X))
    mu, sigma = posterior(embedding.features(np.array([[0.4055]])))
    # mpmath, 40 digits, by solving the dense system.
    assert sigma[0] == pytest.approx(1.74512024411e-5, rel=1e-4)
    assert mu[0, 0] == pytest.approx(0.394478183767954, rel=1e-8)
    assert hyper.noise == NOISE_FLOOR


def prior_and_theta(hyper):
    """The prior that suits a model, and what its hyperparameters were."""
    n_bent = hyper.bends.shape[1]
    return LogNormalPrior.for_columns(SPACE.d, n_bent=n_bent), BENT if n_bent else THETA


def test_likelihood_against_the_textbook(model):
    X, y, embedding, hyper, _ = model
    prior, theta = prior_and_theta(hyper)
    K = dense_kernel(X, X, hyper) + hyper.noise * np.eye(14)
    # R&W eq. 2.30, as a density of scipy's.
    expected = -stats.multivariate_normal.logpdf(y, cov=K)
    expected -= stats.norm.logpdf(theta, prior.mean, prior.sd).sum()
    constant = np.log(np.sqrt(2 * np.pi) * prior.sd).sum()
    value, _ = MapObjective(embedding, embedding.features(X), y, prior)(theta)
    assert value + constant == pytest.approx(expected, rel=1e-5 if hyper.is_bent else 1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_gradient_of_the_map_objective(model, seed):
    X, y, embedding, hyper, _ = model
    prior, theta = prior_and_theta(hyper)
    objective = MapObjective(embedding, embedding.features(X), y, prior)
    theta = theta + np.random.default_rng(seed).standard_normal(len(theta))
    numeric = approx_fprime(theta, lambda t: objective(t)[0], 1e-6)
    np.testing.assert_allclose(objective(theta)[1], numeric, rtol=1e-4, atol=1e-4)


def test_fit_ends_where_the_gradient_does(model):
    X, y, embedding, hyper, _ = model
    prior, _ = prior_and_theta(hyper)
    objective = MapObjective(embedding, embedding.features(X), y, prior)
    theta, value = fit(objective, prior.starts(), prior)
    assert np.abs(objective(theta)[1]).max() < 0.05
    assert value == objective(theta)[0] < objective(prior.mean)[0]


def test_length_scales_tell_relevant_columns_from_others():
    space = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(3)])
    X = np.random.default_rng(0).random((40, 3))
    prior, embedding = LogNormalPrior.for_columns(3), Embedding(space)
    objective = MapObjective(embedding, embedding.features(X), standardised(np.sin(9.0 * X[:, 1])), prior)
    hyper = Hyperparameters.from_theta(fit(objective, prior.starts(), prior)[0], 3)
    assert hyper.lengths[1] < 0.2 * min(hyper.lengths[0], hyper.lengths[2])
    assert hyper.noise < 1e-3


def test_bends_are_kumaraswamys_distribution_function():
    x = np.linspace(0.0, 1.0, 41)[:, None]
    # One exponent alone is a beta distribution, both together the inverse of how it is drawn from.
    for a, b, expected in (
        (0.4, 1.0, stats.beta.cdf(x, 0.4, 1.0)),
        (1.0, 2.7, stats.beta.cdf(x, 1.0, 2.7)),
    ):
        np.testing.assert_allclose(bend(x, np.log([[a], [b]])), expected, atol=5e-3 if a < 1 else 1e-5)
        np.testing.assert_allclose(bend(x[1:], np.log([[a], [b]])), expected[1:], atol=1e-5)
    a, b = 1.8, 0.6
    drawn = (1.0 - (1.0 - x) ** (1.0 / b)) ** (1.0 / a)
    np.testing.assert_allclose(bend(drawn, np.log([[a], [b]])), x, atol=4e-4)
    np.testing.assert_allclose(bend(x, np.zeros((2, 1))), x, atol=1.1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_derivatives_of_bends(seed):
    rng = np.random.default_rng(seed)
    x, bends = rng.uniform(0.01, 0.99, (6, 2)), rng.normal(0.0, 1.0, (2, 2))
    h = 1e-6
    np.testing.assert_allclose(
        slope(x, bends), (bend(x + h, bends) - bend(x - h, bends)) / (2.0 * h), rtol=1e-5, atol=1e-8
    )
    for which in range(2):
        step = h * np.eye(2)[which][:, None]
        numeric = (bend(x, bends + step) - bend(x, bends - step)) / (2.0 * h)
        np.testing.assert_allclose(by_bends(x, bends)[which], numeric, rtol=1e-5, atol=1e-8)


def test_bends_are_finite_at_the_edges_for_all_exponents_that_a_fit_may_try():
    x = np.array([[0.0], [1e-12], [0.5], [1.0 - 1e-12], [1.0]])
    for log_a in (-5.3, 0.0, 5.3):
        for log_b in (-5.3, 0.0, 5.3):
            bends = np.array([[log_a], [log_b]])
            w = bend(x, bends)
            assert (np.diff(w, axis=0) >= 0.0).all() and 0.0 <= w.min() <= w.max() <= 1.0
            assert np.isfinite(slope(x, bends)).all() and np.isfinite(by_bends(x, bends)).all()


def test_positions_are_read_off_features_and_written_back():
    X, embedding = points(30, seed=6), Embedding(SPACE)
    Phi = embedding.features(X)
    x = embedding.positions(Phi)
    np.testing.assert_allclose(x, X[:, embedding.ordered], atol=1e-15)
    moved = embedding.moved(Phi, 0.5 * x)
    halved = X.copy()
    halved[:, embedding.ordered] *= 0.5
    np.testing.assert_allclose(moved, embedding.features(halved), atol=1e-15)
    np.testing.assert_allclose(embedding.moved(moved, x), Phi, atol=1e-15)


def test_a_column_that_matters_at_one_end_is_bent_there():
    space = Space([Column("x", Real(0.0, 1.0))])
    X = np.linspace(0.0, 1.0, 30)[:, None]
    prior, embedding = LogNormalPrior.for_columns(1, n_bent=1), Embedding(space)
    for end, sign in ((X[:, 0], 1), (1.0 - X[:, 0], -1)):
        y = standardised(np.exp(-20.0 * end) * np.sin(30.0 * end))
        theta, value = fit(MapObjective(embedding, embedding.features(X), y, prior), prior.starts(), prior)
        bends = Hyperparameters.from_theta(theta, 1).bends
        near, far = slope(np.array([[0.05], [0.95]])[::sign], bends)[:, 0]
        assert near > 3.0 * far
        straight = LogNormalPrior.for_columns(1)
        objective = MapObjective(embedding, embedding.features(X), y, straight)
        assert value < fit(objective, straight.starts(), straight)[1] - 3.0


@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_is_positive_definite_on_mixed_conditional_points(seed):
    rng = np.random.default_rng(seed)
    embedding = Embedding(SPACE)
    Phi = embedding.features(np.unique(points(120, seed), axis=0))
    w = np.exp(rng.normal(0.0, 2.0, SPACE.d))[embedding.owner]
    K = matern52(squared_distances(Phi, Phi, w))[0]
    assert np.linalg.eigvalsh(K).min() > -1e-12


def test_extension_of_the_factor_equals_a_new_one(model):
    X, _, embedding, hyper, posterior = model
    Phi, Y = embedding.features(points(5, seed=3)), np.random.default_rng(4).standard_normal((5, 7))
    extended = posterior.conditioned(Phi, Y)
    afresh = Posterior(
        embedding,
        hyper,
        np.concatenate([embedding.features(X), Phi]),
        np.concatenate([np.repeat(posterior.Y, 7, axis=1), Y]),
    )
    Q = embedding.features(points(6, seed=5))
    for got, expected in zip(extended(Q), afresh(Q), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


# mpmath 1.3, 80 digits: log(npdf(z) + z ncdf(z)), for z = -1e3 and -1e6 by its asymptotic series to 1 / z^12.
LOG_H = [
    (-1e6, -500000000028.54995965),
    (-1e3, -500014.73445209115845),
    (-100.0, -5010.1295788002497923),
    (-50.5, -1283.8890599507248021),
    (-49.5, -1233.8491064929735204),
    (-40.0, -808.29856835661996024),
    (-10.0, -55.553122036122355927),
    (-3.0, -7.8696860596030285171),
    (-1.0001, -2.4853114564458833408),
    (-0.9999, -2.4849306021991762998),
    (0.0, -0.91893853320467274178),
    (0.5, -0.35982768374506381859),
    (3.0, 1.0987396653277077727),
    (10.0, 2.302585092994045684),
]


@pytest.mark.parametrize(("z", "expected"), LOG_H)
def test_log_ei_against_high_precision_values(z, expected):
    assert log_h(np.array([z]))[0] == pytest.approx(expected, rel=2e-15, abs=1e-12)


def test_log_ei_of_a_hopeless_point_is_finite_and_right():
    mu, sigma, f = np.array([[41.0]]), np.array([0.5]), np.array([21.0])
    value, by_mu, by_sigma = _acquisition.log_ei(mu, sigma, f)
    assert value[0] == pytest.approx(np.log(0.5) - 808.29856835661996024, rel=1e-14)
    # mpmath: Phi(-40) / h(-40) and phi(-40) / h(-40).
    assert by_mu[0, 0] == pytest.approx(-40.049906657648518193 / 0.5, rel=1e-9)
    assert by_sigma[0] == pytest.approx(1602.9962663059407277 / 0.5, rel=1e-9)


def test_ei_pi_and_ucb_against_scipy():
    rng = np.random.default_rng(0)
    mu, sigma, f = rng.standard_normal((6, 1)), rng.random(6) + 0.1, np.array([0.2])
    distributions = [stats.norm(m, s) for m, s in zip(mu[:, 0], sigma, strict=True)]
    expected_ei = [d.expect(lambda y: 0.2 - y, lb=-np.inf, ub=0.2) for d in distributions]
    np.testing.assert_allclose(_acquisition.ei(mu, sigma, f)[0], expected_ei, rtol=1e-6)
    np.testing.assert_allclose(np.exp(_acquisition.log_ei(mu, sigma, f)[0]), expected_ei, rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(_acquisition.log_pi(mu, sigma, f)[0]), [d.cdf(0.2) for d in distributions], rtol=1e-12
    )
    # kappa standard deviations below the mean, of the score that is minus the target.
    lower = np.array([d.ppf(stats.norm.cdf(-1.5)) for d in distributions])
    np.testing.assert_allclose(_acquisition.ucb(mu, sigma, 1.5)[0], -lower, rtol=1e-9, atol=1e-12)


def test_fantasies_are_averaged_before_the_logarithm():
    mu, sigma, f = np.array([[0.3, -1.0, 2.0]]), np.array([0.7]), np.array([0.1, -0.5, 0.0])
    each = [_acquisition.ei(mu[:, [s]], sigma, f[[s]])[0][0] for s in range(3)]
    assert _acquisition.ei(mu, sigma, f)[0][0] == pytest.approx(np.mean(each))
    assert _acquisition.log_ei(mu, sigma, f)[0][0] == pytest.approx(np.log(np.mean(each)))


UTILITIES = {
    "log_ei": lambda mu, sigma: _acquisition.log_ei(mu, sigma, np.array([-1.0, -2.0])),
    "ei": lambda mu, sigma: _acquisition.ei(mu, sigma, np.array([-1.0, -2.0])),
    "pi": lambda mu, sigma: _acquisition.log_pi(mu, sigma, np.array([-1.0, -2.0])),
    "ucb": lambda mu, sigma: _acquisition.ucb(mu, sigma, 2.0),
    "tail": lambda mu, sigma: _acquisition.log_ei(mu, sigma, np.array([-40.0, -41.0])),
}


@pytest.mark.parametrize("name", UTILITIES)
def test_gradients_of_acquisition_functions(model, name):
    # Two fantasies, so that their averaging is differentiated too; the real columns are 1 and, if active, 3.
    _, _, embedding, _, posterior = model
    two = posterior.conditioned(embedding.features(points(2, seed=8)), np.array([[0.3, -1.2], [0.4, 2.0]]))
    acquisition = Acquisition(embedding, two, UTILITIES[name])
    X = points(8, seed=9)
    values, gradients = acquisition.with_gradient(X)
    np.testing.assert_allclose(values, acquisition(X), rtol=1e-12)
    for j in (1, 3):
        ahead, behind = X.copy(), X.copy()
        ahead[:, j] += 1e-6
        behind[:, j] -= 1e-6
        numeric = np.nan_to_num((acquisition(ahead) - acquisition(behind)) / 2e-6)
        numeric[np.isnan(X[:, j])] = 0.0
        np.testing.assert_allclose(gradients[:, j], numeric, rtol=1e-5, atol=1e-6)
    assert not gradients[:, [0, 4]].any()
    assert np.isnan(X[:, 3]).any() and not np.isnan(X[:, 3]).all()


def test_the_box_minimiser_on_rosenbrock_and_at_bounds():
    def function(X, _):
        x, y = X.T
        f = 100.0 * (y - x**2) ** 2 + (0.6 - x) ** 2
        return f, np.stack([-400.0 * x * (y - x**2) - 2.0 * (0.6 - x), 200.0 * (y - x**2)], axis=1)

    assert (
        check_grad(lambda x: function(x[None], 0)[0][0], lambda x: function(x[None], 0)[1][0], [0.2, 0.7])
        < 1e-5
    )
    starts = np.random.default_rng(0).random((20, 2))
    X, f = minimise_in_box(function, starts, np.ones(2), np.ones((20, 2), dtype=bool), 200, 1e-8)
    np.testing.assert_allclose(X, np.tile([0.6, 0.36], (20, 1)), atol=1e-6)
    np.testing.assert_allclose(f, 0.0, atol=1e-12)

    def slope(X, _):
        return X[:, 0] + (X[:, 1] - 2.0) ** 2, np.stack([np.ones(len(X)), 2.0 * (X[:, 1] - 2.0)], axis=1)

    still = np.array([[True, True], [True, False]])
    X, _ = minimise_in_box(slope, np.full((2, 2), 0.4), np.ones(2), still)
    np.testing.assert_array_equal(X, [[0.0, 1.0], [0.0, 0.4]])


def test_the_box_minimiser_ends_where_steps_gain_next_to_nothing():
    # The first search has a value, beside which its steps are nothing; the second goes on to the edge.
    height, evaluated = np.array([1e6, 0.0]), np.zeros(2, dtype=int)

    def slope(X, which):
        evaluated[which] += 1
        return height[which] + 0.1 * X[:, 0], np.full(X.shape, 0.1)

    X, f = minimise_in_box(slope, np.full((2, 1), 0.9), np.ones(1), np.ones((2, 1), dtype=bool))
    assert evaluated[0] == 3 < evaluated[1]
    np.testing.assert_allclose(X[:, 0], [0.7, 0.0])
    np.testing.assert_allclose(f, height + 0.1 * X[:, 0])


def test_local_search_leaves_no_better_neighbour():
    def value(X):
        a, x, n = SPACE.branch(0, X[:, 0]), X[:, 1], X[:, 2]
        return -((x - 0.2 - 0.5 * n) ** 2) - (n - 0.6) ** 2 + 0.1 * a - np.nan_to_num(X[:, 3] - 0.9) ** 2

    def with_gradient(X):
        gradient = np.zeros(X.shape)
        gradient[:, 1] = -2.0 * (X[:, 1] - 0.2 - 0.5 * X[:, 2])
        gradient[:, 3] = -2.0 * np.nan_to_num(X[:, 3] - 0.9)
        return value(X), gradient

    U = np.random.default_rng(0).random((6, SPACE.d))
    before = U.copy()
    X, found = local_search(SPACE, value, with_gradient, U, np.ones(SPACE.d), n_refined=6)
    np.testing.assert_array_equal(U, before)
    np.testing.assert_array_equal(X, SPACE.canonical(X))
    np.testing.assert_allclose(found, value(X))
    # Column 0's best level is 2, where 3 and 4 are inactive; n's best level of nine is the sixth, at 5.5 / 9.
    np.testing.assert_allclose(X[:, [0, 2]], np.tile([2.5 / 3, 5.5 / 9], (6, 1)))
    np.testing.assert_allclose(X[:, 1], 0.2 + 0.5 * 5.5 / 9, atol=1e-4)

    # By default the best four are refined, and the others are left after their first sweep.
    _, some = local_search(SPACE, value, with_gradient, U, np.ones(SPACE.d))
    _, first = local_search(SPACE, value, with_gradient, U, np.ones(SPACE.d), max_sweeps=1)
    refined = np.argsort(-first, kind="stable")[:4]
    np.testing.assert_array_equal(some[refined], found[refined])
    left = np.setdiff1d(np.arange(6), refined)
    np.testing.assert_array_equal(some[left], first[left])


@pytest.mark.parametrize("dimension", [Integer(1, 10**9), Integer(1, 5000, log=True)], ids=["even", "log"])
def test_local_search_over_very_many_levels_ends_at_the_best(dimension):
    space = Space([Column("n", dimension)])
    best = dimension.encode(1234)

    def value(X):
        return -np.abs(X[:, 0] - best)

    X, _ = local_search(
        space, value, lambda X: (value(X), -np.sign(X - best)), np.array([[0.9], [0.01]]), np.ones(1), 60
    )
    assert [dimension.decode(x) for x in X[:, 0]] == [1234, 1234]


@pytest.mark.parametrize("lam", [-1.0, 0.0, 0.4, 1.0, 2.0])
def test_yeo_johnson_against_scipy(lam):
    z = np.random.default_rng(0).standard_normal(30)
    np.testing.assert_allclose(yeo_johnson(z, lam), stats.yeojohnson(z, lmbda=lam), rtol=1e-12, atol=1e-14)


def test_the_power_is_of_greatest_likelihood():
    z = standardised(np.random.default_rng(0).lognormal(size=60))
    best = stats.yeojohnson_normmax(z)
    y, log_jacobian = power_transformed(z)
    # The grid of powers is 0.1 apart.
    candidates = [
        stats.zscore(yeo_johnson(z, lam)) for lam in (np.floor(10 * best) / 10, np.ceil(10 * best) / 10)
    ]
    assert min(np.abs(y - c).max() for c in candidates) < 1e-12
    order = np.argsort(z)
    slopes = np.gradient(y[order], z[order])
    # Differences of 60 values are rough: the sum of their logarithms to 5%.
    assert log_jacobian == pytest.approx(np.log(slopes).sum(), rel=0.05)


def test_targets_keep_the_order_and_make_failures_the_worst():
    loss = np.array([3.0, np.nan, -1.0, 1e300, 0.0, -1e308, 1.7e308])
    y, _ = targets(loss, transform=True)
    assert np.isfinite(y).all()
    assert (np.diff(y[[5, 2, 4, 0, 3, 6]]) >= 0).all()
    assert y[1] == y.max()
    assert not targets(np.full(4, np.nan), transform=True)[0].any()
    assert not targets(np.array([2.0, 2.0, np.nan]), transform=True)[0].any()
    plain, _ = targets(np.array([1.0, 2.0, 6.0]), transform=False)
    np.testing.assert_allclose(plain, stats.zscore([1.0, 2.0, 6.0]))


def test_standardising_takes_the_largest_floats():
    y = standardised(np.array([1.7e308, 1.6e308, 1.5e308, 1.4e308]))
    np.testing.assert_allclose(y, np.array([3, 1, -1, -3]) / np.sqrt(5), rtol=1e-12)


def test_bad_losses_end_as_far_above_the_typical_one_as_the_best_lies_below_it():
    loss = np.array([1.0, 5.0, 3.0, np.nan, 3.5, 1e300, 0.0])
    found = capped(loss, 3)
    # The median of 1, 5, 3 is 3, and the best is 0: nothing is above 6.
    expected = [1.0, 3.0 + 3.0 * np.tanh(2.0 / 3.0), 3.0, np.nan, 3.0 + 3.0 * np.tanh(0.5 / 3.0), 6.0, 0.0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "loss",
    [[2.0, 2.0, 5.0, 9.0], [np.nan, np.nan], []],
    ids=["the typical one is the best", "failures", "nothing"],
)
def test_losses_without_a_scale_stay_as_they_are(loss):
    loss = np.array(loss)
    np.testing.assert_array_equal(capped(loss, 2), loss)


def test_huge_losses_stay_finite_and_in_order():
    found = capped(np.array([1.7e308, -1.7e308, 1.6e308]), 2)
    assert np.isfinite(found).all()
    assert found[1] < found[2] < found[0]


def test_what_was_told_later_does_not_change_what_is_typical():
    rng = np.random.default_rng(0)
    first, later = rng.normal(size=10), rng.normal(size=50) * 1e-3 - 1.0
    loss = np.concatenate([first, np.maximum(later, first.min())])
    np.testing.assert_array_equal(capped(loss, 10)[:10], capped(first, 10))
