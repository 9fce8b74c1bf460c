"""Parzen estimators against scipy, quadrature and sums over all levels."""

import gc
import weakref

import numpy as np
import pytest
from scipy import integrate, stats

from skhpo.samplers.tpe._bandwidths import leaving_probabilities, ordered_bandwidths
from skhpo.samplers.tpe._layout import layout_of
from skhpo.samplers.tpe._parzen import ParzenEstimator, gaussian_mass
from skhpo.space import Categorical, Column, Integer, Ordinal, Real, Space


def _estimator(space, X, bandwidths, weights):
    X = space.canonical(np.array(X, dtype=float))
    return ParzenEstimator(space, X, np.array(bandwidths, dtype=float), np.array(weights, dtype=float))


def _truncnorm(x, mu, sigma):
    return stats.truncnorm.pdf(x, -mu / sigma, (1 - mu) / sigma, loc=mu, scale=sigma)


@pytest.fixture
def tree():
    """A choice between a real column and two discrete ones, with one more column for both."""
    return Space(
        [
            Column("model", Categorical(["a", "b", "c"])),
            Column("rate", Real(0.0, 1.0), 0, frozenset([0])),
            Column("size", Integer(1, 4), 0, frozenset([1, 2])),
            Column("kind", Categorical(["x", "y"]), 0, frozenset([2])),
            Column("shared", Real(0.0, 1.0)),
        ]
    )


@pytest.fixture
def mixture(tree):
    X = [[1 / 6, 0.3, np.nan, np.nan, 0.9], [0.5, np.nan, 0.4, np.nan, 0.2], [0.9, np.nan, 0.9, 0.8, 0.5]]
    bandwidths = [[0.2, 0.1, 1.0, 1.0, 0.3], [0.3, 1.0, 0.2, 1.0, 0.05], [0.1, 1.0, 0.5, 0.4, 0.6]]
    return _estimator(tree, X, bandwidths, [0.4, 0.2, 0.3, 0.1])


@pytest.mark.parametrize(
    "low, high", [(-1.0, 0.5), (8.0, 8.1), (-8.1, -8.0), (20.0, 30.0), (-1e-3, 1e-3), (-30.0, 30.0)]
)
def test_gaussian_mass_is_exact_in_both_tails(low, high):
    # Quadrature of the density, scaled by its largest value so that tails do not underflow.
    top = min(abs(low), abs(high)) if low * high > 0 else 0.0
    inside = [0.0] if low < 0 < high else None
    scaled, _ = integrate.quad(
        lambda z: np.exp((top**2 - z * z) / 2), low, high, points=inside, epsabs=0, epsrel=1e-12, limit=500
    )
    mass = gaussian_mass(np.array([low + high]) / 2, np.array([high - low]) / 2)[0]
    np.testing.assert_allclose(mass, scaled * np.exp(-(top**2) / 2) / np.sqrt(2 * np.pi), rtol=1e-10)


@pytest.mark.parametrize("mu, sigma", [(0.3, 0.1), (0.0, 0.03), (1.0, 0.5), (0.999, 1e-3), (0.5, 1.0)])
def test_real_kernel_is_scipys_truncated_normal(mu, sigma):
    space = Space([Column("x", Real(0, 1))])
    x = np.linspace(0, 1, 101)
    log_k = _estimator(space, [[mu]], [[sigma]], [0.5, 0.5]).log_kernels(x[:, None])[:, 0]
    expected = stats.truncnorm.logpdf(x, -mu / sigma, (1 - mu) / sigma, loc=mu, scale=sigma)
    np.testing.assert_allclose(log_k, expected, rtol=1e-9, atol=1e-9)


