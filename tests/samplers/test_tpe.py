"""The tree-structured Parzen estimator: its split, its choice, and histories that are no help."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from skhpo.samplers._history import Earlier
from skhpo.samplers.tpe import TPESampler
from skhpo.space import Categorical, Column, Integer, Ordinal, Real, Space

NAN = np.nan


@pytest.fixture
def line():
    return Space([Column("x", Real(0.0, 1.0))])


@pytest.fixture
def tree():
    return Space(
        [
            Column("model", Categorical(["a", "b"])),
            Column("rate", Real(0.0, 1.0), 0, frozenset([0])),
            Column("depth", Integer(1, 20), 0, frozenset([1])),
            Column("kind", Categorical(["x", "y", "z"]), 0, frozenset([1])),
            Column("shared", Real(0.0, 1.0)),
        ]
    )


def _told(space, X, loss, **options):
    run = TPESampler(**options).start(space, seed=0)
    run.tell(np.asarray(X, dtype=float), np.asarray(loss, dtype=float))
    run.n_asked = len(X)
    return run


def _search(space, objective, n, seed=0, earlier=None, **options):
    run = TPESampler(**options).start(space, seed=seed, earlier=earlier)
    for _ in range(n):
        X = run.ask()
        run.tell(X, [objective(X[0])])
    return run


@pytest.mark.parametrize(
    "options, error",
    [
        ({"n_startup": 0}, ValueError),
        ({"n_startup": 2.5}, TypeError),
        ({"n_ei_candidates": 0}, ValueError),
        ({"max_below": True}, TypeError),
        ({"max_above": 0}, ValueError),
        ({"gamma": 0.0}, ValueError),
        ({"gamma": 1.5}, ValueError),
        ({"gamma": "0.1"}, TypeError),
        ({"prior_weight": -1.0}, ValueError),
        ({"prior_weight": np.inf}, ValueError),
        ({"min_bandwidth_factor": np.nan}, ValueError),
        ({"magic_clip_exponent": 0}, ValueError),
        ({"weights": "ei"}, ValueError),
        ({"n_earlier": 0}, ValueError),
        ({"min_bandwidth_factor": 2}, ValueError),
    ],
)
def test_bad_options_are_named(options, error):
    (name,) = options
    with pytest.raises(error, match=name):
        TPESampler(**options)


def test_the_design_is_scrambled_sobol(tree):
    run = TPESampler(n_startup=8).start(tree, seed=3)
    X = np.concatenate([run.ask(5), run.ask(3)])
    expected = qmc.Sobol(5, scramble=True, rng=3).random_base2(5)[:8]
    np.testing.assert_array_equal(X, tree.canonical(expected))


def test_split_and_weights_by_hand(line):
    # Ten losses and gamma 0.25: ceil(2.5) = 3 below, y* = 0.4, improvements 0.4, 0.3, 0.1 with the
    # mean 0.8 / 3.
    loss = np.array([0.9, 0.1, 0.5, 0.0, 0.7, 0.3, 0.8, 0.4, 0.6, 1.0])
    X = np.linspace(0.05, 0.95, 10)[:, None]
    below, above = _told(line, X, loss, gamma=0.25, weights="improvement")._split()
    np.testing.assert_allclose(below.X[:, 0], [0.35, 0.15, 0.55])
    np.testing.assert_allclose(below.w, [1.5, 1.125, 0.375])
    np.testing.assert_array_equal(above.w, np.ones(7))
    assert len(_told(line, X, loss, gamma=0.25, max_below=2)._split()[0].X) == 2
    equal = _told(line, X, loss, gamma=0.25, weights="equal")
    np.testing.assert_array_equal(equal._split()[0].w, np.ones(3))
    # log 3.5, log 3.5/2 and log 3.5/3, whose sum is log 3.5^3/6, divided by their mean.
    rank = _told(line, X, loss, gamma=0.25, weights="rank")._split()[0].w
    np.testing.assert_allclose(rank, 3 * np.log([3.5, 1.75, 3.5 / 3]) / np.log(42.875 / 6))


def test_losses_whose_difference_overflows_weigh_the_same(line):
    loss = [1e308, -1e308, 1e308, -0.9e308]
    X = [[0.1], [0.3], [0.6], [0.8]]
    below, _ = _told(line, X, loss, gamma=0.5, weights="improvement")._split()
    np.testing.assert_array_equal(below.w, [1.0, 1.0])


def test_failures_are_above_and_do_not_count_towards_the_share(line):
    loss = [np.nan, 0.2, np.inf, 0.1, np.nan, np.nan, np.nan, np.nan]
    below, above = _told(line, np.linspace(0.1, 0.9, 8)[:, None], loss, gamma=0.5)._split()
    np.testing.assert_allclose(below.X[:, 0], [0.1 + 3 * 0.8 / 7])
    assert len(above.X) == 7


def test_the_proposal_has_the_largest_ratio_of_the_candidates(line):
    """l and g are put together again from scipy's truncated normals and bandwidths worked by hand."""
    X = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.8])
    loss = np.array([3.0, 0.0, 1.0, 2.0, 5.0, 4.0])
    run = _told(
        line,
        X[:, None],
        loss,
        n_startup=1,
        gamma=0.3,
        weights="improvement",
        min_bandwidth_factor=0.01,
        magic_clip_exponent=3.0,
    )

    # Two below, x = 0.2 and 0.3, y* = 2: improvements 2 and 1, weights 4/3 and 2/3. Mean 7/30, variance
    # 2/3 (1/30)^2 + 1/3 (2/30)^2 = 1/450; in one dimension sigma = 450^-1/2 2^-1/5, above the clip 4^-3.
    sigma = 450**-0.5 * 2**-0.2

    def density(x, mu, w):
        kernels = [stats.truncnorm.pdf(x, -a / sigma, (1 - a) / sigma, loc=a, scale=sigma) for a in mu]
        return (np.dot(w, kernels) + 1.0) / (sum(w) + 1.0)

    below, _ = run._split()
    candidates = run._estimator(below, np.array([sigma])).sample(24, np.random.default_rng(5))[:, 0]
    ratio = density(candidates, [0.2, 0.3], [4 / 3, 2 / 3]) / density(
        candidates, [0.1, 0.5, 0.6, 0.8], np.ones(4)
    )
    proposal = run._propose(1, np.empty((0, 1)), np.random.default_rng(5))
    assert proposal[0, 0] == pytest.approx(candidates[np.argmax(ratio)], rel=1e-12)


