"""Which adapter is found for which estimator."""

import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

from skhpo.evaluation.adapters import Adapter, FreshFit, _registry, find_adapter, register_adapter


@dataclass(frozen=True)
class Mine(Adapter):
    resource: str = "n_estimators"

    def extend(self, model: Any, resource, X, y, fit_params, memo):
        raise NotImplementedError


class Forest(RandomForestClassifier):
    pass


class Grove(Forest):
    pass


@pytest.fixture(autouse=True)
def registry_as_before(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))


def test_classes_inherit():
    assert find_adapter(Grove()) == find_adapter(RandomForestClassifier())


def test_nearest_base_class_wins():
    register_adapter(Forest, Mine())
    assert find_adapter(Grove()) == find_adapter(Forest()) == Mine()
    assert find_adapter(RandomForestClassifier()) != Mine()
    # A later word on a base class says nothing of the class.
    register_adapter(RandomForestClassifier, None)
    assert find_adapter(Grove()) == Mine()
    assert find_adapter(RandomForestClassifier()) is None


def test_later_registrations_win():
    by_class, by_name, full = Mine("a"), Mine("b"), Mine("c")
    register_adapter(ExtraTreesClassifier, by_class)
    assert find_adapter(ExtraTreesClassifier()) == by_class
    register_adapter("sklearn.ExtraTreesClassifier", by_name)
    assert find_adapter(ExtraTreesClassifier()) == by_name
    register_adapter("sklearn.ensemble._forest.ExtraTreesClassifier", full)
    assert find_adapter(ExtraTreesClassifier()) == full
    register_adapter("sklearn.ExtraTreesClassifier", by_name)
    assert find_adapter(ExtraTreesClassifier()) == by_name


def test_registered_models_are_found_inside_pipelines():
    register_adapter(LogisticRegression, FreshFit("max_iter"))
    assert find_adapter(make_pipeline(LogisticRegression())).resource == "logisticregression__max_iter"


def test_functions_of_the_estimator():
    register_adapter(LogisticRegression, lambda model: FreshFit("max_iter") if model.C > 1 else None)
    assert find_adapter(LogisticRegression(C=2)) == FreshFit("max_iter")
    assert find_adapter(LogisticRegression(C=1)) is None


@pytest.mark.parametrize(
    ("kind", "adapter", "error", "message"),
    [
        (3, Mine(), TypeError, "kind must be a class or its dotted name, got 3"),
        ("CatBoost", Mine(), ValueError, "must say the package"),
        (Forest, Mine, TypeError, "adapter must be an Adapter object"),
        (Forest, "n_estimators", TypeError, "got 'n_estimators'"),
    ],
)
def test_bad_registrations(kind, adapter, error, message):
    with pytest.raises(error, match=message):
        register_adapter(kind, adapter)


def test_all_that_is_registered_travels():
    for entry in _registry._REGISTRY.values():
        if isinstance(entry, Adapter):
            assert pickle.loads(pickle.dumps(entry)) == entry


@pytest.mark.parametrize("value", [None, True, 0, -3, "auto", 2.0])
def test_lengths_that_are_none(value):
    assert FreshFit("max_iter").length(LogisticRegression(max_iter=value)) is None


def test_finding_imports_no_library():
    code = (
        "import sys\nfrom skhpo.evaluation.adapters import find_adapter\n"
        "from sklearn.svm import SVC\nfind_adapter(SVC())\n"
        "print(sorted({'torch', 'skorch', 'xgboost', 'lightgbm'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


class Scaled(SGDRegressor):
    def fit(self, X, y):
        return super().fit(X / 100, y)


class Plain(SGDRegressor):
    pass


class Counting(RandomForestClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight)


class NetWithFloats(MLPRegressor):
    def fit(self, X, y):
        return super().fit(X, np.log(y))


def test_a_fit_of_its_own_is_not_gone_past():
    # partial_fit would see other data than fit does.
    assert find_adapter(Scaled()) == FreshFit("max_iter")
    assert find_adapter(NetWithFloats()) == FreshFit("max_iter")
    assert find_adapter(Plain()) == find_adapter(SGDRegressor()) != FreshFit("max_iter")
    # warm_start goes through fit.
    assert find_adapter(Counting()) == find_adapter(RandomForestClassifier())


def test_a_fit_of_its_own_must_take_what_it_is_called_with():
    xgboost = pytest.importorskip("xgboost")

    class Narrow(xgboost.XGBClassifier):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X, y, sample_weight=sample_weight)

    class Wide(xgboost.XGBClassifier):
        def fit(self, X, y, **more):
            return super().fit(X, y, **more)

    assert find_adapter(Narrow()) == FreshFit("n_estimators")
    assert find_adapter(Wide()) == find_adapter(xgboost.XGBClassifier()) != FreshFit("n_estimators")