def test_mixture_of_reals_is_the_weighted_sum_of_products():
    space = Space([Column("x", Real(0, 1)), Column("y", Real(-5, 5))])
    X, sigma, w = [[0.2, 0.9], [0.6, 0.1]], [[0.1, 0.3], [0.05, 0.5]], [0.5, 0.3, 0.2]
    points = np.random.default_rng(0).random((50, 2))
    expected = np.full(50, w[2])
    for i in range(2):
        expected += w[i] * np.prod([_truncnorm(points[:, j], X[i][j], sigma[i][j]) for j in range(2)], axis=0)
    log_p = _estimator(space, X, sigma, w).log_density(points)
    np.testing.assert_allclose(log_p, np.log(expected), rtol=1e-10, atol=1e-10)


def _masses(dimension, mu, sigma):
    """Those of the kernel in all cells, beside scipy's, and the cells' widths."""
    space = Space([Column("x", dimension)])
    levels = np.unique(dimension.levels())
    mu = space.canonical([[mu]])[0, 0]
    low, high = dimension.cells(levels)
    log_k = _estimator(space, [[mu]], [[sigma]], [0.5, 0.5]).log_kernels(levels[:, None])[:, 0]
    kernel = stats.norm(mu, sigma)
    # On the right of mu the cdf is close to one and differences of it would cancel.
    by_tail = [
        np.diff(np.stack(pair), axis=0)[0]
        for pair in [(kernel.cdf(low), kernel.cdf(high)), (kernel.sf(high), kernel.sf(low))]
    ]
    expected = np.where(levels < mu, *by_tail) / (kernel.cdf(1) - kernel.cdf(0))
    return np.exp(log_k) * (high - low), expected, high - low


@pytest.mark.parametrize("dimension", [Integer(3, 9), Integer(1, 50, log=True), Ordinal([0.1, 1, 7])])
@pytest.mark.parametrize("mu, sigma", [(0.02, 0.03), (0.7, 0.2), (0.9, 0.4)])
def test_ordinal_kernel_is_the_mass_of_a_wide_cell(dimension, mu, sigma):
    mass, expected, width = _masses(dimension, mu, sigma)
    wide = width > sigma / 3
    np.testing.assert_allclose(mass[wide], expected[wide], rtol=1e-7, atol=1e-14)
    assert wide.any() and mass.sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    "dimension", [Integer(1, 60), Integer(1, 200, log=True), Integer(1, 1000), Integer(0, 20_000)]
)
@pytest.mark.parametrize("mu, sigma", [(0.02, 0.06), (0.7, 0.2), (1.0, 1.0)])
def test_ordinal_kernel_in_a_narrow_cell_is_its_mass_nearly(dimension, mu, sigma):
    mass, expected, width = _masses(dimension, mu, sigma)
    levels = np.unique(dimension.levels())
    h, z = width / sigma, (levels - mu) / sigma
    narrow = (h <= 1 / 3) & (np.abs(z) < 6)
    # The bound beside the equation, doubled, and what is lost to rounding.
    bound = 1e-9 + 2 * h**4 / 1152 * (z**2 + 1) ** 2
    assert (np.abs(np.log(mass[narrow] / expected[narrow])) < bound[narrow]).all()
    assert mass.sum() == pytest.approx(1.0, abs=1e-4)


def test_categorical_kernel_by_hand():
    # L = 4, b = 0.3: the own level keeps 0.7, the three others have 0.1 each; the prior gives 1/4.
    space = Space([Column("x", Categorical(list("abcd"))), Column("y", Categorical(["only"]))])
    levels = space.canonical(np.array([[j / 4 + 0.1, 0.5] for j in range(4)]))
    log_k = _estimator(space, [[0.6, 0.5]], [[0.3, 0.1]], [0.5, 0.5]).log_kernels(levels)[:, 0]
    np.testing.assert_allclose(np.exp(log_k), [0.4, 0.4, 2.8, 0.4], rtol=1e-12)


