"""Distributions as dimensions: their priors, the types of their values, their ends."""

import copy
import math
import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import ParameterSampler

from skhpo.space import Categorical, Integer, Ordinal, as_space
from skhpo.space._quantile import Float64, Quantile, Weighted, from_distribution

CONTINUOUS = [
    stats.uniform(),
    stats.uniform(-2, 5),
    stats.uniform(loc=3, scale=0.5),
    stats.loguniform(1e-3, 1e3),
    stats.reciprocal(a=1, b=10),
    stats.loguniform(1e-2, 1, scale=5),
    stats.loguniform(1e-2, 1, loc=2, scale=5),
    stats.norm(3, 2),
    stats.expon(scale=10),
    stats.beta(0.5, 2),
    stats.lognorm(1.5),
    stats.cauchy(),
    stats.truncnorm(-1, 4),
    stats.norm,  # not frozen: its parameters have defaults
    stats.rv_histogram(np.histogram([1, 2, 2, 3, 5], bins=4)),
]
DISCRETE = [
    stats.randint(1, 10),
    stats.randint(low=-3, high=4, loc=100),
    stats.randint(5, 6),
    stats.poisson(3),
    stats.poisson(3, loc=-2),
    stats.binom(20, 0.3),
    stats.geom(0.2),
    stats.nbinom(5, 0.3),
    stats.zipf(3.0),
    stats.skellam(4, 3),
    stats.rv_discrete(values=([1, 2, 7], [0.2, 0.3, 0.5])),
    stats.rv_discrete(values=([7.5, 0.5, 2.5], [0.2, 0.3, 0.5])),
]


def ids(distribution):
    generator = getattr(distribution, "dist", distribution)
    return f"{generator.name}{getattr(distribution, 'args', '')}"


def decoded(dimension, n=2000, seed=0):
    return [dimension.decode(p) for p in np.random.default_rng(seed).random(n).tolist()]


@pytest.mark.parametrize("distribution", CONTINUOUS + DISCRETE, ids=ids)
def test_types_are_those_of_randomized_search(distribution):
    drawn = [params["a"] for params in ParameterSampler({"a": distribution}, 20, random_state=0)]
    own = decoded(as_space({"a": distribution}).columns[0].dimension, 20)
    assert {type(value) for value in own} == {type(value) for value in drawn}


@pytest.mark.parametrize("distribution", CONTINUOUS, ids=ids)
def test_continuous_priors_are_honoured(distribution):
    dimension = from_distribution(distribution, seed=0)
    assert dimension.kind == "real"
    assert dimension.n_levels == math.inf
    # A fixed seed; a wrong prior gives p-values of 1e-10 and less.
    assert stats.kstest(decoded(dimension), distribution.cdf).pvalue > 1e-3
    for p in (0.001, 0.1, 0.5, 0.9, 0.999):
        value = dimension.decode(p)
        assert value == pytest.approx(distribution.ppf(p), rel=5e-3)
        assert dimension.encode(value) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("distribution", DISCRETE, ids=ids)
def test_discrete_priors_are_honoured(distribution):
    dimension = from_distribution(distribution, seed=0)
    assert dimension.kind == "ordinal"
    levels = dimension.levels()
    values = [dimension.decode(p) for p in levels.tolist()]
    assert values == sorted(set(values))
    assert [dimension.encode(value) for value in values] == levels.tolist()
    low, high = dimension.cells(levels)
    # What is cut off at the ends of an unbounded support is 1e-6 on each side.
    np.testing.assert_allclose(high - low, distribution.pmf(values), atol=3e-6)
    np.testing.assert_allclose(high, distribution.cdf(np.array(values) + 1e-9), atol=3e-6)
    assert sum(distribution.pmf(values)) > 1 - 1e-5
    expected = np.diff(np.concatenate([[0.0], high])) * 2000
    counts = np.array([decoded(dimension).count(value) for value in values])
    often = expected > 5
    chi2 = (((counts - expected) ** 2 / expected)[often]).sum()
    assert stats.chi2(max(often.sum() - 1, 1)).sf(chi2) > 1e-3


def test_poisson_cells_are_steps_of_the_distribution_function():
    dimension = from_distribution(stats.poisson(3), seed=0)
    low, high = dimension.cells(np.array([dimension.encode(k) for k in range(5)]))
    # P(X <= k) for mean 3: e^-3 times 1, 4, 8.5, 13, 16.375.
    np.testing.assert_allclose(high, math.exp(-3) * np.array([1, 4, 8.5, 13, 16.375]), atol=2e-6)
    np.testing.assert_allclose(low[1:], high[:-1], rtol=0)
    assert low[0] == 0


def test_common_distributions_are_exact_arithmetic():
    log = from_distribution(stats.loguniform(1e-3, 1e3), seed=0)
    assert type(log) is Float64
    assert (log.low, log.high, log.log) == (1e-3, 1e3, True)
    assert log.decode(0.0) == 1e-3
    assert log.decode(1.0) == 1e3
    assert log.decode(2 / 3) == pytest.approx(10, rel=1e-14)
    flat = from_distribution(stats.uniform(2, 3), seed=0)
    assert (flat.decode(0.0), flat.decode(0.5), flat.decode(1.0)) == (2.0, 3.5, 5.0)
    scaled = from_distribution(stats.loguniform(1e-2, 1, scale=5), seed=0)
    assert (scaled.low, scaled.high) == (0.05, 5)
    whole = from_distribution(stats.randint(1, 10), seed=0)
    assert type(whole) is Integer
    assert (whole.low, whole.high) == (1, 9)
    assert type(from_distribution(stats.loguniform(1e-2, 1, loc=1), seed=0)) is Quantile
    assert type(from_distribution(stats.randint(5, 6), seed=0)) is Ordinal


