"""The Gaussian-process sampler: what it proposes."""

import numpy as np
import pytest

from skhpo.samplers.gp import GPSampler
from skhpo.space._dimensions import Categorical, Integer, Ordinal, Real
from skhpo.space._space import Column, Space


def cube(d):
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(d)])


def mixed():
    return Space(
        [
            Column("kind", Categorical(["a", "b", "c"])),
            Column("n", Integer(1, 40)),
            Column("x", Real(0.0, 1.0)),
            Column("k", Ordinal([1, 2, 5, 9])),
        ]
    )


def conditional():
    return Space(
        [
            Column("model", Categorical(["svm", "tree", "knn"])),
            Column("C", Real(1e-3, 1e3, log=True), parent=0, branches=frozenset({0})),
            Column("depth", Integer(1, 30), parent=0, branches=frozenset({1})),
            Column("k", Integer(1, 9), parent=0, branches=frozenset({2})),
            Column("weights", Categorical(["uniform", "distance"]), parent=0, branches=frozenset({2})),
        ]
    )


def bowl(X):
    """A loss for any space: 0 at 0.3 in all columns, inactive ones count nothing."""
    return np.nansum((X - 0.3) ** 2, axis=1)


def run(sampler, loss, n):
    for _ in range(n):
        X = sampler.ask()
        sampler.tell(X, loss(X))
    return sampler


@pytest.mark.parametrize("space", [cube(2), mixed(), conditional()], ids=["cube", "mixed", "conditional"])
def test_the_same_seed_gives_the_same_proposals(space):
    first, second = (run(GPSampler().start(space, seed=3), bowl, 16) for _ in range(2))
    np.testing.assert_array_equal(first.history.X, second.history.X)
    other = run(GPSampler().start(space, seed=4), bowl, 16)
    assert not np.array_equal(first.history.X, other.history.X, equal_nan=True)


@pytest.mark.parametrize("n", [12, 15, 40, 71])
@pytest.mark.parametrize("space", [cube(3), conditional()], ids=["cube", "conditional"])
def test_a_replay_of_the_tells_proposes_the_same_however_it_is_grouped(space, n):
    # 71 lies between two fits of its doubling, which come at 64, 66, 68, ...
    rng = np.random.default_rng(0)
    X = space.canonical(rng.random((n, space.d)))
    loss = bowl(X) + 0.01 * rng.standard_normal(n)
    loss[::7] = np.nan
    one_by_one = GPSampler().start(space, seed=1)
    for i in range(n):
        one_by_one.tell(X[i : i + 1], loss[i : i + 1])
        if i in (10, 11, 37):
            one_by_one.ask()
    at_once = GPSampler().start(space, seed=1)
    at_once.tell(X, loss)
    at_once.n_asked = one_by_one.n_asked = n
    np.testing.assert_array_equal(one_by_one.ask(2), at_once.ask(2))


def test_startup_points_are_the_scrambled_sobol_design():
    space = cube(2)
    sampler = GPSampler(n_startup=6).start(space, seed=5)
    X = np.concatenate([sampler.ask(2), sampler.ask(4)])
    np.testing.assert_array_equal(X, sampler._design.points(0, 6))
    assert not np.array_equal(GPSampler(n_startup=6).start(space, seed=6).ask(6), X)


def test_a_batch_across_the_end_of_the_design():
    sampler = run(GPSampler(n_startup=6).start(cube(2), seed=5), bowl, 5)
    X = sampler.ask(3)
    np.testing.assert_array_equal(X[0], sampler._design.points(5, 1)[0])
    assert not (X[1:] == sampler._design.points(6, 2)).any()


# "pi" asks for an improvement of 0.01 standard deviations of the losses, here 0.2, and may rest within it.
@pytest.mark.parametrize(
    ("acquisition", "close"), [("log_ei", 1e-4), ("ei", 1e-4), ("pi", 2e-3), ("ucb", 1e-4)]
)
def test_a_smooth_minimum_is_found(acquisition, close):
    # Random search of 30 points has an expected best squared distance of 1 / (30 pi) = 0.01.
    sampler = run(GPSampler(acquisition=acquisition, kappa=1.0).start(cube(2), seed=0), bowl, 30)
    assert bowl(sampler.history.X).min() < close


def test_a_mixed_minimum_is_found():
    space = mixed()
    best = np.array([[0.5, 17.5 / 40, 0.3, 0.625]])

    def loss(X):
        return ((X - best) ** 2).sum(axis=1) + (X[:, 0] != 0.5)

    sampler = run(GPSampler().start(space, seed=2), loss, 40)
    found = sampler.history.X[np.argmin(sampler.history.loss)]
    np.testing.assert_allclose(found[[0, 1, 3]], best[0, [0, 1, 3]], atol=1e-12)
    assert abs(found[2] - 0.3) < 0.02


def test_the_right_branch_is_found():
    space = conditional()

    def loss(X):
        return np.where(space.branch(0, X[:, 0]) == 0, np.nan_to_num(X[:, 1] - 0.8) ** 2, 0.5 + bowl(X))

    sampler = run(GPSampler().start(space, seed=2), loss, 30)
    assert sampler.history.loss.min() < 1e-4


def test_failures_are_stayed_away_from():
    def loss(X):
        return np.where(X[:, 0] < 0.5, np.nan, bowl(X))

    sampler = run(GPSampler().start(cube(2), seed=1), loss, 40)
    # Half of the design fails; the minimum of what remains is at the border of the failures.
    assert np.isnan(sampler.history.loss[10:]).mean() < 0.34
    assert np.nanmin(sampler.history.loss) < 0.045


