"""Who is brought through all folds: by hand, by simulation, and what is told of those who are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo.execution import FoldRace


def complete(race, candidate, scores):
    for fold, score in enumerate(scores):
        race.take(candidate, fold, score)


def run_through(race, candidate, scores):
    """As a search does; the number of folds it took."""
    for n_done, fold in enumerate(race.order(candidate), 1):
        race.take(candidate, fold, scores[fold])
        if race.is_out(candidate):
            return n_done
    return len(scores)


def test_the_first_goes_through_and_is_the_incumbent():
    race = FoldRace(3)
    assert run_through(race, 0, [0.1, 0.2, 0.3]) == 3
    assert race.incumbent == 0


def test_after_one_fold_by_hand():
    """The incumbent has the variance 0.01, so that the standard error is sqrt(0.01 * 2 / 3) = 0.08165.

    The t of 4 degrees of freedom exceeded by a tenth is 1.533206: the bound is -0.12519.
    """
    for d, is_out in ((-0.1253, True), (-0.1251, False)):
        race = FoldRace(3, margin=0.0)
        complete(race, 0, [0.7, 0.8, 0.9])
        race.take(1, 0, 0.7 + d)
        assert race.is_out(1) is is_out


def test_one_lucky_fold_does_not_outlive_better_candidates_of_another_kind():
    """Linear models, all alike, were lucky in the first fold; then comes a kernel."""
    linear, kernel = (
        np.array([0.914, 0.867, 0.819, 0.771, 0.724]),
        np.array([0.886, 0.895, 0.867, 0.857, 0.829]),
    )
    race = FoldRace(5)
    complete(race, 0, linear)
    for candidate in range(1, 8):
        run_through(race, candidate, linear - 0.002 * candidate + [0.001, -0.001, 0.001, -0.001, 0.0])
    assert run_through(race, 8, kernel) == 5
    assert race.incumbent == 8


def test_each_begins_with_another_fold():
    race = FoldRace(4)
    assert [race.order(candidate) for candidate in (0, 1, 6)] == [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1]]


@pytest.mark.parametrize("in_a_circle", [True, False])
def test_an_incumbent_that_was_lucky_in_two_folds_does_not_outlive_all_better_ones(in_a_circle):
    """Better ones by five hundredths, but behind by five in the incumbent's two lucky folds, in which they
    would be given up one and all if each began with them."""
    lucky, better = np.array([0.90, 0.92, 0.80, 0.78, 0.76]), np.array([0.85, 0.87, 0.89, 0.88, 0.87])
    race = FoldRace(5)
    complete(race, 0, lucky)
    complete(race, 1, lucky - [0.01, 0.02, 0.01, 0.02, 0.01])
    for candidate in range(2, 12):
        for fold in race.order(candidate) if in_a_circle else range(5):
            race.take(candidate, fold, better[fold] + 0.001 * (candidate % 3))
            if race.is_out(candidate):
                break
    assert (race.incumbent == 0) is not in_a_circle


def test_the_bound_by_hand():
    """K=5, k=2, s0 known with weight 4.

    The second candidate's differences are -.01, -.03, -.02, -.02, -.02, of variance 5e-5. A third with
    differences d + .01 and d - .01 has squares 2e-4 in all, so that s^2 = (4 * 5e-5 + 2e-4) / 5 = 8e-5, and
    the standard error is sqrt(8e-5 * 3 / 10) = 4.899e-3. The t of 5 degrees of freedom exceeded by a tenth is
    1.475884, so that the bound on d is -7.2304e-3.
    """
    for d, is_out in ((-0.00724, True), (-0.00722, False)):
        race = FoldRace(5, alpha=0.1, margin=0.0)
        complete(race, 0, [0.8] * 5)
        complete(race, 1, [0.79, 0.77, 0.78, 0.78, 0.78])
        race.take(2, 0, 0.8 + d + 0.01)
        assert not race.is_out(2)
        race.take(2, 1, 0.8 + d - 0.01)
        assert race.is_out(2) is is_out


def test_the_margin_is_in_standard_errors_of_the_incumbent():
    """Scores .7 to .9 have the standard deviation 0.1, and the mean of four of them the error 0.0516."""
    incumbent = [0.7, 0.9, 0.75, 0.85]
    error = np.std(incumbent, ddof=1) / 2
    for margin, is_out in ((0.5, True), (0.0, False)):
        race = FoldRace(4, margin=margin)
        complete(race, 0, incumbent)
        complete(race, 1, np.array(incumbent) - [0.001, 0.002, 0.001, 0.002])
        race.take(2, 0, incumbent[0] - 0.001 * error)
        race.take(2, 1, incumbent[1] - 0.001 * error)
        assert race.is_out(2) is is_out


def test_who_leads_on_its_folds_goes_on():
    """However small the lead: along a slope the next is better by little."""
    race = FoldRace(4, margin=5.0)
    complete(race, 0, [0.7, 0.9, 0.75, 0.85])
    complete(race, 1, [0.7, 0.9, 0.75, 0.8])
    assert run_through(race, 2, np.array([0.7, 0.9, 0.75, 0.85]) + 1e-6) == 4
    assert run_through(race, 3, np.array([0.7, 0.9, 0.75, 0.85]) - 1e-6) == 1


@pytest.mark.parametrize(("n_folds", "n_seen"), [(3, 3), (5, 3), (6, 3), (10, 5)])
def test_the_incumbent_again_is_given_up_half_way(n_folds, n_seen):
    scores = np.random.default_rng(0).random(n_folds)
    race = FoldRace(n_folds)
    assert run_through(race, 0, scores) == n_folds
    assert run_through(race, 1, scores) == n_seen


def test_candidates_that_are_the_incumbent_again_do_not_count_for_the_variance():
    """Scores on a plateau are the same; one that differs by a single row is not far away for that."""
    race = FoldRace(5, margin=0.0)
    for candidate in range(10):
        complete(race, candidate, [0.9, 1.0, 0.9, 1.0, 0.9])
    race.take(10, 0, 0.88)
    assert not race.is_out(10)


def test_the_difficulty_of_a_fold_is_taken_out():
    """All score 0.5 less on the first fold: that is no reason."""
    difficulty = np.array([0.5, 0.0, 0.0, 0.0])
    race = FoldRace(4)
    complete(race, 0, 0.8 - difficulty)
    complete(race, 1, 0.79 - difficulty + [0.01, -0.01, 0.0, 0.0])
    assert run_through(race, 2, 0.85 - difficulty) == 4
    assert race.incumbent == 2
    assert run_through(race, 3, 0.6 - difficulty) == 2
    # What it would come to on all folds, of which one is hard: 0.6 - 0.5 / 4.
    assert race.estimate(3) == pytest.approx(0.475, abs=0.01)


def test_a_failure_is_brought_to_its_end_and_judges_nobody():
    race = FoldRace(3)
    assert run_through(race, 0, [0.5, np.nan, 0.5]) == 3
    assert race.incumbent is None
    complete(race, 1, [0.5, 0.5, 0.6])
    assert run_through(race, 2, [0.5, 0.1, np.nan]) == 3
    assert race.incumbent == 1


@pytest.mark.parametrize("n_folds", [2, 3])
def test_few_folds(n_folds):
    """Equal folds and falling scores: after the first, one fold is enough for each."""
    race = FoldRace(n_folds)
    seen = [run_through(race, candidate, np.full(n_folds, 1 - candidate / 20)) for candidate in range(20)]
    assert seen == [n_folds] + [1] * 19
    assert race.incumbent == 0


@given(st.integers(2, 10), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_incumbent_is_the_best_of_those_that_went_through(n_folds, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(25, 1)) + rng.normal(scale=0.3, size=(25, n_folds))
    race = FoldRace(n_folds)
    through = []
    for candidate, row in enumerate(scores):
        if run_through(race, candidate, row) == n_folds and not race.is_out(candidate):
            through.append(candidate)
    assert race.incumbent == max(through, key=lambda c: scores[c].mean())


def test_the_best_is_rarely_given_up():
    """A hundred searches, candidates spread as widely as the folds of one differ from each other.

    The bound is one in ten for a candidate that is better by just the margin; the best of a search is
    better by more, and is lost less often.
    """
    n_lost, n_folds, regrets = 0, 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(40, 1)) + rng.normal(size=(1, 5)) + rng.normal(scale=0.5, size=(40, 5))
        race = FoldRace(5)
        n_folds += sum(run_through(race, c, row) for c, row in enumerate(scores))
        means = scores.mean(axis=1)
        best = int(means.argmax())
        n_lost += race.is_out(best)
        error = scores[best].std(ddof=1) / np.sqrt(5)
        regrets.append((means[best] - means[race.incumbent]) / error)
    assert n_lost <= 10
    assert np.mean(regrets) < 0.05 and max(regrets) < 1
    assert n_folds < 0.45 * 100 * 40 * 5