def test_pending_points_push_proposals_away(line):
    X = np.linspace(0.02, 0.98, 40)[:, None]
    run = _told(line, X, (X[:, 0] - 0.5) ** 2)
    pending = np.linspace(0.45, 0.5, 8)[:, None]
    alone, beside = (
        np.array([run._propose(1, p, np.random.default_rng(i))[0, 0] for i in range(60)])
        for p in (np.empty((0, 1)), pending)
    )
    assert np.mean((alone > 0.44) & (alone < 0.5)) > 0.8
    assert np.mean((beside > 0.44) & (beside < 0.5)) < 0.1


def test_failed_region_is_avoided(line):
    X = np.linspace(0.01, 0.99, 50)[:, None]
    run = _told(line, X, np.where(X[:, 0] > 0.4, np.nan, 1.0))
    proposals = run.ask(30)[:, 0]
    assert np.mean(proposals < 0.45) > 0.8


def test_values_that_were_seen_are_not_drawn_again():
    space = Space([Column("x", Integer(1, 30))])
    seen = space.canonical(np.linspace(0, 1, 21)[:, None])
    seen = np.unique(seen, axis=0)
    run = _told(space, seen, np.abs(seen[:, 0] - 0.5))
    known = {float(x) for x in seen[:, 0]}
    free = [float(run._propose(1, np.empty((0, 1)), np.random.default_rng(i))[0, 0]) for i in range(20)]
    assert known.isdisjoint(free)


@pytest.mark.parametrize("told", ["nothing", "failures", "constant", "one"])
def test_histories_that_teach_nothing(tree, told):
    rng = np.random.default_rng(0)
    X = rng.random((30, 5))
    loss = {"failures": np.full(30, np.nan), "constant": np.ones(30), "one": np.r_[1.0, np.full(29, np.nan)]}
    run = TPESampler(n_startup=1).start(tree, seed=1)
    if told in loss:
        run.tell(X, loss[told])
    run.n_asked = 30
    proposals = run.ask(20)
    np.testing.assert_array_equal(proposals, tree.canonical(proposals))
    assert len({row.tobytes() for row in proposals}) == 20