def test_pending_points_are_respected():
    X = np.random.default_rng(0).random((20, 2))
    sampler = GPSampler().start(cube(2), seed=0)
    sampler.tell(X, bowl(X))
    sampler.n_asked = 20
    alone = sampler.ask()
    sampler.n_asked = 20
    beside = sampler.ask(pending=alone)
    assert np.abs(alone - beside).max() > 0.01


def test_pending_points_do_not_change_the_history_s_model():
    X = np.random.default_rng(0).random((20, 2))
    sampler = GPSampler().start(cube(2), seed=0)
    sampler.tell(X, bowl(X))
    sampler.ask(3, pending=np.array([[0.5, 0.5], [0.1, 0.2]]))
    theta = sampler._theta[True].copy()
    sampler.ask(1)
    np.testing.assert_array_equal(theta, sampler._theta[True])


def hard(kind, X):
    if kind == "constant":
        return np.zeros(len(X))
    if kind == "failures":
        return np.full(len(X), np.nan)
    return 10.0 ** (300 * np.nan_to_num(X[:, 0])) * np.where(np.nan_to_num(X[:, 0]) > 0.5, 1, -1)


@pytest.mark.parametrize("kind", ["constant", "failures", "huge"])
@pytest.mark.parametrize(
    "space", [cube(1), cube(50), mixed(), conditional()], ids="1 50 mixed conditional".split()
)
def test_hard_losses_break_nothing_and_nothing_is_proposed_twice(space, kind):
    sampler = run(GPSampler(n_startup=4).start(space, seed=0), lambda X: hard(kind, X), 8)
    np.testing.assert_array_equal(sampler.history.X, space.canonical(sampler.history.X))
    assert len({row.tobytes() for row in sampler.history.X}) == 8
    X = sampler.ask(3, pending=sampler._design.points(90, 2))
    assert X.shape == (3, space.d)


def test_constant_losses_are_answered_by_filling_the_space():
    sampler = run(GPSampler(n_startup=2).start(cube(1), seed=0), lambda X: np.zeros(len(X)), 9)
    gaps = np.diff(np.sort(np.r_[0.0, sampler.history.X[:, 0], 1.0]))
    assert gaps.max() < 0.26


def test_points_told_many_times_with_different_losses():
    X = np.repeat(np.random.default_rng(0).random((3, 2)), 10, axis=0)
    sampler = GPSampler().start(cube(2), seed=0)
    sampler.tell(X, bowl(X) + 0.1 * np.random.default_rng(1).standard_normal(30))
    assert not (sampler.ask() == X).all(axis=1).any()


def test_a_space_of_one_point():
    space = Space([Column("a", Categorical(["only"])), Column("b", Ordinal([3]))])
    sampler = GPSampler().start(space, seed=0)
    X = sampler.ask(5)
    np.testing.assert_array_equal(X, [[0.5, 0.5]])
    sampler.tell(X, [1.0])
    assert sampler.ask().shape == (0, 2)


def test_a_categorical_space_is_asked_to_its_end_best_first():
    space = Space([Column("a", Categorical(list("abcdef"))), Column("b", Categorical(list("abcdef")))])

    def loss(X):
        return (X[:, 0] != space.columns[0].dimension.levels()[4]) + (X[:, 1] != 0.25).astype(float)

    sampler = GPSampler().start(space, seed=0)
    for _ in range(12):
        X = sampler.ask(3)
        sampler.tell(X, loss(X))
    assert len({row.tobytes() for row in sampler.history.X}) == 36
    assert np.argmin(sampler.history.loss) < 24
    assert sampler.ask().shape == (0, 2)


def test_more_workers_than_startup_points():
    sampler = GPSampler(n_startup=3).start(cube(2), seed=0)
    X = sampler.ask(3)
    more = sampler.ask(4, pending=X)
    np.testing.assert_array_equal(more, sampler._design.points(3, 4))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"acquisition": "logei"}, ValueError, "'log_ei', 'ei', 'pi', 'ucb'"),
        ({"n_startup": 0}, ValueError, "at least 1"),
        ({"n_startup": 2.5}, TypeError, "integer"),
        ({"n_fantasies": True}, TypeError, "integer"),
        ({"kappa": -1.0}, ValueError, "not negative"),
        ({"kappa": float("nan")}, ValueError, "finite"),
        ({"margin": "0.1"}, TypeError, "number"),
        ({"transform": "yes"}, TypeError, "True or False"),
    ],
)
def test_bad_options_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        GPSampler(**options)


# -- bends ----------------------------------------------------------------------------------------


def test_a_replay_with_bends_proposes_the_same():
    space = conditional()
    one_by_one, at_once = (GPSampler(warp=True, n_startup=4).start(space, seed=1) for _ in range(2))
    run(one_by_one, lambda X: np.nansum((X - 0.3) ** 2, axis=1), 12)
    at_once.tell(one_by_one.history.X, one_by_one.history.loss)
    at_once.n_asked = one_by_one.n_asked
    np.testing.assert_array_equal(one_by_one.ask(2), at_once.ask(2))


def test_bends_help_where_an_effect_ends_somewhere():
    """A valley in the first tenth of a plane that is flat beyond, as of a penalty."""

    def loss(X):
        return np.tanh(8.0 * np.abs(X[:, 0] - 0.06)) + 0.3 * (X[:, 1] - 0.4) ** 2

    regrets = [
        np.mean(
            [run(GPSampler(warp=warp).start(cube(2), seed=s), loss, 30).history.loss.min() for s in (0, 1, 2)]
        )
        for warp in (True, False)
    ]
    assert regrets[0] < 0.02
    assert regrets[0] < regrets[1] + 0.01


def test_warp_is_true_or_false():
    with pytest.raises(TypeError, match="warp must be True or False, got 1"):
        GPSampler(warp=1)
