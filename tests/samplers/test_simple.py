"""Random, Sobol and grid, against scipy and scikit-learn."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc
from sklearn.model_selection import ParameterGrid

from skhpo.samplers import GridSampler, RandomSampler, SobolSampler
from skhpo.samplers._grid import _Left
from skhpo.space import Categorical, Column, Integer, Lattice, Ordinal, Real, Space


@pytest.fixture
def reals():
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(3)])


def tell_all(run, X):
    run.tell(X, np.zeros(len(X)))


# -- random ------------------------------------------------------------------------------------------


def test_random_is_uniform_in_each_column(reals):
    X = RandomSampler().start(reals, seed=0).ask(2000)
    for column in X.T:
        assert stats.kstest(column, "uniform").pvalue > 0.01


def test_random_draws_each_ask_from_its_own_spawned_stream(reals):
    run = RandomSampler().start(reals, seed=42)
    run.ask(4)
    stream = np.random.default_rng(np.random.SeedSequence(42, spawn_key=(4,)))
    np.testing.assert_array_equal(run.ask(2), stream.random((2, 3)))


def test_random_draws_again_with_the_prior_of_what_is_left():
    # Sixteen integers on a log scale; with 1 taken, the chance of k is in proportion to
    # log((k + 1/2) / (k - 1/2)) among the rest.
    space = Space([Column("n", Integer(1, 16, log=True))])
    counts = np.zeros(17)
    n_runs = 3000
    for seed in range(n_runs):
        run = RandomSampler().start(space, seed=seed)
        run.tell(space.to_position({"n": 1})[None], [0.0])
        counts[space.to_params(run.ask(1)[0])["n"]] += 1
    k = np.arange(2, 17)
    prior = np.log((k + 0.5) / (k - 0.5))
    assert counts[:2].sum() == 0
    assert stats.chisquare(counts[2:], n_runs * prior / prior.sum()).pvalue > 0.01


# -- Sobol -------------------------------------------------------------------------------------------


def test_sobol_is_the_sequence_of_scipy(reals):
    run = SobolSampler().start(reals, seed=7)
    X = np.concatenate([run.ask(n) for n in (1, 2, 30, 31, 64)])
    np.testing.assert_array_equal(X, qmc.Sobol(3, scramble=True, rng=7).random_base2(7))


def test_sobol_has_as_many_points_in_each_slice(reals):
    X = SobolSampler().start(reals, seed=0).ask(64)
    for column in X.T:
        np.testing.assert_array_equal(np.bincount((column * 64).astype(int)), np.ones(64))
    # A (0, m, 2)-net in base 2: the first two columns are balanced in 8 x 8 boxes too.
    boxes = (X[:, :2] * 8).astype(int) @ [8, 1]
    np.testing.assert_array_equal(np.bincount(boxes, minlength=64), np.ones(64))


def test_sobol_stays_balanced_over_a_finite_dimension():
    space = Space([Column("a", Categorical(list("abcd"))), Column("x", Real(0.0, 1.0))])
    X = SobolSampler().start(space, seed=1).ask(32)
    values = [space.to_params(point)["a"] for point in X]
    assert {value: values.count(value) for value in "abcd"} == dict.fromkeys("abcd", 8)


def test_sobol_gives_way_to_a_free_neighbour():
    space = Space([Column("n", Integer(0, 999))])
    first = SobolSampler().start(space, seed=5).ask(1)
    run = SobolSampler().start(space, seed=5)
    X = run.ask(1, pending=first)
    moved = abs(space.to_params(X[0])["n"] - space.to_params(first[0])["n"])
    assert moved == 1


# -- grid --------------------------------------------------------------------------------------------

GRIDS = [
    {"b": [1, 2, 3], "a": ["x", "y"], "c": [None]},
    {"z": [3, 1, 2], "y": [0.5, 0.1]},
    {"only": ["one"]},
]


def finite_space(grid):
    def dimension(values):
        numeric = all(isinstance(value, int | float) for value in values)
        return Ordinal(values) if numeric else Categorical(values)

    return Space([Column(name, dimension(values)) for name, values in grid.items()])


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("n", [1, 4, 100])
def test_grid_has_the_order_of_scikit_learn(grid, n):
    space = finite_space(grid)
    run = GridSampler().start(space, seed=0)
    asked = []
    while len(X := run.ask(n)):
        tell_all(run, X)
        asked += [space.to_params(point) for point in X]
    assert asked == list(ParameterGrid(grid))


def test_grid_goes_through_a_list_of_dicts_as_scikit_learn_does():
    # What a list of two dicts is inside: a nameless choice, and columns under its levels.
    space = Space(
        [
            Column(None, Categorical([0, 1])),
            Column("kernel", Categorical(["rbf"]), parent=0, branches=frozenset({0})),
            Column("gamma", Ordinal([0.1, 1.0]), parent=0, branches=frozenset({0})),
            Column("C", Ordinal([10, 1]), parent=0, branches=frozenset({0})),
            Column("kernel", Categorical(["linear", "poly"]), parent=0, branches=frozenset({1})),
        ]
    )
    grid = [{"kernel": ["rbf"], "gamma": [0.1, 1.0], "C": [10, 1]}, {"kernel": ["linear", "poly"]}]
    X = GridSampler().start(space, seed=0).ask(100)
    assert [space.to_params(point) for point in X] == list(ParameterGrid(grid))
    np.testing.assert_array_equal(X, list(space.enumerate()))


def test_grid_enumerates_nested_choices():
    space = Space(
        [
            Column("m", Categorical(list("ab"))),
            Column("z", Ordinal([1, 2])),
            Column("s", Categorical(list("pqr")), parent=0, branches=frozenset({1})),
            Column("n", Integer(1, 2), parent=2, branches=frozenset({0, 2})),
        ]
    )
    X = GridSampler().start(space, seed=0).ask(100)
    np.testing.assert_array_equal(X, list(space.enumerate()))
    np.testing.assert_array_equal(X, space.canonical(X))
    # a; b with p or r, each with two n; b with q; and all that for both z
    assert len(X) == 2 * (1 + (2 + 1 + 2))


def test_grid_cuts_ranges_but_not_lists():
    space = Space(
        [
            Column("list", Ordinal(range(25))),
            Column("long", Integer(1, 1000)),
            Column("real", Real(0.0, 1.0)),
            Column("short", Integer(1, 3)),
        ]
    )
    run = GridSampler(resolution=4).start(space, seed=0)
    X = run.ask(10_000)
    asked = [space.to_params(point) for point in X]
    # Middles of four equal slices: 0.5 + 1000 * (1/8, 3/8, ...) of the integers, each rounded up at a tie.
    levels = {
        "list": range(25),
        "long": [126, 376, 626, 876],
        "real": [0.125, 0.375, 0.625, 0.875],
        "short": [1, 2, 3],
    }
    expected = [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]
    assert asked == expected
    assert len(run.ask(1, pending=X)) == 0


def test_grid_passes_over_what_was_told_or_is_pending():
    space = finite_space({"a": [1, 2, 3, 4]})
    X = np.array([space.to_position({"a": a}) for a in (1, 2, 3, 4)])
    run = GridSampler().start(space, seed=0)
    tell_all(run, X[[0, 2]])
    np.testing.assert_array_equal(run.ask(1, pending=X[[1]]), X[[3]])
    assert len(run.ask(1, pending=X[[1, 3]])) == 0


def test_grid_in_fifty_dimensions_is_not_listed():
    space = Space([Column(f"x{j:02}", Real(0.0, 1.0)) for j in range(50)])
    X = GridSampler().start(space, seed=0).ask(11)
    np.testing.assert_allclose(X[:10, 49], np.arange(0.05, 1, 0.1))
    np.testing.assert_allclose(X[10, 48:], [0.15, 0.05])
    np.testing.assert_allclose(X[:, :48], 0.05)


def test_grid_gives_again_what_was_lost():
    # Asked for, but neither told nor pending: whoever had it has died.
    space = finite_space({"a": list(range(6))})
    run = GridSampler().start(space, seed=0)
    X = run.ask(4)
    tell_all(run, X[[1, 2]])
    np.testing.assert_array_equal(run.ask(10, pending=X[[3]]), [X[0], *list(space.enumerate())[4:]])


def test_grid_does_not_walk_again_over_what_was_told(monkeypatch):
    # The first of 2,500 points is still pending; each ask is to look at a few numbers only.
    space = finite_space({"a": list(range(50)), "b": list(range(50))})
    points = np.array(list(space.enumerate()))
    run = GridSampler().start(space, seed=0)
    looked: list[int] = []
    point, number = Lattice.point, Lattice.number
    monkeypatch.setattr(Lattice, "point", lambda self, k: looked.append(k) or point(self, k))
    monkeypatch.setattr(Lattice, "number", lambda self, row: looked.append(-1) or number(self, row))
    for k in range(1, 2500):
        (asked,) = run.ask(1, pending=points[[0]])
        np.testing.assert_array_equal(asked, points[k])
        tell_all(run, asked[None])
    assert len(looked) < 5 * 2500
    assert len(run.ask(1, pending=points[[0]])) == 0


def test_numbers_left_are_those_not_removed():
    random = np.random.default_rng(0)
    left, expected = _Left(), set(range(300))
    for k in random.permutation(250).tolist():
        left.remove(k)
        left.remove(k)
        expected.discard(k)
        start = int(random.integers(300))
        assert left.first_from(start) == min(n for n in expected if n >= start)
        assert left.first_from(0) == min(expected)
    # A run that was walked through once is one step from then on.
    assert left._next[0] == 250


@pytest.mark.parametrize("n_batch", [1, 7])
def test_grid_larger_than_the_search_is_sampled(n_batch):
    space = finite_space({"a": list(range(30)), "b": list(range(30))})
    everything = [point.tobytes() for point in space.enumerate()]
    run = GridSampler().start(space, seed=1, n_trials=90)
    numbers = []
    while len(X := run.ask(n_batch)):
        numbers += [everything.index(row.tobytes()) for row in X]
        tell_all(run, X)
    first, others = numbers[:90], numbers[90:]
    assert first == sorted(first)
    # Any tenth of the 900 would be as probable; one in a corner has none beyond 90.
    assert stats.kstest(np.array(first) / 900, "uniform").pvalue > 0.01
    assert stats.kstest(np.array(first) % 30 / 30, "uniform").pvalue > 0.01
    # When the sample is used up, what is left of the grid follows.
    assert others == sorted(set(range(900)) - set(first))


def test_grid_sample_depends_on_the_seed_and_a_full_grid_does_not():
    space = finite_space({"a": list(range(30)), "b": list(range(30))})

    def asked(seed, n_trials):
        return GridSampler().start(space, seed=seed, n_trials=n_trials).ask(90)

    np.testing.assert_array_equal(asked(0, 90), asked(0, 90))
    assert not np.array_equal(asked(0, 90), asked(1, 90))
    for n_trials in (None, 900, 1000):
        np.testing.assert_array_equal(asked(0, n_trials), list(space.enumerate())[:90])
    assert GridSampler().count_points(space) == 900


def test_grid_sample_of_a_grid_beyond_all_integers():
    # 10**50 points. The first column's ten levels are the first digit of the number.
    space = Space([Column(f"x{j:02}", Real(0.0, 1.0)) for j in range(50)])
    X = GridSampler().start(space, seed=3, n_trials=1000).ask(1000)
    assert len(np.unique(X, axis=0)) == 1000
    for column in X.T[[0, 1, 25, 49]]:
        counts = np.bincount((column * 10).astype(int), minlength=10)
        assert stats.chisquare(counts).pvalue > 0.001
    assert (np.diff(X[:, 0]) >= 0).all()


@pytest.mark.parametrize(
    ("resolution", "error"),
    [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError), ("10", TypeError)],
)
def test_grid_refuses_a_bad_resolution(resolution, error, reals):
    with pytest.raises(error, match="resolution must be"):
        GridSampler(resolution=resolution).start(reals, seed=0)