def test_a_space_of_one_point_is_asked_once():
    space = Space([Column("a", Categorical(["only"])), Column("b", Ordinal([3]))])
    run = TPESampler().start(space, seed=0)
    X = run.ask()
    assert X.shape == (1, 2)
    run.tell(X, [1.0])
    assert run.ask().shape == (0, 2)


def test_columns_of_one_level_do_not_disturb_the_others():
    space = Space([Column("a", Categorical(["only"])), Column("b", Ordinal([3])), Column("x", Real(0, 1))])
    run = _search(space, lambda x: (x[2] - 0.3) ** 2, 40)
    assert run.history.loss.min() < 1e-3


def test_a_finite_space_is_asked_through():
    space = Space([Column("a", Categorical(list("abcd"))), Column("b", Ordinal([1, 2, 4]))])
    run = _search(space, lambda x: x.sum(), 12, n_startup=4)
    assert len({row.tobytes() for row in run.history.X}) == 12
    assert len(run.ask()) == 0


def test_fifty_dimensions():
    space = Space([Column(f"x{j}", Real(0, 1)) for j in range(50)])
    run = _search(space, lambda x: ((x - 0.3) ** 2).sum(), 60)
    assert np.isfinite(run.history.X).all()
    assert run.history.loss[40:].min() < run.history.loss[:10].min()


def test_the_branch_of_the_best_points_is_found(tree):
    """Branch b is better by 0.5 and its depth of 7 best of all; a's rate does not matter to it."""

    def objective(x):
        if x[0] < 0.5:
            return 0.5 + (x[1] - 0.5) ** 2 + (x[4] - 0.8) ** 2
        return abs(x[2] - 6.5 / 20) + 0.3 * (x[3] > 1 / 3) + (x[4] - 0.8) ** 2

    runs = [_search(tree, objective, 60, seed=seed) for seed in range(5)]
    assert np.median([run.history.loss.min() for run in runs]) < 0.05
    assert np.mean([np.mean(run.history.X[30:, 0] > 0.5) for run in runs]) > 0.7


def test_replayed_tells_give_the_same_proposal(tree):
    run = _search(tree, lambda x: np.nansum(x), 30, seed=7)
    replay = TPESampler().start(tree, seed=7)
    replay.tell(run.history.X, run.history.loss)
    replay.n_asked = run.n_asked
    pending = tree.canonical(np.random.default_rng(2).random((3, 5)))
    np.testing.assert_array_equal(run.ask(4, pending), replay.ask(4, pending))


def test_arguments_are_left_alone(tree):
    run = _search(tree, lambda x: np.nansum(x), 15)
    pending = tree.canonical(np.random.default_rng(2).random((3, 5)))
    X, copy = run.history.X.copy(), pending.copy()
    run.ask(3, pending)
    np.testing.assert_array_equal(pending, copy)
    np.testing.assert_array_equal(run.history.X, X)


# -- long histories ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resources", [[1.0], [1 / 3, 1.0]])
def test_up_to_the_limit_every_evaluation_has_a_kernel(tree, resources):
    rng = np.random.default_rng(2)
    X = rng.random((1000, 5))
    loss = ((X - 0.4) ** 2).sum(axis=1)
    loss[::17] = NAN
    asked = []
    for max_above in (1000, 10_000):
        run = TPESampler(max_above=max_above).start(tree, seed=0)
        run.tell(X, loss, np.resize(resources, 1000))
        run.n_asked = 1000
        asked.append(run.ask(2, X[:3]))
    np.testing.assert_array_equal(*asked)


