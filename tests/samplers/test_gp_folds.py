"""What the Gaussian-process sampler learns of noise from the losses of single folds."""

import numpy as np
import pytest

from skhpo.samplers.gp import GPSampler
from skhpo.samplers.gp._folds import fold_noise, slope
from skhpo.space import Column, Real, Space

CUBE = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(2)])


def folds_of(n, K, *, noise, difficulty, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 1)) + difficulty * rng.standard_normal(K) + noise * rng.standard_normal((n, K))


def test_the_variance_by_hand():
    # Row means 1, 2, 3, 4 and residuals (1, -1), (-1, 1), (1, -1), (-1, 1): columns are equally hard, the
    # sum of squares is 8, its degrees of freedom (4 - 1)(2 - 1), and a mean over two folds has half of 8/3.
    folds = np.array([[2.0, 0.0], [1.0, 3.0], [4.0, 2.0], [3.0, 5.0]])
    assert fold_noise(folds, folds.mean(axis=1)) == pytest.approx(4.0 / 3.0)


def test_the_variance_of_many_folds_and_what_is_left_out():
    folds = folds_of(400, 5, noise=0.3, difficulty=0.0)
    loss = folds.mean(axis=1)
    # Of 199 x 4 degrees of freedom: a relative standard error of sqrt(2 / 796) = 5%.
    expected = fold_noise(folds, loss)
    assert expected == pytest.approx(0.3**2 / 5, rel=0.15)
    # Raced out, failed, and a bad point with wild folds.
    more = np.vstack([folds, [[0.1, np.nan, np.nan, np.nan, np.nan]], [[np.nan] * 5]])
    assert fold_noise(more, np.r_[loss, 0.1, np.nan]) == expected
    wild = np.vstack([folds, [[50.0, -40.0, 30.0, 0.0, 0.0], [-30.0, 0.0, 60.0, 0.0, 0.0]]])
    assert fold_noise(wild, np.r_[loss, 8.0, 6.0]) == pytest.approx(expected, rel=0.02)


def test_the_same_folds_for_all_are_no_noise():
    folds = folds_of(40, 5, noise=0.1, difficulty=0.2)
    assert fold_noise(folds, folds.mean(axis=1)) is None


def test_folds_of_their_own_are_seldom_taken_for_the_same():
    # One in a hundred by the test's level; 5 or more of 100 have a probability of 0.3%.
    found = [folds_of(20, 5, noise=0.1, difficulty=0.0, seed=seed) for seed in range(100)]
    assert sum(fold_noise(folds, folds.mean(axis=1)) is None for folds in found) < 5


@pytest.mark.parametrize(
    "folds", [np.ones((20, 1)), np.ones((20, 5)), np.ones((3, 5)), np.full((9, 3), np.nan), np.eye(4) * 1e300]
)
def test_where_nothing_is_told(folds):
    assert fold_noise(folds, folds.mean(axis=1)) is None


def test_the_slope_is_that_of_the_better_half():
    loss = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    assert slope(loss, np.r_[3.0 * loss[:3], 100.0 + loss[3:6], 200.0]) == pytest.approx(3.0)
    assert slope(np.full(3, np.nan), np.zeros(3)) == 0.0


def test_the_model_takes_up_the_noise():
    folds = folds_of(24, 5, noise=1.0, difficulty=0.0)
    sampler = GPSampler().start(CUBE, seed=0)
    sampler.tell(np.random.default_rng(1).random((24, 2)), folds.mean(axis=1), folds=folds)
    seen = sampler._data(24)
    sampler._posterior()
    prior = sampler._prior.with_noise(seen.noise / folds.mean(axis=1).var())
    # Means of five with a deviation of 1 and rows that differ by 1/12: 0.2 / (0.2 + 1 / 12) = 0.7.
    assert np.exp(prior.mean[-1]) == pytest.approx(0.3 * 0.7, abs=0.06)
    assert np.exp(sampler._theta[False][-1]) > 0.2


@pytest.mark.parametrize("n", [13, 40])
def test_a_replay_with_folds_proposes_the_same_however_it_is_grouped(n):
    folds = folds_of(n, 3, noise=0.5, difficulty=0.0)
    folds[5, 1:] = np.nan
    loss = np.nanmean(folds, axis=1)
    X = np.random.default_rng(2).random((n, 2))
    one_by_one, at_once = (GPSampler().start(CUBE, seed=1) for _ in range(2))
    for i in range(n):
        one_by_one.tell(X[i : i + 1], loss[i : i + 1], folds=folds[i : i + 1])
        if i in (11, 12, 30):
            one_by_one.ask()
    at_once.tell(X, loss, folds=folds)
    one_by_one.n_asked = at_once.n_asked = n
    np.testing.assert_array_equal(one_by_one.ask(), at_once.ask())
