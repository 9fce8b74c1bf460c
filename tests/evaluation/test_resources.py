"""One scale of resources for all models."""

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo.evaluation import FreshFit, adapter_for, plan_resources

FOREST, BOOSTING = RandomForestClassifier(n_estimators=30), HistGradientBoostingClassifier(max_iter=200)


def lengths(models, resource="auto", max_resources="auto", at=1):
    plan = plan_resources(models, resource, max_resources, n_samples=1000)
    return plan.max_resources, [
        (plan.length(m).name, plan.length(m).at(plan.max_resources), plan.length(m).at(at)) for m in models
    ]


def test_one_model_counts_in_its_own_units():
    assert lengths([FOREST], at=10) == (30, [("n_estimators", 30, 10)])
    assert lengths([FOREST], max_resources=81, at=9) == (81, [("n_estimators", 81, 9)])
    piped = make_pipeline(StandardScaler(), FOREST)
    assert lengths([piped], at=10) == (30, [("randomforestclassifier__n_estimators", 30, 10)])


def test_models_with_other_names_are_scaled_to_the_shortest():
    assert lengths([FOREST, BOOSTING, SVC()], at=3) == (
        30,
        [("n_estimators", 30, 3), ("max_iter", 200, 20), ("n_samples", 1000, 100)],
    )


def test_a_number_divides_the_lengths_of_models_that_differ():
    assert lengths([FOREST, BOOSTING, SVC()], max_resources=81, at=1) == (
        81,
        [("n_estimators", 30, 1), ("max_iter", 200, 2), ("n_samples", 1000, 12)],
    )


def test_the_same_name_with_other_lengths_is_scaled_too():
    longer = RandomForestClassifier(n_estimators=90)
    assert lengths([FOREST, longer], at=10) == (30, [("n_estimators", 30, 10), ("n_estimators", 90, 30)])
    # A number is the length itself, as all have the same resource.
    assert lengths([FOREST, longer], max_resources=60, at=10)[1] == [("n_estimators", 60, 10)] * 2


def test_samples():
    assert lengths([FOREST], "n_samples", at=10) == (1000, [("n_samples", 1000, 10)])
    assert lengths([SVC()], max_resources=500, at=10) == (500, [("n_samples", 500, 10)])
    with pytest.raises(ValueError, match="1001 is greater than the number of samples, 1000"):
        lengths([SVC()], max_resources=1001)


def test_a_parameter_that_nothing_is_trained_on_by():
    assert adapter_for(LogisticRegression(), "max_iter") == FreshFit("max_iter")
    assert adapter_for(FOREST, "max_depth") == FreshFit("max_depth")
    assert adapter_for(FOREST, "n_estimators") == adapter_for(FOREST, "auto") != FreshFit("n_estimators")
    assert adapter_for(LogisticRegression(), "auto") is None


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match=r"resource=trees .* its training length is 'n_estimators'"):
        adapter_for(FOREST, "trees")


def test_a_length_that_is_no_number():
    with pytest.raises(ValueError, match="'max_depth' of RandomForestClassifier"):
        lengths([FOREST], "max_depth")


def test_a_model_of_another_kind_is_never_given_the_number():
    # The plan was made for forests; a model without a length may still come out of a distribution.
    plan = plan_resources([FOREST], "auto", 9, n_samples=400)
    assert (plan.length(FOREST).name, plan.length(FOREST).full) == ("n_estimators", 9)
    assert (plan.length(SVC()).name, plan.length(SVC()).full) == ("n_samples", 400)
    assert (plan.length(BOOSTING).name, plan.length(BOOSTING).full) == ("max_iter", 200)


@pytest.mark.parametrize("name", ["criterion", "min_weight_fraction_leaf", "bootstrap"])
def test_a_parameter_that_is_no_number_of_steps(name):
    with pytest.raises(ValueError, match=f"Cannot use resource={name}: a resource is a number of steps"):
        adapter_for(FOREST, name)