def test_density_on_a_tree_integrates_to_one(tree, mixture):
    """Summed over the discrete columns of each branch, integrated over its real ones."""
    t, weight = np.polynomial.legendre.leggauss(60)
    t, weight = (t + 1) / 2, weight / 2
    total = 0.0
    for kind in tree.columns[3].dimension.levels():
        for size in tree.columns[2].dimension.levels():
            for model in tree.columns[0].dimension.levels():
                rate, shared = (grid.ravel() for grid in np.meshgrid(t, t))
                columns = [np.full(3600, model), rate, np.full(3600, size), np.full(3600, kind), shared]
                # Inactive columns are dropped by ``canonical``; each dropped level is counted once.
                p = np.exp(mixture.log_density(tree.canonical(np.stack(columns, axis=1))))
                total += (1 / 3) * (1 / 4) * (1 / 2) * (p @ np.outer(weight, weight).ravel())
    assert total == pytest.approx(1.0, abs=1e-6)


def test_kernel_says_nothing_about_columns_that_either_point_lacks(tree, mixture):
    # A point of branch c seen by the kernel of branch b (b's size is active in both, kind is not).
    x = tree.canonical(np.array([[0.9, np.nan, 0.4, 0.2, 0.3]]))
    k = np.exp(mixture.log_kernels(x))[0]
    leave = 3 * 0.3 / 2
    size = stats.truncnorm(-0.375 / 0.2, 0.625 / 0.2, loc=0.375, scale=0.2)
    expected = leave * 4 * (size.cdf(0.5) - size.cdf(0.25)) * _truncnorm(0.3, 0.2, 0.05)
    assert k[1] == pytest.approx(expected, rel=1e-9)
    # The kernel of branch a shares the choice and the last column only.
    assert k[0] == pytest.approx(3 * 0.2 / 2 * _truncnorm(0.3, 0.9, 0.3), rel=1e-9)


def test_samples_follow_the_density(tree, mixture):
    """Shares of the branches and distributions within them, against the kernels by hand."""
    n = 20_000
    X = mixture.sample(n, np.random.default_rng(0))
    np.testing.assert_array_equal(X, tree.canonical(X))
    # P(model = a) = 0.4 * 0.8 + 0.2 * 0.15 + 0.3 * 0.05 + 0.1 / 3, and so on.
    levels = tree.branch(0, X[:, 0])
    stay, leave = [0.8, 0.7, 0.9], [0.1, 0.15, 0.05]
    for level in range(3):
        p = sum(w * (stay[i] if i == level else leave[i]) for i, w in enumerate([0.4, 0.2, 0.3])) + 0.1 / 3
        assert np.mean(levels == level) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / n))
    rate = X[levels == 0, 1]
    share = 0.4 * 0.8 / (0.4 * 0.8 + 0.2 * 0.15 + 0.3 * 0.05 + 0.1 / 3)

    def cdf(x):
        return share * stats.truncnorm.cdf(x, -3, 7, loc=0.3, scale=0.1) + (1 - share) * x

    assert stats.kstest(rate, cdf).pvalue > 1e-3


def test_no_kernels_leave_the_prior(tree):
    prior = _estimator(tree, np.empty((0, 5)), np.empty((0, 5)), [1.0])
    X = prior.sample(200, np.random.default_rng(1))
    np.testing.assert_allclose(prior.log_density(X), 0.0, atol=1e-15)
    assert set(tree.branch(0, X[:, 0])) == {0, 1, 2}


def test_far_points_have_the_density_of_the_prior():
    space = Space([Column("x", Real(0, 1)), Column("y", Integer(1, 100))])
    estimator = _estimator(space, [[0.0, 0.005]], [[1e-3, 1e-3]], [0.75, 0.25])
    far = space.canonical(np.array([[0.9, 0.9]]))
    np.testing.assert_allclose(estimator.log_density(far), np.log(0.25), rtol=1e-12)


