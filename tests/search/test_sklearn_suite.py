"""scikit-learn's own tests of its searches, run on ours.

The installed ``sklearn.model_selection.tests.test_search`` is loaded once for each of our classes, with
the class in the seat of ``RandomizedSearchCV`` and, evaluating all points of the lists it is given,
in that of ``GridSearchCV``.
"""

import sys
import warnings
from typing import ClassVar

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

from skhpo import ASHASearchCV, BayesSearchCV, CMAESSearchCV, HyperbandSearchCV, SearchCV, TPESearchCV
from skhpo.evaluation import plan_resources
from tests.search.helpers import load_suite

SUITE = "sklearn.model_selection.tests.test_search"


class GridSeat:
    """Turns one of our searches into something with ``GridSearchCV``'s signature."""

    options: ClassVar = {}

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=float("nan"),
        return_train_score=False,
    ):
        self.param_grid = param_grid
        super().__init__(
            estimator,
            param_grid,
            n_iter=None,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=0,
            error_score=error_score,
            return_train_score=return_train_score,
            **self.options,
        )

    def set_params(self, **params):
        super().set_params(**params)
        self.param_distributions = self.param_grid
        return self


def in_grid_seat(search_class, **options):
    qualname = f"{search_class.__name__}OnGrid"
    # Messages name the class, which the suite expects to be GridSearchCV; pickle finds it by its qualname.
    seat = type("GridSearchCV", (GridSeat, search_class), {"options": options})
    seat.__module__, seat.__qualname__ = __name__, qualname
    globals()[qualname] = seat
    return seat


def in_full(search_class):
    """A budgeted search whose only rung is the full training, with what the suite knows of a table."""

    class InFull(search_class):
        def _plan_resources(self, inputs, space):
            # The suite searches max_iter and the like too.
            return plan_resources([self.estimator], "n_samples", "auto", inputs.n_samples)

        def _least_resources(self, inputs, space, resources):
            return resources.max_resources

        def fit(self, X, y=None, **params):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "From min_resources")
                super().fit(X, y, **params)
            for column in ("candidate", "iter", "n_resources", "bracket", "total_fit_time"):
                self.cv_results_.pop(column)
            for name in ("resource", "n_resources", "n_candidates", "n_iterations", "n_possible_iterations"):
                delattr(self, f"{name}_")
            del self.min_resources_, self.max_resources_
            return self

    InFull.__name__, InFull.__qualname__ = search_class.__name__, f"{search_class.__name__}InFull"
    InFull.__module__ = __name__
    globals()[InFull.__qualname__] = InFull
    return InFull


# What cannot hold, with the reason.
PARAMETER_SAMPLER = "tests ParameterGrid or ParameterSampler, which are not replaced"
EXCLUDED = {
    "test_validate_parameter_input": PARAMETER_SAMPLER,
    "test_parameter_grid": PARAMETER_SAMPLER,
    "test_param_sampler": PARAMETER_SAMPLER,
    "test_parameters_sampler_replacement": PARAMETER_SAMPLER,
    "test_search_with_2d_array": "expects the very draws of RandomizedSearchCV(random_state=0)",
    "test_predict_proba_disabled": "searches {}, which is refused: there is nothing to choose between",
}

# Rely on the order of ParameterGrid where all points are evaluated: budgets take them in the sampler's.
ORDER = {"test_search_default_iid", "test_search_cv_results_rank_tie_breaking", "test_search_cv_timing"}

if parse_version(sklearn.__version__) < parse_version("1.9"):
    EXCLUDED["test_random_search_bad_cv"] = "scikit-learn 1.8 words the error otherwise"


def suite_class(search_class, grid_class, excluded=frozenset()):
    module = load_suite(SUITE, RandomizedSearchCV=search_class, GridSearchCV=grid_class)
    tests = {
        name: staticmethod(function)
        for name, function in vars(module).items()
        if name.startswith("test_") and name not in EXCLUDED and name not in excluded
    }
    if len(tests) < 60:
        raise RuntimeError(f"only {len(tests)} tests were found in {SUITE}")

    @pytest.fixture(autouse=True)
    def importable(self, monkeypatch):
        # Pickle must find the classes that the suite defines where they say that they are.
        monkeypatch.setitem(sys.modules, SUITE, module)

    return type(f"Test{search_class.__name__}", (), tests | {"importable": importable})


TestTPE = suite_class(TPESearchCV, in_grid_seat(TPESearchCV))
TestCMAES = suite_class(CMAESSearchCV, in_grid_seat(CMAESSearchCV))
TestBayes = suite_class(BayesSearchCV, in_grid_seat(BayesSearchCV))
TestSearch = suite_class(SearchCV, in_grid_seat(SearchCV, sampler="grid"))

HyperbandInFull, ASHAInFull = in_full(HyperbandSearchCV), in_full(ASHASearchCV)
# With n_iter=None Hyperband does not evaluate a whole grid, and has no business in that seat.
OnGrid = in_grid_seat(ASHAInFull, sampler="grid")
TestASHA = suite_class(ASHAInFull, OnGrid, excluded=ORDER)
TestHyperband = suite_class(HyperbandInFull, OnGrid, excluded=ORDER)