def test_the_middle_of_each_slice_of_ranks_stands_for_the_slice(line):
    # Two of 14 below; the twelve above in four slices of three, whose middles are the losses 3, 6, 9, 12.
    loss = np.random.default_rng(0).permutation(14).astype(float)
    X = loss[:, None] / 20
    below, above = _told(line, X, loss, gamma=0.1, max_below=2, max_above=4)._split()
    np.testing.assert_allclose(20 * below.X[:, 0], [0, 1])
    np.testing.assert_allclose(20 * above.X[:, 0], [3, 6, 9, 12])
    np.testing.assert_array_equal(above.w, [3.0, 3.0, 3.0, 3.0])
    # Slices of 2.4: the middles at 1.2, 3.6, 6, 8.4 and 10.8 fall on the ranks 1, 3, 6, 8 and 10.
    _, above = _told(line, X, loss, gamma=0.1, max_below=2, max_above=5)._split()
    np.testing.assert_allclose(20 * above.X[:, 0], [3, 5, 8, 10, 12])
    np.testing.assert_allclose(above.w, np.full(5, 2.4))


def test_pending_points_and_the_prior_weigh_one_beside_kernels_that_stand_for_many(line, monkeypatch):
    run = _told(line, np.linspace(0.01, 0.99, 65)[:, None], np.arange(65.0), max_below=5, max_above=6)
    seen = []
    estimator = TPESampler._estimator

    def spy(self, kernels, sigma):
        seen.append(kernels.w)
        return estimator(self, kernels, sigma)

    monkeypatch.setattr(TPESampler, "_estimator", spy)
    run._propose(2, np.array([[0.111], [0.222]]), np.random.default_rng(0))
    _, first, second = seen
    np.testing.assert_array_equal(first, [10.0] * 6 + [1.0] * 2)
    np.testing.assert_array_equal(second, [10.0] * 6 + [1.0] * 3)


def test_the_density_above_is_kept(tree):
    """Where candidates are drawn."""
    rng = np.random.default_rng(3)
    X = rng.random((5025, 5))
    X[2000:] = np.clip(0.4 + 0.15 * rng.standard_normal((3025, 5)), 0, 1)
    loss = ((X - 0.4) ** 2).sum(axis=1)
    at = tree.canonical(np.clip(0.4 + 0.1 * rng.standard_normal((200, 5)), 0, 1))
    every, thinned = (
        run._estimator(run._split()[1], np.full(5, 0.1)).log_density(at)
        for run in (_told(tree, X, loss, max_above=m) for m in (5000, 1000))
    )
    assert np.abs(thinned - every).mean() < 0.2
    assert abs((thinned - every).mean()) < 0.1


def test_the_order_of_losses_does_not_depend_on_how_they_were_told(line):
    rng = np.random.default_rng(1)
    loss = rng.integers(0, 6, 200).astype(float)
    loss[rng.random(200) < 0.2] = rng.choice([NAN, np.inf, -np.inf])
    X = rng.random((200, 1))
    run = TPESampler().start(line, seed=0)
    first = 0
    for size in (1, 0, 7, 1, 1, 40, 3, 147):
        run.tell(X[first : first + size], loss[first : first + size])
        first += size
    y = np.where(np.isfinite(loss), loss, np.inf)
    np.testing.assert_array_equal(run._order, np.argsort(y, kind="stable"))
    np.testing.assert_array_equal(run._sorted_loss, np.sort(y))


@pytest.mark.parametrize("resources", [[1.0], [1 / 9, 1 / 3, 1.0]])
def test_a_long_history_told_again_gives_the_same_proposal(tree, resources):
    run = TPESampler(max_above=20).start(tree, seed=4)
    for k in range(90):
        X = run.ask()
        run.tell(X, [NAN if k % 11 == 5 else np.nansum(X)], resources[k % len(resources)])
    at_once, singly = (TPESampler(max_above=20).start(tree, seed=4) for _ in range(2))
    X, loss, resource = run.history.X, run.history.loss, run.history.resource
    at_once.tell(X, loss, resource)
    for k in range(90):
        singly.tell(X[k : k + 1], loss[k : k + 1], resource[k])
    at_once.n_asked = singly.n_asked = run.n_asked
    expected = run.ask(3)
    np.testing.assert_array_equal(at_once.ask(3), expected)
    np.testing.assert_array_equal(singly.ask(3), expected)


def test_with_few_kernels_above_the_optimum_is_still_found(line):
    run = _search(line, lambda x: (x[0] - 0.3) ** 2, 150, max_above=10)
    assert run.history.loss.min() < 1e-4


# -- from an earlier search --------------------------------------------------------------------------------


