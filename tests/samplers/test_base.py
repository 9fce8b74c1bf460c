"""What all samplers share: the history, duplicates, streams and the design."""

import numpy as np
import pytest
from scipy.stats import qmc

from skhpo.samplers import Earlier, History, RandomSampler, Sampler, make_sampler
from skhpo.samplers._base import PointsLeft, SobolDesign, distances
from skhpo.space import Categorical, Column, Integer, Real, Space


class Stubborn(Sampler):
    """Wants the same point for ever."""

    def __init__(self, point):
        self.point = point

    def _propose(self, n, pending, rng):
        return np.tile(self.point, (n, 1))


@pytest.fixture
def plane():
    return Space([Column("x", Real(0.0, 1.0)), Column("y", Real(0.0, 1.0))])


@pytest.fixture
def letters():
    return Space([Column("a", Categorical(list("pqrs"))), Column("n", Integer(1, 5))])


@pytest.fixture
def tree():
    return Space(
        [
            Column("m", Categorical(["u", "v"])),
            Column("x", Real(0.0, 1.0), parent=0, branches=frozenset({1})),
        ]
    )


# -- history -----------------------------------------------------------------------------------------


def test_history_grows_and_keeps_the_order():
    history = History(2)
    rng = np.random.default_rng(0)
    X, loss, resource = rng.random((200, 2)), rng.random(200), rng.random(200)
    start = 0
    for size in (1, 15, 1, 0, 100, 83):
        stop = start + size
        history.append(X[start:stop], loss[start:stop], resource[start:stop])
        start = stop
        assert len(history) == stop
        np.testing.assert_array_equal(history.X, X[:stop])
        np.testing.assert_array_equal(history.loss, loss[:stop])
        np.testing.assert_array_equal(history.resource, resource[:stop])


def test_history_makes_few_copies_as_it_grows():
    history = History(1)
    buffers = set()
    for _ in range(1000):
        history.append(np.zeros((1, 1)), np.zeros(1), np.ones(1))
        buffers.add(len(history._X))
    assert buffers == {16, 32, 64, 128, 256, 512, 1024}


