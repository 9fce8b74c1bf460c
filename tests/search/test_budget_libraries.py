"""Boosters, networks and nets under budgets, in this process and in workers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhpo import ASHASearchCV, HyperbandSearchCV
from tests.search.helpers import assert_same_results

X, Y = make_classification(150, 8, n_informative=5, random_state=0)
X = X.astype(np.float32)
FOLDS = StratifiedKFold(2)


def lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.LGBMClassifier(random_state=0, n_jobs=1, verbose=-1), "num_leaves"


def xgboost():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(random_state=0, n_jobs=1), "max_leaves"


def network():
    return make_pipeline(StandardScaler(), MLPClassifier((16,), random_state=0)), "mlpclassifier__batch_size"


def transformed():
    regressor = TransformedTargetRegressor(
        GradientBoostingRegressor(random_state=0), transformer=StandardScaler()
    )
    return make_pipeline(StandardScaler(), regressor), "transformedtargetregressor__regressor__max_leaf_nodes"


def search_of(build, search_class=HyperbandSearchCV, **options):
    estimator, name = build()
    space = {name: (2, 60)}
    return search_class(estimator, space, n_iter=17, max_resources=9, cv=FOLDS, random_state=0, **options)


@pytest.mark.parametrize("build", [lightgbm, xgboost, network, transformed])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_are_those_of_training_at_once(build, n_jobs):
    search = search_of(build, n_jobs=n_jobs).fit(X, Y)
    table = search.cv_results_
    assert search.n_resources_ == [1, 3, 9]
    for params, score in zip(table["params"], table["mean_test_score"], strict=True):
        at_once = clone(search.estimator).set_params(**params)
        assert cross_val_score(at_once, X, Y, cv=FOLDS).mean() == pytest.approx(score, abs=1e-12)


def net():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    estimator = skorch.NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=8,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        batch_size=16,
        train_split=None,
        verbose=0,
    )
    return estimator, "batch_size"


@pytest.mark.parametrize("search_class", [HyperbandSearchCV, ASHASearchCV])
def test_nets_are_the_same_whatever_torch_drew_before(search_class):
    torch = pytest.importorskip("torch")
    tables = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        search = search_of(net, search_class, refit=False).fit(X, Y)
        tables.append(search.cv_results_)
    assert_same_results(*tables)
    assert len(set(tables[0]["mean_test_score"])) > 3


def test_nets_in_workers_are_those_of_this_process():
    serial = search_of(net, refit=False).fit(X, Y)
    workers = search_of(net, refit=False, n_jobs=2).fit(X, Y)
    assert_same_results(serial.cv_results_, workers.cv_results_)


SCRIPT = """
import sys, warnings
import numpy as np, skorch, torch
from sklearn.datasets import make_classification
from skhpo import HyperbandSearchCV

class Net(torch.nn.Linear):
    def __init__(self, size=8):
        super().__init__(size, 2)

class MyClassifier(skorch.NeuralNetClassifier):
    pass

if __name__ == "__main__":
    X, y = make_classification(100, 8, random_state=0)
    net = MyClassifier(Net, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0)
    search = HyperbandSearchCV(
        net, {"lr": (1e-3, 1.0, "log-uniform")}, max_resources=9, cv=2, n_jobs=2, refit=False, random_state=0
    )
    search.fit(X.astype(np.float32), y)
    print(*search.cv_results_["mean_test_score"])
    serial = search.set_params(n_jobs=1).fit(X.astype(np.float32), y)
    print(*serial.cv_results_["mean_test_score"])
"""


def test_classes_of_a_script_go_through_workers(tmp_path):
    pytest.importorskip("skorch")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    workers, serial = ended.stdout.splitlines()
    assert workers == serial
    assert "could not be" not in ended.stderr
