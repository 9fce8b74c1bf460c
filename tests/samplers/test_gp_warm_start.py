"""The Gaussian-process sampler beside an earlier search, and with more evaluations than it models."""

import numpy as np
import pytest

from skhpo.samplers._history import Earlier, History
from skhpo.samplers.gp import GPSampler
from skhpo.samplers.gp._context import ContextEmbedding
from skhpo.samplers.gp._earlier import carried, first_points
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._fit import LogNormalPrior
from skhpo.samplers.gp._observations import observations
from skhpo.samplers.gp._subset import over_ranks
from skhpo.space import Categorical, Column, Integer, Real, Space

CUBE = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(4)])
MIXED = Space(
    [
        Column("model", Categorical(["a", "b"])),
        Column("C", Real(0.0, 1.0), parent=0, branches=frozenset({0})),
        Column("n", Integer(1, 30)),
    ]
)
BOTTOM = np.array([0.3, 0.6, 0.7, 0.35])


def bowl(X, bottom=BOTTOM):
    return ((X - bottom) ** 2).sum(axis=1) + 0.02 * np.cos(9.0 * (X - bottom)).sum(axis=1)


def earlier_of(loss, n=60, space=CUBE, seed=0):
    X = space.canonical(np.random.default_rng(seed).random((n, space.d)))
    return Earlier.of(space, X, loss(X))


def run(sampler, loss, n):
    for _ in range(n):
        X = sampler.ask()
        sampler.tell(X, loss(X))
    return sampler


def regrets(loss, n, *, earlier, seeds):
    """Least loss (n seeds, n) found by each number of evaluations, above that of the bowl's bottom."""
    runs = [run(GPSampler().start(CUBE, seed=seed, earlier=earlier), loss, n) for seed in seeds]
    return np.array([np.minimum.accumulate(r.history.loss) for r in runs]) - loss(BOTTOM[None])


# -- a subset of the evaluations -------------------------------------------------------------------


def test_a_subset_is_the_best_half_and_the_middles_of_slices_of_the_others():
    loss = np.arange(20.0)[::-1]
    # Ranks 0 to 3; 16 others in four slices of four, whose middles are the ranks 6, 10, 14 and 18.
    np.testing.assert_array_equal(np.sort(19 - over_ranks(loss, 8)), [0, 1, 2, 3, 6, 10, 14, 18])
    np.testing.assert_array_equal(over_ranks(loss, 20), np.arange(20))


def test_failures_rank_last_and_one_point_is_the_best():
    loss = np.array([np.nan, 3.0, 1.0, 2.0, np.nan])
    np.testing.assert_array_equal(over_ranks(loss, 1), [2])
    np.testing.assert_array_equal(over_ranks(loss, 4), [1, 2, 3, 4])


def test_what_is_modelled_stops_growing_and_a_replay_proposes_the_same():
    rng = np.random.default_rng(0)
    X = rng.random((150, 4))
    loss = bowl(X) + 0.01 * rng.standard_normal(150)
    loss[::9] = np.nan
    one_by_one, at_once = (GPSampler(max_points=40).start(CUBE, seed=1) for _ in range(2))
    for i in range(150):
        one_by_one.tell(X[i : i + 1], loss[i : i + 1])
        if i in (30, 90, 91):
            one_by_one.ask()
    at_once.tell(X, loss)
    one_by_one.n_asked = at_once.n_asked = 150
    np.testing.assert_array_equal(one_by_one.ask(2), at_once.ask(2))
    posterior = at_once._posterior()
    assert len(posterior.Psi) == 40
    assert np.nanargmin(loss) in at_once._observed.rows


def test_a_minimum_is_found_beyond_the_points_that_are_modelled():
    sampler = run(GPSampler(max_points=24).start(CUBE, seed=0), bowl, 50)
    assert sampler.history.loss.min() - bowl(BOTTOM[None])[0] < 1e-4


