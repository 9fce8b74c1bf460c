"""scikit-learn's checks of estimators, with no failure that RandomizedSearchCV does not have."""

from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhpo import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

CLASSIFIER, REGRESSOR = LogisticRegression(), Ridge()


def searches():
    for search_class in (SearchCV, TPESearchCV, BayesSearchCV, CMAESSearchCV):
        for estimator, name in ((CLASSIFIER, "C"), (REGRESSOR, "alpha")):
            space = {name: loguniform(1e-2, 1e2)}
            yield search_class(estimator, space, n_iter=3, cv=2, random_state=0, error_score="raise")


@parametrize_with_checks(list(searches()))
def test_sklearn_compatible(estimator, check):
    check(estimator)
