"""XGBoost and LightGBM: rounds are added, and are the rounds that one fit would have had."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.preprocessing import LabelEncoder

from skhpo.evaluation.adapters import find_adapter
from skhpo.testing import check_adapter

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

XGB = {"n_jobs": 1, "max_depth": 3}
# force_col_wise: LightGBM would time both ways of summing and take the faster, with other roundings.
LGBM = {"n_jobs": 1, "verbose": -1, "num_leaves": 6, "min_child_samples": 5, "force_col_wise": True}
EXACT = [
    xgboost.XGBClassifier(**XGB),
    xgboost.XGBRegressor(**XGB),
    xgboost.XGBRegressor(**XGB, tree_method="approx", random_state=3),
    xgboost.XGBRegressor(**XGB, objective="reg:absoluteerror"),
    xgboost.XGBRegressor(n_jobs=1, booster="gblinear"),
    xgboost.XGBRegressor(**XGB, num_parallel_tree=2),
    lightgbm.LGBMClassifier(**LGBM),
    lightgbm.LGBMClassifier(**LGBM, class_weight="balanced"),
    lightgbm.LGBMRegressor(**LGBM, random_state=3),
    lightgbm.LGBMRegressor(**LGBM, objective="quantile", max_bin=15),
]
DRAWING = [
    xgboost.XGBClassifier(**XGB, subsample=0.5),
    xgboost.XGBRegressor(**XGB, colsample_bynode=0.5, learning_rate=0.1),
    lightgbm.LGBMClassifier(**LGBM, subsample=0.5, subsample_freq=1),
    lightgbm.LGBMRegressor(**LGBM, colsample_bytree=0.4, learning_rate=0.05),
    lightgbm.LGBMRegressor(**LGBM, extra_trees=True),
]


def name(model):
    return f"{type(model).__name__}-{len(str(model))}"


def data_for(model, classes, numbers):
    X, y = classes if is_classifier(model) else numbers
    return X, LabelEncoder().fit_transform(y) if isinstance(model, xgboost.XGBClassifier) else y


@pytest.mark.parametrize("model", EXACT, ids=name)
def test_bit_for_bit(model, classes, numbers, weights):
    X, y = data_for(model, classes, numbers)
    check_adapter(find_adapter(model), model, X, y)
    check_adapter(find_adapter(model), model, X, y, fit_params={"sample_weight": weights})


@pytest.mark.parametrize("model", DRAWING, ids=name)
def test_in_distribution(model, classes, numbers):
    X, y = data_for(model, classes, numbers)
    check_adapter(find_adapter(model), model, X, y, exact=False)


@pytest.mark.parametrize("kind", ["csr", "pandas"])
@pytest.mark.parametrize("model", [EXACT[1], EXACT[8]], ids=name)
def test_other_containers(kind, model, numbers):
    X, y = numbers
    if kind == "csr":
        X = sp.csr_array(X)
    else:
        X = pd.DataFrame(X, columns=list("abcdefgh"))
        X["a"] = pd.cut(X["a"], 4).cat.rename_categories(list("wxyz"))
    model = clone(model).set_params(**({"enable_categorical": True} if "XGB" in str(model) else {}))
    check_adapter(find_adapter(model), model, X, y)


@pytest.mark.parametrize(
    ("model", "fit_params"),
    [
        (lightgbm.LGBMRanker(**LGBM), {"group": np.repeat(15, 10)}),
        (xgboost.XGBRanker(**XGB), {"group": np.repeat(15, 10)}),
        (xgboost.XGBRanker(**XGB), {"qid": np.repeat(np.arange(10), 15)}),
    ],
    ids=["lightgbm", "xgboost-group", "xgboost-qid"],
)
def test_rankers(model, fit_params, classes):
    X, y = classes
    y = LabelEncoder().fit_transform(y)
    check_adapter(find_adapter(model), model, X, y, fit_params=fit_params)


def test_margins_and_several_outputs(numbers):
    X, y = numbers
    model = xgboost.XGBRegressor(**XGB)
    check_adapter(find_adapter(model), model, X, y, fit_params={"base_margin": np.linspace(0, 1, len(y))})
    check_adapter(find_adapter(model), model, X, np.c_[y, y**2])


@pytest.mark.parametrize("model", [EXACT[1], EXACT[8]], ids=name)
def test_only_missing_rounds_are_trained(model, counted, numbers):
    X, y = numbers
    adapter, model = find_adapter(model), clone(model)
    rounds = counted(xgboost.Booster if "XGB" in str(model) else lightgbm.Booster, "update")
    memo = adapter.begin(model, 4, X, y, {}, 0)
    assert rounds[0] == 4
    for length in (9, 20):
        model, memo = pickle.loads(pickle.dumps((model, memo)))
        memo = adapter.extend(model, length, X, y, {}, memo)
        assert rounds[0] == length


@pytest.mark.parametrize("model", [EXACT[1], EXACT[8], DRAWING[1], DRAWING[3]], ids=name)
def test_lengths_and_seeds_afterwards(model, numbers):
    X, y = numbers
    adapter, model = find_adapter(model), clone(model).set_params(random_state=5)
    before = model.get_params()
    memo = adapter.begin(model, 4, X, y, {}, 0)
    for length in (9, 20):
        memo = adapter.extend(model, length, X, y, {}, memo)
        booster = model.get_booster() if "XGB" in str(model) else model.booster_
        trees = booster.num_boosted_rounds() if "XGB" in str(model) else booster.current_iteration()
        assert trees == length
        assert {**before, "n_estimators": length} == pytest.approx(model.get_params(), nan_ok=True)


@pytest.mark.parametrize("random_state", [None, 7])
def test_further_rounds_see_other_rows(random_state):
    """The root of an XGBoost tree under logistic loss has a cover that names its sample of rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = rng.integers(0, 2, 200)
    weight = rng.uniform(1, 2, 200)
    model = xgboost.XGBClassifier(
        n_jobs=1, subsample=0.5, learning_rate=1e-9, base_score=0.5, random_state=random_state
    )
    adapter = find_adapter(model)
    params = {"sample_weight": weight}
    adapter.extend(model, 6, X, y, params, adapter.begin(model, 3, X, y, params, 0))
    table = model.get_booster().trees_to_dataframe()
    covers = table[table["Node"] == 0]["Cover"].to_numpy()
    assert len(covers) == 6
    assert np.unique(covers.round(3)).size == 6
    assert model.random_state == random_state