# -- an earlier search -----------------------------------------------------------------------------


def test_two_searches_are_at_distance_one_and_resources_at_their_logarithms():
    X = MIXED.canonical(np.random.default_rng(0).random((3, 3)))
    embedding = ContextEmbedding(MIXED, budget=True, earlier=True)
    plain = Embedding(MIXED).features(X)
    Phi = embedding.features(X, np.array([1.0, 0.1, 0.001]), earlier=True)
    np.testing.assert_allclose(Phi[:, :-2], plain, atol=0)
    np.testing.assert_allclose(Phi[:, -2:], [[0.0, 1.0], [-1.0 / 3.0, 1.0], [-1.0, 1.0]], atol=1e-15)
    np.testing.assert_array_equal(embedding.features(X)[:, -2:], 0.0)
    np.testing.assert_array_equal(embedding.owner[-2:], [3, 4])
    assert LogNormalPrior.for_columns(3, budget=True, earlier=True).mean.shape == (7,)


def test_losses_are_carried_by_mean_and_deviation_of_the_points_in_common():
    X = np.arange(5.0)[:, None] / 10.0
    earlier = Earlier.of(Space([Column("x", Real(0.0, 1.0))]), X, np.array([1.0, 2.0, 3.0, 5.0, 9.0]))
    # In common: 1 -> 120, 3 -> 140. The mean 2 goes to 130 and the deviation of 1 to one of 10.
    here = np.array([[0.9], [0.2], [0.0], [0.3]])
    line = carried(earlier, here, np.array([7.0, 140.0, 120.0, np.nan]))
    np.testing.assert_allclose(line, [120.0, 130.0, 140.0, 160.0, 200.0])
    # Where they disagree the order stays.
    line = carried(earlier, here, np.array([7.0, 120.0, 140.0, np.nan]))
    np.testing.assert_allclose(line, [120.0, 130.0, 140.0, 160.0, 200.0])


