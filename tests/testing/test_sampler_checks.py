"""Each check of samplers can fail: samplers broken in one way each, and the check that must notice."""

import functools
import pickle
import random
from typing import ClassVar

import numpy as np
import pytest

from skhpo.samplers import GridSampler, RandomSampler, Sampler, SobolSampler
from skhpo.testing import check_sampler, sampler_checks


class Learner(Sampler):
    """The least that passes all checks: draws around the best third, away from failures and pending."""

    def _propose(self, n, pending, rng):
        if self._in_design(8) or not self.history.succeeded.any():
            return self._design.points(self.n_asked, n)
        rows = self._rows()
        order = rows[np.argsort(np.where(self.history.succeeded, self.history.loss, np.inf)[rows])]
        best = self.history.X[order[: max(2, len(order) // 8)]]
        fail = self.history.X[~self.history.succeeded]
        X = best[rng.integers(len(best), size=(256, n))]
        X = np.where(np.isnan(X) | (rng.random(X.shape) < 0.05), rng.random(X.shape), X)
        X = np.clip(X + 0.05 * rng.standard_normal(X.shape), 0, 1)
        if not len(fail):
            return X[0]
        gap = np.nansum((X[:, :, None] - fail) ** 2, axis=3).min(axis=2)
        return X[np.argmax(gap > 0.01, axis=0), np.arange(n)]

    def _rows(self):
        return self.history.at_largest()


class OutOfBounds(RandomSampler):
    def _propose(self, n, pending, rng):
        return rng.random((n, self.space.d)) * 1.2 - 0.1


class OpenColumns(RandomSampler):
    def ask(self, n=1, pending=None):
        X = super().ask(n, pending)
        return np.where(rng_of(self).random(X.shape) < 0.2, np.nan, X)


class NotCanonical(RandomSampler):
    def ask(self, n=1, pending=None):
        return super().ask(n, pending) * 0.999


class InactiveFilled(RandomSampler):
    def ask(self, n=1, pending=None):
        return np.nan_to_num(super().ask(n, pending), nan=0.5)


class TooFew(RandomSampler):
    def _propose(self, n, pending, rng):
        return rng.random((min(n, 2), self.space.d))


class TooMany(RandomSampler):
    def _propose(self, n, pending, rng):
        return rng.random((max(n, 2), self.space.d))


class Flat(RandomSampler):
    def ask(self, n=1, pending=None):
        X = super().ask(n, pending)
        return X[0] if n == 1 and len(X) else X


class Miscounts(RandomSampler):
    def ask(self, n=1, pending=None):
        X = super().ask(n, pending)
        self.n_asked += 1
        return X


class Unseeded(RandomSampler):
    def _propose(self, n, pending, rng):
        return np.random.default_rng().random((n, self.space.d))


class SeedIgnored(RandomSampler):
    def _propose(self, n, pending, rng):
        return np.random.default_rng(self.n_asked).random((n, self.space.d))


class GlobalNumpy(RandomSampler):
    def _propose(self, n, pending, rng):
        np.random.seed(self.seed + self.n_asked)  # noqa: NPY002
        return np.random.rand(n, self.space.d)  # noqa: NPY002


class GlobalPython(RandomSampler):
    def _propose(self, n, pending, rng):
        random.seed(self.seed + self.n_asked)
        return np.array([[random.random() for _ in range(self.space.d)] for _ in range(n)])


class Stateful(RandomSampler):
    """Remembers its asks, which a replay does not repeat."""

    def _start(self):
        self._centre = 0.5

    def _propose(self, n, pending, rng):
        self._centre = 0.9 * self._centre + 0.1 * rng.random()
        return np.clip(self._centre + 0.2 * rng.standard_normal((n, self.space.d)), 0, 1)


class OneStream(RandomSampler):
    """Keeps a generator for the whole run instead of one for each ask."""

    def _start(self):
        self._rng = np.random.default_rng(self.seed)

    def _propose(self, n, pending, rng):
        return self._rng.random((n, self.space.d))


class CountsTells(RandomSampler):
    """Depends on how the results were batched."""

    def _start(self):
        self._n_tells = 0

    def _learn(self, n_new):
        self._n_tells += 1

    def _propose(self, n, pending, rng):
        return np.random.default_rng([self.seed, self.n_asked, self._n_tells]).random((n, self.space.d))


class ClassState(RandomSampler):
    _count: ClassVar[list] = [0]

    def start(self, space, *, seed, n_trials=None):
        run = super().start(space, seed=seed, n_trials=n_trials)
        ClassState._count[0] = seed
        return run

    def _propose(self, n, pending, rng):
        self._count[0] += 1
        return np.random.default_rng([self._count[0], self.n_asked]).random((n, self.space.d))


class NotRestartable(RandomSampler):
    """Start on a run keeps what the run had learnt."""

    def _propose(self, n, pending, rng):
        if not hasattr(self, "_shift"):
            self._shift = rng.random()
        return (rng.random((n, self.space.d)) + self._shift) % 1


class Unpicklable(RandomSampler):
    def _start(self):
        self._warp = lambda U: U


class PickleLosesState(RandomSampler):
    def _propose(self, n, pending, rng):
        return rng.random((n, self.space.d)) ** (1 + len(self.history) % 3)

    def __getstate__(self):
        state = dict(vars(self))
        if "history" in state:
            state["history"] = type(self.history)(self.space.d)
        return state


class SharedOption(RandomSampler):
    """Keeps its state in a list that the user's object shares."""

    def __init__(self):
        self.log = []

    def _learn(self, n_new):
        self.log.append(n_new)


class SortsItsInput(RandomSampler):
    def tell(self, X, loss, resource=1.0):
        super().tell(X, loss, resource)
        loss.sort()


class WritesPending(RandomSampler):
    def ask(self, n=1, pending=None):
        X = super().ask(n, pending)
        if pending is not None and len(pending):
            pending[0] = 0.5
        return X


class IgnoresPending(Learner):
    """A model whose optimum is always the same point, whatever is in flight."""

    def _propose(self, n, pending, rng):
        if self._in_design(8):
            return self._design.points(self.n_asked, n)
        best = np.nan_to_num(self.history.X[np.nanargmin(self.history.loss)], nan=0.5)
        return np.tile(0.9 * best + 0.05, (n, 1))


class Repeats(RandomSampler):
    """No care for duplicates."""

    def ask(self, n=1, pending=None):
        rng = np.random.default_rng([self.seed, self.n_asked])
        X = self.space.canonical(rng.random((n, self.space.d)))
        self.n_asked += n
        return X


class StopsEarly(RandomSampler):
    def ask(self, n=1, pending=None):
        return super().ask(n if len(self._seen) < 20 else 0, pending)


class NeverEnds(RandomSampler):
    def ask(self, n=1, pending=None):
        X = super().ask(n, pending)
        return X if len(X) else self.space.canonical(np.full((1, self.space.d), 0.5))


class Standardises(RandomSampler):
    """Divides by the spread of the losses and crashes on what that gives."""

    def _propose(self, n, pending, rng):
        loss = self.history.loss
        z = (loss - loss.mean()) / loss.std() if len(loss) else np.zeros(1)
        if not np.isfinite(z).all():
            raise FloatingPointError("the model got NaN")
        return rng.random((n, self.space.d))


class ForgetsFailures(RandomSampler):
    """Takes the spread of the successes, of which there may be none, or equal ones."""

    def _propose(self, n, pending, rng):
        good = self.history.loss[self.history.succeeded]
        z = (good - good.mean()) / good.std()
        return rng.random((n, self.space.d)) if np.isfinite(z).all() else np.full((n, self.space.d), np.nan)


class Interpolates(RandomSampler):
    """Solves with a kernel matrix that repeated points make singular."""

    def _propose(self, n, pending, rng):
        X = np.nan_to_num(self.history.X)
        if len(X):
            np.linalg.cholesky(np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / 0.005))
        return rng.random((n, self.space.d))


class Product(RandomSampler):
    """Multiplies densities, which underflows in many dimensions."""

    def _propose(self, n, pending, rng):
        with np.errstate(all="ignore"):
            density = np.prod(np.full(self.space.d, 1e-8))
        if self.space.d and density == 0:
            raise FloatingPointError("density underflows")
        return rng.random((n, self.space.d))


class OrderedOnly(RandomSampler):
    def _propose(self, n, pending, rng):
        ordered = np.array(self.space.kinds) != "categorical"
        self.history.X[:, ordered].max(axis=1, initial=0.0)
        if not ordered.any():
            raise ValueError("no column to model")
        return rng.random((n, self.space.d))


class RealOnly(RandomSampler):
    def _propose(self, n, pending, rng):
        np.argmax([kind == "real" for kind in self.space.kinds])
        return rng.random((n, self.space.d))[:, : self.space.d if "real" in self.space.kinds else 0]


class NoConditions(RandomSampler):
    """Stumbles over NaN in the told points."""

    def _propose(self, n, pending, rng):
        if len(self.history) and not np.isfinite(self.history.X.mean()):
            raise ValueError("NaN in X")
        return rng.random((n, self.space.d))


class TwoLevelsAtLeast(RandomSampler):
    def _propose(self, n, pending, rng):
        for column in self.space.columns:
            1 / (column.dimension.n_levels - 1)
        return rng.random((n, self.space.d))


class FullOnly(RandomSampler):
    def _propose(self, n, pending, rng):
        if len(self.history) and not (self.history.resource == 1).any():
            raise ValueError("no full evaluation")
        return rng.random((n, self.space.d))


class WrongTypes(RandomSampler):
    def start(self, space, *, seed, n_trials=None):
        run = super().start(space, seed=seed, n_trials=n_trials)
        for column in run.space.columns:
            decode = column.dimension.decode
            column.dimension.decode = lambda position, decode=decode: str(decode(position))
        return run


class NeverLearns(RandomSampler):
    learns: ClassVar[bool] = True


class UpsideDown(Learner):
    """Maximises the loss."""

    def tell(self, X, loss, resource=1.0):
        super().tell(X, -np.asarray(loss), resource)


class DropsFailures(Learner):
    """Learns from successes alone."""

    def tell(self, X, loss, resource=1.0):
        kept = np.isfinite(loss)
        super().tell(np.asarray(X)[kept], np.asarray(loss)[kept], resource)

    def _propose(self, n, pending, rng):
        X = super()._propose(n, pending, rng)
        X[:, 0] = rng.random(n)
        return X


class NoCategoricals(Learner):
    def _propose(self, n, pending, rng):
        X = super()._propose(n, pending, rng)
        categorical = np.array(self.space.kinds) == "categorical"
        return np.where(categorical, rng.random(X.shape), X)


class DependsOnBatches(RandomSampler):
    """Depends on how the resources were batched."""

    def _learn(self, n_new):
        self._first = self.history.resource[-n_new]

    def _propose(self, n, pending, rng):
        return rng.random((n, self.space.d)) * getattr(self, "_first", 1.0)


class OneHeap(Learner):
    """Takes the losses of all resources as they are."""

    def _rows(self):
        return np.arange(len(self.history))


def rng_of(run):
    return np.random.default_rng([run.seed, run.n_asked, 1])


BROKEN = [
    (OpenColumns, "check_points_are_valid"),
    (NotCanonical, "check_points_are_valid"),
    (InactiveFilled, "check_points_are_valid"),
    (TooFew, "check_points_are_valid"),
    (TooMany, "check_points_are_valid"),
    (Flat, "check_points_are_valid"),
    (Miscounts, "check_points_are_valid"),
    (OutOfBounds, "check_proposals_are_in_the_cube"),
    (WrongTypes, "check_values_have_their_types"),
    (Unseeded, "check_same_seed_same_points"),
    (SeedIgnored, "check_other_seed_other_points"),
    (ClassState, "check_runs_do_not_meet"),
    (NotRestartable, "check_runs_do_not_meet"),
    (GlobalNumpy, "check_global_random_state_is_untouched"),
    (GlobalPython, "check_global_random_state_is_untouched"),
    (SharedOption, "check_arguments_are_not_changed"),
    (SortsItsInput, "check_arguments_are_not_changed"),
    (WritesPending, "check_arguments_are_not_changed"),
    (Stateful, "check_replay_equals_original"),
    (OneStream, "check_replay_equals_original"),
    (CountsTells, "check_replay_equals_original"),
    (DependsOnBatches, "check_replay_with_resources"),
    (PickleLosesState, "check_pickle_in_mid_run"),
    (IgnoresPending, "check_pending_is_respected"),
    (Repeats, "check_finite_space_is_asked_once"),
    (StopsEarly, "check_finite_space_is_asked_once"),
    (NeverEnds, "check_finite_space_is_asked_once"),
    (Repeats, "check_one_point_space"),
    (Standardises, "check_constant_scores"),
    (Standardises, "check_some_failures"),
    (ForgetsFailures, "check_all_failures"),
    (ForgetsFailures, "check_single_success"),
    (ForgetsFailures, "check_huge_losses"),
    (ForgetsFailures, "check_tiny_differences"),
    (Interpolates, "check_duplicated_tells"),
    (FullOnly, "check_mixed_resources"),
    (Product, "check_fifty_dimensions"),
    (OrderedOnly, "check_categorical_only"),
    (RealOnly, "check_ordinal_only"),
    (NoConditions, "check_conditional"),
    (TwoLevelsAtLeast, "check_constant_columns"),
    (Standardises, "check_mixed_space"),
    (NeverLearns, "check_beats_random_search"),
    (UpsideDown, "check_beats_random_search"),
    (NeverLearns, "check_stays_away_from_failures"),
    (DropsFailures, "check_stays_away_from_failures"),
    (NeverLearns, "check_prefers_the_better_choice"),
    (NoCategoricals, "check_prefers_the_better_choice"),
    (NeverLearns, "check_learns_under_halving"),
    (UpsideDown, "check_learns_under_halving"),
    (OneHeap, "check_larger_resources_prevail"),
    (NeverLearns, "check_larger_resources_prevail"),
]


def named(sampler, name):
    return next(check for check in sampler_checks(sampler) if check.__name__ == name)


@functools.cache
def passes(name):
    """Whether a sound sampler passes, as a check that always fails would notice all the broken ones."""
    named(Learner(), name)(Learner())
    return True


@pytest.mark.parametrize(("broken", "name"), BROKEN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_check_notices(broken, name):
    assert passes(name)
    check = named(Learner(), name)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with pytest.raises(
            (AssertionError, ArithmeticError, ValueError, RuntimeWarning, np.linalg.LinAlgError)
        ):
            check(broken())
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def test_a_run_that_cannot_be_pickled_is_noticed():
    # Which of them it is depends on the version of Python.
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        named(Learner(), "check_pickle_in_mid_run")(Unpicklable())


def test_every_check_is_seen_to_fail():
    assert {check.__name__ for check in sampler_checks(Learner())} == {name for _, name in BROKEN}


def test_every_check_says_what_it_protects():
    for check in sampler_checks(Learner()):
        assert "Protects" in check.__doc__


def test_checks_follow_the_claims_of_the_class():
    names = [
        {check.__name__ for check in sampler_checks(s)} for s in (Learner(), SobolSampler(), GridSampler())
    ]
    assert names[0] - names[1] == {
        "check_beats_random_search",
        "check_stays_away_from_failures",
        "check_prefers_the_better_choice",
        "check_learns_under_halving",
        "check_larger_resources_prevail",
    }
    assert names[1] - names[2] == {"check_other_seed_other_points"}


def test_check_sampler_runs_them_all():
    check_sampler(RandomSampler())
    with pytest.raises(AssertionError, match="unit cube"):
        check_sampler(OutOfBounds())
    with pytest.raises(AssertionError, match="learns = False"):
        check_sampler(NeverLearns())


def test_check_sampler_takes_objects_only():
    with pytest.raises(TypeError, match="takes a Sampler object"):
        check_sampler(RandomSampler)
