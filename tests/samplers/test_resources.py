"""Losses from several resources: on one scale, and what each sampler makes of them."""

import numpy as np
import pytest

from skhpo.samplers import CMAESSampler, GPSampler, TPESampler
from skhpo.samplers._history import History
from skhpo.samplers._resources import full_losses
from skhpo.space import Column, Real, Space

NAN = np.nan


def cube(d):
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(d)])


def told(*rows):
    """History of (trial, loss, resource), one column wide."""
    history = History(1)
    for trial, loss, resource in rows:
        history.append(np.array([[trial / 100]]), np.array([loss]), np.array([resource]))
    return history


def points(n, d, seed=0):
    return np.random.default_rng(seed).random((n, d))


# -- the history -------------------------------------------------------------------------------------------


def test_a_promotion_is_no_new_trial_and_a_repetition_is_a_new_evaluation():
    history = told((1, 3.0, 1 / 9), (2, 2.0, 1 / 9), (1, 1.0, 1 / 3), (3, 0.0, 1.0), (3, 0.5, 1.0))
    np.testing.assert_array_equal(history.trial, [0, 1, 0, 2, 2])
    np.testing.assert_array_equal(history.at_largest(), [1, 2, 3, 4])
    np.testing.assert_array_equal(history.at_largest(0, 2), [0, 1])
    np.testing.assert_array_equal(history.at_largest(2), [2, 3, 4])
    assert history.n_trials == 4
    assert history.is_budgeted
    assert not told((1, 3.0, 1.0)).is_budgeted


def test_a_smaller_resource_told_late_does_not_take_the_larger_ones_place():
    np.testing.assert_array_equal(told((1, 1.0, 1.0), (1, 3.0, 1 / 9)).at_largest(), [0])


# -- one scale ---------------------------------------------------------------------------------------------


def test_losses_of_one_resource_stay():
    history = told((1, 3.0, 1 / 9), (2, NAN, 1 / 9), (3, -1e300, 1 / 9))
    np.testing.assert_array_equal(full_losses(history), history.loss)


def test_the_line_by_hand():
    # Pairs (1, 10), (3, 11): mean 2 and 10.5, S_ab = 1, S_aa = 2. The losses 1, 3, 5, 7 have the quartiles
    # 2.5 and 5.5, so kappa v = 3 * 9 = 27 and beta = 28 / 29.
    history = told(*((i, 2.0 * i - 1, 1 / 3) for i in range(1, 5)), (1, 10.0, 1.0), (2, 11.0, 1.0))
    line = 10.5 + 28 / 29 * (np.array([1.0, 3, 5, 7]) - 2)
    np.testing.assert_allclose(full_losses(history), [*line, 10.0, 11.0], rtol=1e-14)


def test_what_leads_to_the_next_leads_on_from_there():
    # One pair at each step: slopes of one, 10 down and then 1 down.
    history = told((1, 20.0, 1 / 9), (2, 25.0, 1 / 9), (1, 10.0, 1 / 3), (1, 9.0, 1.0))
    np.testing.assert_allclose(full_losses(history), [9.0, 14.0, 9.0, 9.0])


def test_a_resource_without_a_trial_in_the_next_leads_to_the_one_after():
    history = told((1, 20.0, 1 / 9), (2, 25.0, 1 / 9), (3, 7.0, 1 / 3), (1, 9.0, 1.0))
    # The medians of a third and of the whole meet: 7 is 9.
    np.testing.assert_allclose(full_losses(history), [9.0, 14.0, 9.0, 9.0])


def test_promoting_the_lucky_does_not_shift_the_line():
    """The slope is 0.5, which is that of two looks at one value with as much noise."""
    rng = np.random.default_rng(0)
    value = rng.standard_normal(2000)
    low, high = value + rng.standard_normal((2, 2000))
    chosen = np.argsort(low)[:500]
    history = told(
        *((i, low[i], 1 / 3) for i in range(2000)),
        *((i, high[i], 1.0) for i in chosen),
    )
    expected = full_losses(history)[:2000]
    slope, intercept = np.polyfit(low, expected, 1)
    assert abs(slope - 0.5) < 0.15
    assert abs(intercept) < 0.25
    # The mean difference of the chosen, in contrast, is far off: the true one is zero.
    assert (high - low)[chosen].mean() > 0.5


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_order_within_a_resource_stays_at_any_size(scale):
    loss = scale * np.array([0.3, 0.1, 0.2, 0.9, 0.5])
    history = told(*((i, x, 1 / 3) for i, x in enumerate(loss)), (1, 0.5 * scale, 1.0), (2, 0.1 * scale, 1.0))
    full = full_losses(history)
    assert np.isfinite(full).all()
    np.testing.assert_array_equal(np.argsort(full[:5]), np.argsort(loss))