def test_bandwidths_by_hand():
    # Column 0: weights 2 and 1 at 0.5 and 0.8, the third point is inactive: mean 0.6, variance 0.02, and
    # m = 3. Column 1: mean 0.35, variance (2 0.0625 + 0.0025 + 0.2025) / 4, and m = 4. Column 2: nobody.
    X = np.array([[0.5, 0.1, np.nan], [0.8, 0.4, np.nan], [np.nan, 0.8, np.nan]])
    sigma = ordered_bandwidths(X, np.array([2.0, 1.0, 1.0]), min_factor=0.01, exponent=2.0)
    np.testing.assert_allclose(
        sigma, [0.02**0.5 * 3 ** (-1 / 7), 0.0825**0.5 * 4 ** (-1 / 7), 0.25], rtol=1e-12
    )


@pytest.mark.parametrize("m, expected", [(0, 0.25), (1, 1 / 9), (3, 0.04), (20, 0.01)])
def test_bandwidths_of_points_in_one_place_are_the_clip(m, expected):
    # (m + 2)^-2, until that is below the least part of the axis.
    sigma = ordered_bandwidths(np.full((m, 2), 0.3), np.ones(m), min_factor=0.01, exponent=2.0)
    np.testing.assert_allclose(sigma, expected)


def test_leaving_probabilities_by_hand():
    space = Space(
        [Column("c", Categorical(["a", "b"])), Column("x", Categorical(list("abc")), 0, frozenset([0]))]
    )
    X = np.array([[0.25, 0.5], [0.25, 0.1], [0.75, np.nan]])
    # Three points on two levels: (1/4) / (1 + 2/4); two on three: 2 (1/3) / (1 + 3/3).
    np.testing.assert_allclose(leaving_probabilities(space, X), [1 / 6, 1 / 3])


# -- cells of several columns at once ----------------------------------------------------------------------


@pytest.fixture
def cells():
    """Ordinal columns with cells wide and narrow, of equal widths and not, one of them only in a branch."""
    return Space(
        [
            Column("model", Categorical(["a", "b"])),
            Column("few", Integer(1, 7)),
            Column("log", Integer(1, 300, log=True)),
            Column("many", Integer(0, 500)),
            Column("list", Ordinal([1, 2, 4, 8, 16]), 0, frozenset([1])),
            Column("rate", Real(0.0, 1.0)),
        ]
    )


def _log_kernel_by_scipy(space, x, mu, bandwidths):
    """Equation (1) for one point and one kernel, column by column, by differences of distributions."""
    total = 0.0
    for column, a, centre, s in zip(space.columns, x, mu, bandwidths, strict=True):
        dimension = column.dimension
        if np.isnan(a) or np.isnan(centre):
            continue
        if dimension.kind == "categorical":
            n = dimension.n_levels
            total += np.log(n * (1 - s) if a == centre else n * s / (n - 1))
        elif dimension.kind == "real":
            total += np.log(_truncnorm(a, centre, s))
        else:
            low, high = (edge[0] for edge in dimension.cells(np.array([a])))
            if low + high > 2 * centre:  # The same by symmetry, where the cdf is not close to one.
                mass = stats.norm.sf(low, centre, s) - stats.norm.sf(high, centre, s)
            else:
                mass = stats.norm.cdf(high, centre, s) - stats.norm.cdf(low, centre, s)
            whole = stats.norm.cdf(1, centre, s) - stats.norm.cdf(0, centre, s)
            total += np.log(mass / whole / (high - low))
    return total


