"""scikit-learn's checks of estimators, with no failure that RandomizedSearchCV does not have."""

from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhpo import ASHASearchCV, BayesSearchCV, CMAESSearchCV, HyperbandSearchCV, SearchCV, TPESearchCV

SEARCH_CLASSES = [SearchCV, TPESearchCV, BayesSearchCV, CMAESSearchCV, HyperbandSearchCV, ASHASearchCV]
CLASSIFIER, REGRESSOR = LogisticRegression(), Ridge()


def searches():
    for search_class in SEARCH_CLASSES:
        for estimator, name in ((CLASSIFIER, "C"), (REGRESSOR, "alpha")):
            # A tuple, as the repr of a scipy distribution differs from process to process.
            space = {name: (1e-2, 1e2, "log-uniform")}
            yield search_class(estimator, space, n_iter=3, cv=2, random_state=0, error_score="raise")


def expected_failures(search):
    """What scikit-learn lists for RandomizedSearchCV, as far as it fails."""
    if isinstance(search.estimator, Ridge):
        return {"check_supervised_y_2d": "Ridge takes 2-d targets and does not warn of them"}
    return {}


@parametrize_with_checks(list(searches()), expected_failed_checks=expected_failures)
def test_sklearn_compatible(estimator, check):
    check(estimator)