def test_losses_are_carried_by_quartiles_if_too_few_points_are_in_common():
    X = np.arange(5.0)[:, None] / 10.0
    earlier = Earlier.of(Space([Column("x", Real(0.0, 1.0))]), X, np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    # Quartiles 1, 2, 3 there and 110, 120, 130 here.
    line = carried(earlier, np.array([[0.9], [0.8], [0.7], [0.6], [0.65]]), 100.0 + 10.0 * np.arange(5.0))
    np.testing.assert_allclose(line, [100.0, 110.0, 120.0, 130.0, 140.0])


@pytest.mark.parametrize("loss", [[np.nan, np.nan], [4.0, np.nan], [4.0, 4.0], [-1e308, 1e308]])
def test_carried_losses_are_finite_and_in_order(loss):
    earlier = earlier_of(bowl, n=12)
    line = carried(earlier, earlier.X[[3, 7]], np.array(loss))
    assert np.isfinite(line).all()
    assert (np.diff(line) >= 0.0).all()
    if np.isnan(loss).all():
        np.testing.assert_array_equal(line, earlier.loss)


def test_the_first_points_are_the_best_good_ones_far_apart_and_a_middling_one():
    Phi = np.zeros((40, 1))
    # The good ones are ranks 1 to 5; the farthest from the best is 4, then 2 is the farthest from both.
    Phi[:6, 0] = [0.0, 0.1, 0.5, 0.05, 1.0, 0.9]
    np.testing.assert_array_equal(first_points(Phi, 5), [0, 4, 20, 2, 1])
    np.testing.assert_array_equal(first_points(Phi[:3], 5), [0, 1, 2])
    for m in range(8, 30):
        rows = first_points(np.random.default_rng(m).random((m, 2)), 5)
        assert len(set(rows.tolist())) == 5


def test_a_search_begins_with_the_first_points_in_place_of_a_design():
    earlier = earlier_of(bowl)
    sampler = GPSampler().start(CUBE, seed=0, earlier=earlier)
    X = np.concatenate([sampler.ask(2), sampler.ask(3, pending=sampler._first[:2])])
    np.testing.assert_array_equal(X, sampler._first)
    np.testing.assert_array_equal(X[0], earlier.X[0])
    sampler.tell(X, bowl(X))
    assert not (sampler.ask() == sampler._design.points(5, 1)).all()


def test_an_earlier_search_of_one_point_is_followed_by_the_design():
    earlier = earlier_of(bowl, n=1)
    sampler = run(GPSampler(n_startup=4).start(CUBE, seed=0, earlier=earlier), bowl, 4)
    np.testing.assert_array_equal(sampler.history.X, [earlier.X[0], *sampler._design.points(1, 3)])
    assert run(sampler, bowl, 4).history.n_trials == 8


def test_an_earlier_search_is_forgotten_as_this_one_grows():
    earlier = earlier_of(bowl, n=130)
    embedding = ContextEmbedding(CUBE, budget=False, earlier=True)
    history = History(4)
    X = np.random.default_rng(9).random((60, 4))
    history.append(X, bowl(X), np.ones(60))
    counts = [observations(history, n, embedding, earlier, 120).m for n in (0, 5, 40, 60)]
    assert counts == [100, 100, 80, 60]
    seen = observations(history, 60, embedding, earlier, 50)
    assert (seen.m, len(seen.rows), len(seen.Phi)) == (0, 50, 50)


@pytest.mark.parametrize("budget", [False, True])
def test_replays_with_an_earlier_search(budget):
    earlier = earlier_of(lambda X: np.nan_to_num(X).sum(axis=1), space=MIXED)
    rng = np.random.default_rng(3)
    X = MIXED.canonical(rng.random((24, 3)))
    loss, resource = rng.standard_normal(24), np.where(rng.random(24) < 0.4 * budget, 1.0 / 3.0, 1.0)
    loss[4] = np.nan
    one_by_one, at_once = (GPSampler().start(MIXED, seed=1, earlier=earlier) for _ in range(2))
    for i in range(24):
        one_by_one.tell(X[i : i + 1], loss[i : i + 1], resource[i])
        if i in (6, 7, 19):
            one_by_one.ask()
    at_once.tell(X, loss, resource)
    one_by_one.n_asked = at_once.n_asked = 24
    np.testing.assert_array_equal(one_by_one.ask(2), at_once.ask(2))


def test_the_incumbent_is_of_this_search_alone():
    # There the best loss is far below all that is seen here: an incumbent that leaves nothing to expect.
    earlier = earlier_of(lambda X: bowl(X) - 1e3 * (X[:, 0] < 0.1))
    sampler = run(GPSampler().start(CUBE, seed=0, earlier=earlier), bowl, 5)
    posterior = sampler._posterior()
    f = sampler._utility(posterior).keywords["f"]
    m = sampler._observed.m
    assert f == posterior.Y[m:].min()
    assert len(posterior.Y) == m + 5


def test_a_similar_earlier_search_is_a_head_start():
    def here(X):
        return 50.0 * bowl(X) + 7.0

    earlier = earlier_of(lambda X: bowl(X, BOTTOM + 0.04))
    cold, warm = (regrets(here, 10, earlier=e, seeds=range(3)) for e in (None, earlier))
    # From the first evaluation on, and by a factor of ten where the other has just done its design.
    assert (warm[:, 0] < cold[:, 0]).all()
    assert np.median(warm[:, -1]) < 0.1 * np.median(cold[:, -1])


def test_a_misleading_earlier_search_does_not_last():
    earlier = earlier_of(lambda X: -bowl(X), n=40)
    warm = regrets(bowl, 30, earlier=earlier, seeds=range(2))
    random = bowl(np.random.default_rng(0).random((60, 4))).reshape(2, 30).min(axis=1)
    assert np.median(warm[:, -1]) < 0.1 * np.median(random - bowl(BOTTOM[None]))