@pytest.fixture
def cube():
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(4)])


def _bowl(centre):
    def objective(x):
        z = x - centre
        return z @ z + 0.05 * (1 - np.cos(9 * z)).sum()

    return objective


def _earlier(space, objective, seed, n=40):
    """Results of a search for the same on another scale."""
    run = _search(space, lambda x: 10 + 7 * objective(x), n, seed=seed)
    return Earlier.of(space, run.history.X, run.history.loss)


def _medians(space, pairs, n, move):
    """Median log10 of the best loss of cold and of warm searches, where the earlier optimum was moved."""
    best = []
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        centre = rng.uniform(0.3, 0.7, space.d)
        earlier = _earlier(space, _bowl(centre + move * rng.choice([-1, 1], space.d)), 100 + seed)
        cold, warm = (
            _search(space, _bowl(centre), n, seed=seed, earlier=given).history.loss.min()
            for given in (None, earlier)
        )
        best.append([cold, warm])
    return np.median(np.log10(best), axis=0)


def test_the_first_proposal_is_the_best_point_of_the_earlier_search(cube):
    earlier = _earlier(cube, _bowl(0.4), 0)
    run = TPESampler().start(cube, seed=0, earlier=earlier)
    first, second = run.ask(2)
    np.testing.assert_array_equal(first, earlier.X[0])
    assert not np.array_equal(second, first)
    # Neither again while it is pending, nor once it was told, nor if others knew it already.
    assert not (run.ask(3, np.array([first, second])) == first).all(axis=1).any()
    knowing = TPESampler().start(cube, seed=0, earlier=earlier)
    knowing.tell(first[None], [1.0])
    assert not np.array_equal(knowing.ask()[0], first)


def test_a_similar_problem_is_solved_sooner(cube):
    cold, warm = _medians(cube, 7, n=20, move=0.05)
    assert warm < cold - 0.3


def test_an_earlier_search_that_misleads_is_forgotten(cube):
    cold, warm = _medians(cube, 7, n=60, move=0.3)
    assert warm < cold + 0.7


def test_what_an_earlier_search_is_worth_fades(line):
    X = np.linspace(0.05, 0.95, 20)[:, None]
    earlier = Earlier.of(line, X, np.arange(20.0))
    run = TPESampler(n_earlier=10, gamma=0.1, weights="equal").start(line, seed=0, earlier=earlier)
    # Two of twenty are good; together the twenty are worth ten evaluations, and nothing of the bad counts.
    below, above = run._split()
    np.testing.assert_allclose(below.X[:, 0], X[:2, 0])
    np.testing.assert_allclose(below.w, [0.5, 0.5])
    assert len(above.X) == 0
    rng = np.random.default_rng(0)
    run.tell(rng.random((15, 1)), rng.random(15))
    # Half of thirty evaluations later, half is left beside two of its own.
    np.testing.assert_allclose(run._split()[0].w, [1.0, 1.0, 0.25, 0.25])
    run.tell(rng.random((15, 1)), rng.random(15))
    assert len(run._split()[0].X) == 3


def test_losses_of_the_earlier_search_are_not_compared(cube):
    """Another unit and another origin of the earlier losses change nothing."""
    X = np.random.default_rng(0).random((30, 4))
    loss = X.sum(axis=1)
    asked = []
    for scaled in (loss, 1e6 + 1e3 * loss):
        run = TPESampler().start(cube, seed=0, earlier=Earlier.of(cube, X, scaled))
        run.tell(X[:5] * 0.9, loss[:5])
        asked.append(run.ask(5))
    np.testing.assert_array_equal(*asked)


def test_one_earlier_result_under_a_budget(tree):
    earlier = Earlier.of(tree, np.full((1, 5), 0.3), np.array([2.0]))
    run = TPESampler().start(tree, seed=0, earlier=earlier)
    for k in range(20):
        X = run.ask()
        run.tell(X, [np.nansum(X)], [1 / 9, 1 / 3, 1.0][k % 3])
    replay = TPESampler().start(tree, seed=0, earlier=earlier)
    replay.tell(run.history.X, run.history.loss, run.history.resource)
    replay.n_asked = run.n_asked
    np.testing.assert_array_equal(run.ask(3), replay.ask(3))
