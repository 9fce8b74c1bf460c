"""scikit-learn's own tests of its halving searches, run on ours.

``HyperbandSearchCV(brackets=1)`` sits in the seat of ``HalvingRandomSearchCV`` and, over all points of a
grid, in that of ``HalvingGridSearchCV``.
"""

import math

import pytest
from sklearn.model_selection import ParameterGrid

from skhpo import HyperbandSearchCV
from tests.search.helpers import load_suite

SUITE = "sklearn.model_selection.tests.test_successive_halving"


class RandomSeat(HyperbandSearchCV):
    """Successive halving under the signature of ``HalvingRandomSearchCV``."""

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_candidates="exhaust",
        factor=3,
        resource="n_samples",
        max_resources="auto",
        min_resources="smallest",
        aggressive_elimination=False,
        cv=5,
        scoring=None,
        refit=True,
        error_score=float("nan"),
        return_train_score=True,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_candidates = n_candidates
        self.aggressive_elimination = aggressive_elimination
        super().__init__(
            estimator,
            param_distributions,
            brackets=1,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    def fit(self, X, y=None, **params):
        self.n_iter = None if self.n_candidates == "exhaust" else self.n_candidates
        if self.min_resources == "exhaust":
            # Ours always ends at max_resources, and begins where the candidates allow.
            self.min_resources = "smallest"
        super().fit(X, y, **params)
        # Two figures that the suite asks for and that say nothing new, and none of the further columns.
        n, self.n_required_iterations_ = self.n_candidates_[0], 1
        while n >= self.factor**self.n_required_iterations_:
            self.n_required_iterations_ += 1
        self.n_remaining_candidates_ = math.ceil(self.n_candidates_[-1] / self.factor)
        for column in ("candidate", "bracket", "total_fit_time"):
            self.cv_results_.pop(column)
        return self


class GridSeat(RandomSeat):
    """The same over all points of a grid."""

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        factor=3,
        resource="n_samples",
        max_resources="auto",
        min_resources="exhaust",
        aggressive_elimination=False,
        cv=5,
        scoring=None,
        refit=True,
        error_score=float("nan"),
        return_train_score=True,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.param_grid = param_grid
        super().__init__(
            estimator,
            param_grid,
            n_candidates=len(ParameterGrid(param_grid)),
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )


EXCLUDED = {
    "test_top_k": "tests a private function",
    "test_subsample_splitter_shapes": "tests a private class",
    "test_subsample_splitter_determinism": "tests a private class",
    "test_select_best_index": "calls a private method",
    "test_aggressive_elimination": "aggressive_elimination repeats the lowest rung where resources are too "
    "few; ours begins higher instead, and always ends at max_resources",
    "test_min_max_resources": "ends where the factor leads, at 999 of 1000 samples, and counts possible "
    "iterations from the lowest rung used; ours always ends at max_resources, see test_budget.py",
    "test_resource_parameter": "expects rungs 1, 3, 9 under max_resources=10; ours end at 10",
    "test_base_estimator_inputs": "expects that test folds are subsampled with the training folds, and "
    "counts calls of set_params",
    "test_input_errors_randomized": "there is no 'exhaust' here",
    "test_min_resources_null": "an empty X is refused by the splitter first, in its own words",
}
EXCLUDED_CASES = {
    "test_random_search_discrete_distributions": {
        10: "expects 10 candidates of a space of two, that is repetitions",
    },
    "test_input_errors": {
        "resource can only be 'n_samples' when max_resources='auto'": "ours takes it from the estimator",
        "min_resources_=15 is greater than max_resources_=14": "worded otherwise, see test_bad_budgets.py",
        "must yield consistent folds": "folds are made once, so that any splitter will do",
    },
}


def is_excluded(name, case):
    """Whether a row of a parametrized test is among those that cannot hold."""
    values = case if isinstance(case, tuple) else (case,)
    return any(key in values[1:] for key in EXCLUDED_CASES.get(name, ()))


def without_excluded_rows(name, function):
    """The test with the rows taken out of its parametrization."""
    marks = []
    for mark in function.pytestmark:
        names, rows = mark.args
        marks.append(pytest.mark.parametrize(names, [row for row in rows if not is_excluded(name, row)]).mark)
    function.pytestmark = marks
    return function


def suite_tests():
    suite = load_suite(SUITE, HalvingRandomSearchCV=RandomSeat, HalvingGridSearchCV=GridSeat)
    tests = {
        name: function
        for name, function in vars(suite).items()
        if name.startswith("test_") and name not in EXCLUDED
    }
    unknown = EXCLUDED_CASES.keys() - tests.keys()
    if len(tests) < 8 or unknown:
        raise RuntimeError(f"only {len(tests)} tests were found in {SUITE}; not there: {unknown}")
    for name in EXCLUDED_CASES:
        without_excluded_rows(name, tests[name])
    return tests


globals().update(suite_tests())