def test_history_takes_all_that_is_not_finite_for_a_failure():
    history = History(1)
    history.append(np.zeros((4, 1)), np.array([np.nan, np.inf, -np.inf, 1.0]), np.ones(4))
    np.testing.assert_array_equal(history.loss, [np.nan, np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(history.succeeded, [False, False, False, True])


def test_history_knows_its_points_and_whether_there_were_budgets():
    history = History(1)
    X = np.array([[0.1], [0.2], [0.1]])
    history.append(X[:2], np.zeros(2), np.ones(2))
    assert set(history.points) == {X[0].tobytes(), X[1].tobytes()}
    assert not history.is_budgeted
    history.append(X[2:], np.zeros(1), np.array([0.5]))
    assert len(history.points) == 2 and history.is_budgeted
    history.append(X[2:], np.zeros(1), np.ones(1))
    assert history.is_budgeted


def test_history_cannot_be_rewritten():
    history = History(1)
    history.append(np.zeros((2, 1)), np.zeros(2), np.ones(2))
    for view in (history.X, history.loss, history.resource):
        with pytest.raises(ValueError, match="read-only"):
            view *= 2
    history.append(np.ones((1, 1)), np.ones(1), np.ones(1))
    np.testing.assert_array_equal(history.X[:, 0], [0, 0, 1])


# -- ask and tell ------------------------------------------------------------------------------------


def test_start_leaves_the_original_as_it_is(plane):
    sampler = RandomSampler()
    run = sampler.start(plane, seed=1)
    run.ask(3)
    run.tell([[0.1, 0.2]], [1.0])
    assert not vars(sampler)
    assert len(run.start(plane, seed=1).history) == 0
    assert len(run.history) == 1


def test_the_stream_depends_on_seed_and_number_asked_alone(plane):
    first, second = (RandomSampler().start(plane, seed=9) for _ in range(2))
    first.ask(2)
    first.tell([[0.5, 0.5]], [0.0])
    second.n_asked = 2
    np.testing.assert_array_equal(first.ask(3), second.ask(3))


def test_the_first_stream_is_not_that_of_the_design(plane):
    # default_rng([seed, 0]) would be default_rng(seed), from which Sobol's scrambling is drawn.
    X = RandomSampler().start(plane, seed=4).ask(1)
    assert not np.isin(X, np.random.default_rng(4).random((100, 2))).any()


def test_points_are_clipped_and_snapped(letters):
    run = Stubborn([7.0, -3.0]).start(letters, seed=0)
    assert letters.to_params(run.ask(1)[0]) == {"a": "s", "n": 1}


def test_tell_takes_points_that_are_not_canonical(letters):
    run = RandomSampler().start(letters, seed=0)
    run.tell([[0.01, 0.99]], [1.0])
    np.testing.assert_allclose(run.history.X, [[1 / 8, 9 / 10]])


@pytest.mark.parametrize(
    ("X", "loss", "resource", "match"),
    [
        ([[0.1, 0.2]], [1.0, 2.0], 1.0, r"loss must have shape \(1,\)"),
        ([[0.1]], [1.0], 1.0, r"X must have shape \(n, 2\), got \(1, 1\)"),
        ([[0.1, 0.2, 0.3]], [1.0], 1.0, r"X must have shape \(n, 2\), got \(1, 3\)"),
        ([0.1, 0.2], [1.0], 1.0, r"X must have shape \(n, 2\), got \(2,\)"),
        ([[0.1, np.nan]], [1.0], 1.0, "no value in column 1"),
        ([[0.1, 0.2]], [1.0], [1.0, 1.0], "resource must be one number or have shape"),
    ],
)
def test_tell_refuses_what_does_not_fit(plane, X, loss, resource, match):
    run = RandomSampler().start(plane, seed=0)
    with pytest.raises(ValueError, match=match):
        run.tell(X, loss, resource)
    assert len(run.history) == 0


def test_ask_refuses_pending_points_of_another_shape(plane):
    run = RandomSampler().start(plane, seed=0)
    with pytest.raises(ValueError, match=r"pending must have shape \(n, 2\)"):
        run.ask(1, [0.1, 0.2])
    assert run.ask(1, []).shape == (1, 2)


def test_nothing_told_is_nothing_learnt(plane):
    run = RandomSampler().start(plane, seed=0)
    run.tell(np.empty((0, 2)), [])
    assert len(run.history) == 0


# -- duplicates --------------------------------------------------------------------------------------


def test_a_duplicate_gives_way_to_the_nearest_level(letters):
    point = letters.to_position({"a": "q", "n": 3})
    run = Stubborn(point).start(letters, seed=0)
    X = run.ask(3)
    values = [letters.to_params(row) for row in X]
    assert values[0] == {"a": "q", "n": 3}
    assert sorted(value["n"] for value in values[1:]) == [2, 4]
    assert {value["a"] for value in values} == {"q"}


def test_points_left_are_those_that_were_neither_told_nor_taken(letters):
    everything = np.array(list(letters.enumerate()))
    keys = [point.tobytes() for point in everything]
    order = np.random.default_rng(0).permutation(20)
    left, told = PointsLeft(letters), {}
    for stop in (0, 1, 7, 7, 12):
        told.update((keys[i], None) for i in order[len(told) : stop])
        # One of those that are taken was told before.
        taken = {keys[order[0]], keys[order[-1]]}
        expected = [
            point for key, point in zip(keys, everything, strict=True) if key not in taken | set(told)
        ]
        np.testing.assert_array_equal(left.beside(told.keys(), taken), expected)


def test_equally_near_levels_are_chosen_at_random():
    space = Space([Column("a", Categorical(list("pqrs")))])
    point = space.to_position({"a": "q"})[None]
    chosen = {
        space.to_params(Stubborn(point[0]).start(space, seed=seed).ask(1, pending=point)[0])["a"]
        for seed in range(40)
    }
    assert chosen == {"p", "r", "s"}


def test_a_duplicate_of_a_real_point_gives_way_to_a_near_one(plane):
    run = Stubborn([0.5, 0.5]).start(plane, seed=0)
    X = run.ask(20)
    assert len({row.tobytes() for row in X}) == 20
    assert np.abs(X - 0.5).max() < 0.3


def test_a_duplicate_without_neighbours_in_its_branch_moves_to_another(tree):
    run = Stubborn([0.25, np.nan]).start(tree, seed=0)
    X = run.ask(2)
    np.testing.assert_array_equal(X[0], [0.25, np.nan])
    assert X[1, 0] == 0.75 and 0 <= X[1, 1] <= 1


def test_a_large_finite_space_is_searched_to_its_end():
    # Larger than what is listed: 150 x 150.
    space = Space([Column("n", Integer(1, 150)), Column("m", Integer(1, 150))])
    everything = np.array(list(space.enumerate()))
    left = space.to_position({"n": 70, "m": 5})
    run = Stubborn(everything[0]).start(space, seed=0)
    told = everything[~(everything == left).all(axis=1)]
    run.tell(told, np.zeros(len(told)))
    np.testing.assert_array_equal(run.ask(5), left[None])
    assert len(run.ask(1, pending=left[None])) == 0


def test_a_space_that_is_used_up_gives_what_is_left(letters):
    everything = np.array(list(letters.enumerate()))
    run = RandomSampler().start(letters, seed=0)
    run.tell(everything[:15], np.zeros(15))
    # One pending point was told before, at another resource: it counts once.
    X = run.ask(10, pending=everything[14:17])
    assert {row.tobytes() for row in X} == {row.tobytes() for row in everything[17:]}
    assert run.n_asked == 3


# -- helpers -----------------------------------------------------------------------------------------


def test_distances_by_hand(tree):
    A = np.array([[0.25, np.nan], [0.75, 0.2], [0.75, 0.9]])
    # The same branch and 0.7 apart; another branch: 1 for the choice, 1 for the column in one only.
    np.testing.assert_allclose(distances(A, A, tree), [[0, 2, 2], [2, 0, 0.7], [2, 0.7, 0]])


def test_design_is_one_sequence_however_it_is_cut():
    design = SobolDesign(3, seed=11)
    parts = [design.points(0, 3), design.points(3, 40), design.points(43, 85), design.points(5, 2)]
    sequence = qmc.Sobol(3, scramble=True, rng=11).random_base2(7)
    np.testing.assert_array_equal(np.concatenate(parts[:3]), sequence)
    np.testing.assert_array_equal(parts[3], sequence[5:7])


@pytest.mark.parametrize("name", ["random", "sobol", "grid", "tpe", "gp", "cmaes"])
def test_samplers_have_names(name):
    sampler = make_sampler(name)
    assert type(sampler).__name__.lower() == f"{name}sampler"
    assert make_sampler(sampler) is sampler
    assert make_sampler(name) is not sampler


def test_unknown_names_are_refused():
    with pytest.raises(
        ValueError, match=r"\['auto', 'cmaes', 'gp', 'grid', 'random', 'sobol', 'tpe'\].*got 'TPE'"
    ):
        make_sampler("TPE")
    for wrong in (None, 3, RandomSampler):
        with pytest.raises(TypeError, match="sampler must be"):
            make_sampler(wrong)


@pytest.mark.parametrize("shape", [(1, 3), (2,), (1, 2, 1)])
def test_a_proposal_of_a_wrong_shape_names_the_sampler(shape):
    class Wrong(Sampler):
        def _propose(self, n, pending, rng):
            return rng.random(shape)

    space = Space([Column("a", Real(0.0, 1.0)), Column("b", Real(0.0, 1.0))])
    with pytest.raises(ValueError, match=r"Wrong._propose must return an array of shape \(n, 2\)"):
        Wrong().start(space, seed=0).ask()


@pytest.mark.parametrize("resource", [np.nan, 0.0, -1.0, np.inf])
def test_resource_must_be_a_positive_number(resource):
    sampler = RandomSampler().start(Space([Column("a", Real(0.0, 1.0))]), seed=0)
    with pytest.raises(ValueError, match="resource must be finite"):
        sampler.tell(sampler.ask(), [0.0], resource)


def test_a_space_without_columns_is_refused():
    with pytest.raises(ValueError, match="no columns"):
        RandomSampler().start(Space([]), seed=0)


def test_folds_are_kept_beside_the_losses(plane):
    run = RandomSampler().start(plane, seed=0)
    X = run.ask(3)
    run.tell(X[:1], np.array([1.0]))
    assert run.history.folds is None
    run.tell(X[1:], np.array([2.0, 3.0]), folds=np.array([[1.0, 3.0], [3.0, np.inf]]))
    np.testing.assert_array_equal(run.history.folds, [[np.nan, np.nan], [1.0, 3.0], [3.0, np.nan]])
    for _ in range(40):
        run.tell(run.ask(), np.array([0.0]), folds=np.array([[-1.0, 1.0]]))
    assert run.history.folds.shape == (43, 2)
    np.testing.assert_array_equal(run.history.folds[-1], [-1.0, 1.0])


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 3), (3, 2)])
def test_folds_of_another_shape_are_refused(plane, shape):
    run = RandomSampler().start(plane, seed=0)
    run.tell(run.ask(), np.array([0.0]), folds=np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"folds must have shape \(2, 2\)"):
        run.tell(run.ask(2), np.zeros(2), folds=np.zeros(shape))


def test_earlier_results_are_sorted_different_and_finite():
    X = np.array([[0.5], [0.2], [0.5], [0.9], [0.1]])
    loss = np.array([2.0, 1.0, 0.0, np.nan, np.inf])
    earlier = Earlier.of(Space([Column("x", Real(0.0, 1.0))]), X, loss)
    assert earlier.X.tolist() == [[0.5], [0.2]]
    assert earlier.loss.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="at least one"):
        Earlier.of(Space([Column("x", Real(0.0, 1.0))]), X[3:], loss[3:])
    with pytest.raises(ValueError, match=r"\(m, 1\)"):
        Earlier.of(Space([Column("x", Real(0.0, 1.0))]), X.T, loss)