def test_failures_stay_failures_and_link_nothing():
    history = told((1, 2.0, 1 / 3), (2, 1.0, 1 / 3), (3, NAN, 1 / 3), (2, NAN, 1.0), (1, 5.0, 1.0))
    np.testing.assert_allclose(full_losses(history), [5.0, 4.0, NAN, NAN, 5.0])
    assert np.isnan(full_losses(told((1, NAN, 1 / 3), (2, NAN, 1.0)))).all()


def test_the_first_results_know_nothing_of_later_ones():
    history = told((1, 2.0, 1 / 3), (2, 1.0, 1 / 3), (2, 7.0, 1.0))
    np.testing.assert_array_equal(full_losses(history, 2), [2.0, 1.0])


# -- TPE ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [TPESampler(n_startup=6), GPSampler(n_startup=6)])
def test_the_design_is_counted_in_trials(sampler):
    run = sampler.start(cube(2), seed=0)
    X = run.ask(3)
    for resource in (1 / 9, 1 / 3, 1.0):
        run.tell(X, X.sum(axis=1), resource)
    np.testing.assert_array_equal(run.ask(3), run._design.points(3, 3))


def test_tpe_models_the_largest_resource_with_enough_successes():
    # One column, so that d + 2 = 3 successes are enough.
    run = TPESampler(n_startup=1, gamma=0.5).start(cube(1), seed=0)
    low = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    run.tell(low[:, None], np.array([5.0, 4.0, 3.0, 2.0, np.nan]), 1 / 9)
    run.tell(low[:2, None], np.array([1.0, 2.0]), 1 / 3)
    # Two at a third are too few; the failure is bad wherever it happened.
    good, bad = run._split()
    assert sorted(good.X[:, 0]) == [0.3, 0.4]
    assert sorted(bad.X[:, 0]) == [0.1, 0.2, 0.5]
    run.tell(low[2:3, None], np.array([3.0]), 1 / 3)
    good, bad = run._split()
    assert sorted(good.X[:, 0]) == [0.1, 0.2]
    assert sorted(bad.X[:, 0]) == [0.3, 0.5]


def test_a_third_is_random_once_there_are_other_resources():
    loss = points(60, 2)[:, 0]
    budgeted, full = (
        TPESampler().start(cube(2), seed=0),
        TPESampler().start(cube(2), seed=0),
    )
    budgeted.tell(points(60, 2), loss, 1 / 3)
    full.tell(points(60, 2), loss)
    far = []
    for run in (budgeted, full):
        X = np.concatenate([run._propose(1, np.empty((0, 2)), np.random.default_rng(i)) for i in range(300)])
        far.append((X[:, 0] > 0.5).mean())
    # Of the random third, one half lies where the model has nearly nothing.
    assert far[1] < 0.05
    assert abs(far[0] - far[1] - 1 / 6) < 0.06
    none = TPESampler(random_fraction=0.0).start(cube(2), seed=0)
    none.tell(points(60, 2), loss, 1 / 3)
    rng = np.random.default_rng(5), np.random.default_rng(5)
    empty = np.empty((0, 2))
    np.testing.assert_array_equal(none._propose(1, empty, rng[0]), full._propose(1, empty, rng[1]))


def test_a_trial_under_promotion_is_not_bad_to_tpe():
    X = np.linspace(0.02, 0.98, 40)[:, None]
    run = TPESampler(random_fraction=0.0).start(cube(1), seed=0)
    run.tell(X, (X[:, 0] - 0.5) ** 2, 1 / 3)
    rng = np.random.default_rng(0), np.random.default_rng(0)
    best = X[np.argsort(np.abs(X[:, 0] - 0.5))[:10]]
    alone, beside = run._propose(1, X[:0], rng[0]), run._propose(1, run.space.canonical(best), rng[1])
    np.testing.assert_array_equal(alone, beside)


# -- GP ----------------------------------------------------------------------------------------------------