@pytest.mark.parametrize("n_points", [3, 60])
@pytest.mark.parametrize("shared", [True, False])
def test_kernels_are_products_over_all_columns_with_few_points_and_many(cells, n_points, shared):
    """40 kernels, of which many stand in one place, beside fewer points and beside more."""
    rng = np.random.default_rng(0)
    X, points = cells.canonical(rng.random((40, 6))), cells.canonical(rng.random((n_points, 6)))
    bandwidths = np.tile([0.3, 0.15, 0.1, 0.2, 0.4, 0.2], (40, 1))
    if not shared:
        # Two bandwidths in one place: kernels that are told apart by them alone.
        X[20:], bandwidths[20:] = X[:20], 1.5 * bandwidths[20:]
    log_k = ParzenEstimator(cells, X, bandwidths, np.full(41, 1 / 41)).log_kernels(points)
    expected = [[_log_kernel_by_scipy(cells, x, X[i], bandwidths[i]) for i in range(40)] for x in points]
    # Narrow cells have (3), which is off by 1e-4 at two bandwidths and h = 1/3, and by 6e-3 at five.
    np.testing.assert_allclose(log_k, expected, atol=5e-3)
    assert np.median(np.abs(log_k - expected)) < 1e-4


def test_equal_points_and_the_order_of_kernels_make_no_difference(cells):
    rng = np.random.default_rng(1)
    X = cells.canonical(rng.random((50, 6)))
    points = cells.canonical(rng.random((8, 6)))
    bandwidths = np.full((50, 6), 0.1)

    def log_k(order, at):
        estimator = ParzenEstimator(
            cells, X[order], bandwidths, np.full(len(order) + 1, 1 / (len(order) + 1))
        )
        return estimator.log_kernels(points[at])

    all_of_them = log_k(np.arange(50), np.arange(8))
    order, at = rng.permutation(50), np.array([3, 3, 0, 7, 1])
    np.testing.assert_allclose(log_k(order, at), all_of_them[at][:, order], rtol=1e-12, atol=1e-12)


def test_cells_far_from_a_kernel_have_no_mass():
    space = Space([Column("x", Integer(1, 10)), Column("y", Integer(1, 10))])
    X = np.full((40, 2), 0.05)
    log_k = _estimator(space, X, np.full((40, 2), 0.003), np.full(41, 1 / 41)).log_kernels(
        np.array([[0.05, 0.05], [0.95, 0.05]])
    )
    # All of the truncated kernel is in its own cell, a tenth of the axis.
    np.testing.assert_allclose(log_k[0], 2 * np.log(10), rtol=1e-12)
    assert (log_k[1] == -np.inf).all()


def test_a_layout_is_made_once_and_goes_with_its_space(cells):
    layout = layout_of(cells)
    assert layout_of(cells) is layout
    assert layout_of(Space(cells.columns)) is not layout
    np.testing.assert_array_equal(layout.ordinal, [1, 2, 3, 4])
    np.testing.assert_array_equal(layout.ordered, [5, 1, 2, 3, 4])
    np.testing.assert_array_equal(layout.categorical, [0])
    gone = weakref.ref(space := Space(cells.columns))
    layout_of(space)
    del space
    gc.collect()
    assert gone() is None


def test_cell_widths_are_those_of_the_dimensions_whatever_was_asked_before(cells):
    layout = layout_of(cells)
    rng = np.random.default_rng(2)
    first, second = cells.canonical(rng.random((9, 6))), cells.canonical(rng.random((9, 6)))
    for X in (first, second, first):
        widths = layout.cell_widths(X)
        for i, j in enumerate(layout.ordinal):
            there = ~np.isnan(X[:, j])
            low, high = cells.columns[j].dimension.cells(X[there, j])
            np.testing.assert_allclose(widths[there, i], high - low, rtol=1e-9)
            np.testing.assert_allclose(X[there, j], (low + high) / 2, rtol=1e-12)
    # The same array with another content is asked about anew.
    first[:] = second
    np.testing.assert_array_equal(layout.cell_widths(first), layout.cell_widths(second))


def test_a_thousand_levels_at_the_least_bandwidth_count_as_narrow():
    # A third of 0.003 is their width to the last bit; where rounding decided, some columns were slow.
    space = Space([Column("x", Integer(1, 1000))])
    width = layout_of(space).cell_widths(space.canonical(np.random.default_rng(0).random((500, 1))))
    assert (width <= 1 / 3 * 0.003).all()