@pytest.mark.parametrize(
    ("model", "fit_params"),
    [
        (xgboost.XGBRegressor(early_stopping_rounds=3), {"eval_set": []}),
        (xgboost.XGBRegressor(), {"eval_set": [(1, 2)]}),
        (xgboost.XGBRegressor(callbacks=[1]), {}),
        (xgboost.XGBRegressor(booster="dart"), {}),
        (xgboost.XGBRanker(lambdarank_unbiased=True), {}),
        (lightgbm.LGBMRegressor(boosting_type="dart"), {}),
        (lightgbm.LGBMRegressor(boosting_type="rf"), {}),
        (lightgbm.LGBMRegressor(data_sample_strategy="goss"), {}),
        (lightgbm.LGBMRegressor(linear_tree=True), {}),
        (lightgbm.LGBMRegressor(early_stopping_rounds=3), {}),
        (lightgbm.LGBMRegressor(bagging_fraction=0.5, bagging_freq=1, bagging_seed=1), {}),
        (lightgbm.LGBMRegressor(), {"eval_set": [(1, 2)]}),
        (lightgbm.LGBMRegressor(), {"callbacks": [print]}),
        (lightgbm.LGBMRegressor(), {"init_score": [1]}),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_could_not_be_exact_is_refused(model, fit_params):
    assert not find_adapter(model).can_extend(model, fit_params)


def test_default_lengths():
    assert find_adapter(xgboost.XGBRegressor()).length(xgboost.XGBRegressor()) == 100
    assert find_adapter(lightgbm.LGBMRegressor()).length(lightgbm.LGBMRegressor(n_estimators=30)) == 30
    assert find_adapter(xgboost.XGBRFRegressor()) is None


def test_another_name_of_the_length(classes):
    # LightGBM obeys num_trees, whatever n_estimators says.
    X, y = classes
    model = lightgbm.LGBMClassifier(**{**LGBM, "num_trees": 30})
    adapter = find_adapter(model)
    assert (adapter.resource, adapter.length(model)) == ("num_trees", 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter.extend(model, 6, X, y, {}, adapter.begin(model, 2, X, y, {}, 0))
        at_once = lightgbm.LGBMClassifier(**{**LGBM, "num_trees": 6}).fit(X, y)
    assert model.booster_.num_trees() == at_once.booster_.num_trees()
    np.testing.assert_array_equal(model.predict_proba(X), at_once.predict_proba(X))


def test_no_warnings(classes):
    X, y = classes
    model = lightgbm.LGBMClassifier(**LGBM)
    adapter = find_adapter(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapter.extend(model, 6, X, y, {}, adapter.begin(model, 3, X, y, {}, 0))
    assert set(model.predict(X)) <= {"ash", "birch", "cedar"}