@pytest.mark.parametrize("distribution", CONTINUOUS, ids=ids)
def test_ends_are_finite_and_inside_the_support(distribution):
    dimension = from_distribution(distribution, seed=0)
    low, high = distribution.support()
    for p in (0.0, 1.0):
        value = dimension.decode(p)
        assert math.isfinite(value)
        assert low <= value <= high
        assert dimension.encode(value) == pytest.approx(p, abs=1e-9)
    for value in (low - 1, high + 1, math.nan, "1", None):
        with pytest.raises(ValueError):
            dimension.encode(value)


def test_an_end_that_never_comes_out_of_rvs_is_not_searched():
    assert from_distribution(stats.expon(), seed=0).decode(0.0) > 0


@pytest.mark.parametrize(
    "distribution", [stats.zipf(1.5), stats.binom(10**10, 0.5), stats.poisson(1e9)], ids=ids
)
def test_distributions_with_very_many_levels_are_drawn(distribution):
    dimension = from_distribution(distribution, seed=0)
    assert isinstance(dimension, Weighted)
    assert dimension.n_levels <= 1024
    values = decoded(dimension)
    assert type(values[0]) is int
    assert stats.ks_2samp(values, distribution.rvs(2000, random_state=1)).statistic < 0.06


class Draws:
    """Has ``rvs`` and nothing else, and would remember being drawn from."""

    def __init__(self, draw):
        self.draw = draw
        self.n_drawn = 0

    def rvs(self, random_state=None):
        self.n_drawn += 1
        return self.draw(random_state)


def test_numbers_that_can_only_be_drawn_are_ordinal():
    given = Draws(lambda random_state: random_state.gamma(2.0))
    dimension = from_distribution(given, seed=3)
    assert given.n_drawn == 0
    assert dimension.kind == "ordinal"
    assert stats.kstest(decoded(dimension), stats.gamma(2.0).cdf).statistic < 0.06
    # Every value is one that rvs gave.
    random_state = np.random.RandomState(3)
    drawn = {random_state.gamma(2.0) for _ in range(1024)}
    assert set(decoded(dimension)) <= drawn
    assert from_distribution(given, seed=3).same_as(dimension)
    assert not from_distribution(given, seed=4).same_as(dimension)


def test_repeated_numbers_have_wider_cells():
    dimension = from_distribution(Draws(lambda r: int(r.choice([1, 5, 7], p=[0.6, 0.3, 0.1]))), seed=0)
    assert [dimension.decode(p) for p in dimension.levels()] == [1, 5, 7]
    low, high = dimension.cells(dimension.levels())
    np.testing.assert_allclose(high - low, [0.6, 0.3, 0.1], atol=0.05)


def test_objects_that_can_only_be_drawn_are_categorical():
    fair = from_distribution(Draws(lambda r: ["a", None, (1, 2)][r.randint(3)]), seed=0)
    assert isinstance(fair, Categorical)
    assert fair.n_levels == 3
    assert {type(value) for value in decoded(fair)} == {str, type(None), tuple}
    unhashable = from_distribution(Draws(lambda r: [[1], [2]][r.randint(2)]), seed=0)
    assert sorted(unhashable.choices) == [[1], [2]]
    skewed = from_distribution(Draws(lambda r: "ab"[r.rand() < 0.25]), seed=0)
    assert skewed.choices == ["a", "a", "a", "b"]
    arrays = from_distribution(stats.dirichlet([1, 1, 1]), seed=0)
    assert arrays.decode(0.5).size == 3


@pytest.mark.parametrize("distribution", [*CONTINUOUS, *DISCRETE], ids=ids)
def test_copies(distribution):
    dimension = from_distribution(distribution, seed=0)
    for twin in (copy.deepcopy(dimension), pickle.loads(pickle.dumps(dimension))):
        assert twin.same_as(dimension)
        assert repr(twin) == repr(dimension)


def test_repr_says_what_the_user_wrote():
    assert repr(from_distribution(stats.expon(scale=2), seed=0)) == "expon(scale=2)"
    assert repr(from_distribution(stats.poisson(3), seed=0)) == "poisson(3)"


@pytest.mark.parametrize(
    ("distribution", "error", "message"),
    [
        (stats.uniform(1, 0), ValueError, r"uniform\(1, 0\) is no range"),
        (stats.uniform(1, -2), ValueError, r"uniform\(1, -2\) is no range"),
        (stats.uniform(0, math.inf), ValueError, "must be finite"),
        (stats.loguniform(0, 1), ValueError, "needs low > 0"),
        (stats.loguniform(2, 1), ValueError, "low must be less than high"),
        (stats.randint(5, 5), ValueError, r"randint\(5, 5\) needs integers low < high"),
        (stats.beta(-1, 1), ValueError, "has no median"),
        (stats.poisson(-1), ValueError, "has no median"),
        (stats.pareto(0.001), ValueError, "finite quantiles"),
        (stats.beta, TypeError, "are parameters missing"),
        (stats.loguniform, TypeError, "are parameters missing"),
    ],
    ids=lambda value: ids(value) if hasattr(value, "rvs") else "",
)
def test_improper_distributions(distribution, error, message):
    with pytest.raises(error, match=message):
        from_distribution(distribution, seed=0)
    with pytest.raises(error, match=r"^Parameter 'a': "):
        as_space({"a": distribution})