def test_gp_learns_from_all_resources_what_holds_in_full():
    """A valley whose floor moves with the resource: the model goes to where it is in full."""
    X = points(40, 1)
    run = GPSampler(transform=False).start(cube(1), seed=0)
    for resource, floor, n in ((1 / 9, 0.3, 40), (1 / 3, 0.4, 24), (1.0, 0.5, 8)):
        run.tell(X[:n], (X[:n, 0] - floor) ** 2, resource)
    posterior = run._posterior()
    grid = np.linspace(0, 1, 201)[:, None]
    floor = grid[np.argmin(posterior(run._embedding.features(grid))[0][:, 0]), 0]
    assert abs(floor - 0.5) < 0.03
    at_a_ninth = posterior(run._embedding.features(grid, 1 / 9))[0][:, 0]
    assert abs(grid[np.argmin(at_a_ninth), 0] - 0.3) < 0.06


def test_gp_resource_does_not_change_its_meaning():
    run = GPSampler().start(cube(1), seed=0)
    run.tell(points(3, 1), [1.0, 2.0, 3.0], [1.0, 1 / 1000, 1 / 10])
    np.testing.assert_allclose(run._data(3).Phi[:, -1], [0.0, -1.0, -1 / 3])


@pytest.mark.parametrize("n_full", [13, 33, 64, 70])
def test_gp_fit_is_a_function_of_the_history_when_resources_begin_to_differ(n_full):
    X = points(80, 2)
    loss = ((X - 0.3) ** 2).sum(axis=1)
    resource = np.where(np.arange(80) < n_full, 1.0, np.resize([1 / 9, 1 / 3, 1.0], 80))
    slowly, at_once = (GPSampler(n_startup=5).start(cube(2), seed=0) for _ in range(2))
    for i in range(80):
        slowly.tell(X[i : i + 1], loss[i : i + 1], resource[i])
        if i in (11, 12, 13, 35, 64, 65, 70, 71):
            slowly.ask()
    at_once.tell(X, loss, resource)
    at_once.n_asked = slowly.n_asked
    np.testing.assert_array_equal(slowly.ask(), at_once.ask())


# -- CMA-ES ------------------------------------------------------------------------------------------------


def test_cmaes_counts_a_trial_once_in_a_generation():
    run = CMAESSampler(population_size=4, n_startup=0).start(cube(2), seed=0)
    X = points(4, 2)
    run.tell(X[:3], [3.0, 2.0, 1.0], 1 / 3)
    run.tell(X[2:3], [5.0], 1.0)
    assert run._s.g == 0
    run.tell(X[3:], [0.5], 1 / 3)
    assert run._s.g == 1
    # The generation was rows 1, 2, 4 and, of the promoted trial, the second; the rest begins the next.
    run.tell(X[:3], [0.1, 0.2, 0.3], 1.0)
    assert run._s.g == 1


def test_cmaes_generations_do_not_depend_on_how_promotions_are_grouped():
    X = points(30, 2)
    rows = [(i, 1 / 9) for i in range(30)] + [(i, 1 / 3) for i in range(10)] + [(i, 1.0) for i in range(3)]
    order = np.random.default_rng(1).permutation(len(rows))
    index, resource = np.array([rows[i] for i in order]).T
    told_X = X[index.astype(int)]
    loss = ((told_X - 0.3) ** 2).sum(axis=1) + 1 - resource
    at_once, singly = (CMAESSampler(population_size=5, n_startup=5).start(cube(2), seed=0) for _ in range(2))
    at_once.tell(told_X, loss, resource)
    for i in range(len(rows)):
        singly.tell(told_X[i : i + 1], loss[i : i + 1], resource[i])
    np.testing.assert_array_equal(at_once.ask(3), singly.ask(3))


def test_cmaes_is_not_misled_by_small_resources_being_worse():
    run = CMAESSampler(population_size=6, n_startup=6).start(cube(2), seed=0)
    X = np.array([[0.1, 0.1], [0.9, 0.9], [0.5, 0.5], [0.2, 0.2], [0.8, 0.8], [0.6, 0.6]])
    run.tell(X, np.array([10.0, 12, 11, 1, 3, 2]), np.array([0.1, 0.1, 0.1, 1, 1, 1]))
    # Of both resources the point near the origin is best: by their losses as told, only of one.
    assert (run._s.m < 0.5).all()
