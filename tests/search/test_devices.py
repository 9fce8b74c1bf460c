"""Searches whose nets are trained on devices that they are given: here all of them the processor."""

import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skhpo import ASHASearchCV, SearchCV
from skhpo.space import Choice
from tests.search.helpers import assert_same_results

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skhpo.torch import Devices  # noqa: E402 - after the check that torch is there
from tests.search.nets import net, where  # noqa: E402

X, y = load_iris(return_X_y=True)
X = X.astype(np.float32)
SPACE = {"lr": (0.01, 0.3, "log-uniform"), "module__width": [2, 4, 8]}
TWO = {"cpu:0": 1, "cpu:1": 1}


def search(estimator=None, space=SPACE, cls=SearchCV, **options):
    defaults = {"n_iter": 6, "cv": 2, "random_state": 0, "sampler": "random"}
    return cls(net() if estimator is None else estimator, space, **{**defaults, **options})


def folds(fitted):
    results = fitted.cv_results_
    return np.array([results[f"split{i}_test_score"] for i in range(fitted.n_splits_)])


@pytest.mark.parametrize(
    ("backend", "n_jobs", "used"),
    [("sequential", None, {0.0}), ("threading", 2, {0.0, 1.0}), ("loky", 2, {0.0, 1.0})],
)
@pytest.mark.parametrize("cls", [SearchCV, ASHASearchCV])
def test_nets_are_where_they_were_sent(backend, n_jobs, used, cls):
    options = {"max_resources": 4, "factor": 2} if cls is ASHASearchCV else {}
    estimator = net(device="cpu")
    with parallel_config(backend), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="devices has 2 slots")
        fitted = search(estimator, cls=cls, scoring=where, devices=TWO, n_jobs=n_jobs, **options).fit(X, y)
    assert set(folds(fitted).ravel()) == used
    assert estimator.device == "cpu" and not estimator.initialized_
    assert fitted.best_estimator_.device == "cpu"


def test_devices_change_no_result():
    plain = search().fit(X, y)
    placed = search(devices=["cpu:1"]).fit(X, y)
    together = search(devices={"cpu:0": 2, "cpu:1": 2}, n_jobs=2).fit(X, y)
    assert_same_results(plain.cv_results_, placed.cv_results_)
    assert_same_results(plain.cv_results_, together.cv_results_)


def test_promoted_trials_go_on_wherever_they_are():
    options = {"cls": ASHASearchCV, "max_resources": 8, "factor": 2, "n_iter": 8}
    plain = search(**options).fit(X, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="devices has 2 slots")
        placed = search(**options, devices=TWO).fit(X, y)
    assert_same_results(plain.cv_results_, placed.cv_results_)


def test_the_same_seed_is_the_same_search_whatever_torch_drew_before():
    first = search().fit(X, y)
    torch.rand(3)
    again = search(refit=False).fit(X, y)
    assert_same_results(first.cv_results_, again.cv_results_)
    other = search(random_state=1, space={"lr": [0.1]}, n_iter=None).fit(X, y)
    assert not np.array_equal(folds(other), folds(search(space={"lr": [0.1]}, n_iter=None).fit(X, y)))


def test_nets_in_pipelines_and_beside_other_models():
    as_float = FunctionTransformer(np.float32)
    estimator = Pipeline([("scale", StandardScaler()), ("float", as_float), ("model", net())])

    def scorer(model, X, y):
        last = model[-1]
        return where(last, X, y) if hasattr(last, "module_") else 7.0

    models = [(net(), {"model__lr": (0.01, 0.1)}), (SVC(), {"model__C": (0.1, 10.0)})]
    space = {"model": Choice(models)}
    fitted = search(estimator, space, scoring=scorer, devices=["cpu:1"], n_iter=8).fit(X, y)
    assert set(folds(fitted).ravel()) == {1.0, 7.0}


def test_auto_on_a_machine_without_gpu_is_no_change(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert_same_results(search().fit(X, y).cv_results_, search(devices="auto").fit(X, y).cv_results_)


class TestOutOfMemory:
    @pytest.fixture
    def trouble(self, tmp_path):
        def make(n):
            path = tmp_path / f"trouble-{n}"
            path.write_bytes(b"." * n)
            return str(path)

        return make

    @pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
    def test_once_is_forgiven_and_twice_costs_the_candidate(self, backend, trouble):
        space = {"module__trouble": [None, trouble(1), trouble(2), trouble(0)]}
        options = {"n_jobs": None if backend == "sequential" else 2, "devices": {"cpu:0": 2}}
        with parallel_config(backend), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="devices has 2 slots")
            with pytest.warns(FitFailedWarning, match="OutOfMemoryError"):
                fitted = search(space=space, n_iter=None, cv=[(range(100), range(100, 150))], **options).fit(
                    X, y
                )
        failed = np.isnan(fitted.cv_results_["mean_test_score"])
        assert failed.tolist() == [False, False, True, False]

    @pytest.mark.parametrize(("scoring", "n"), [("accuracy", 4), (["accuracy", "balanced_accuracy"], 8)])
    def test_in_a_scorer(self, scoring, n, trouble):
        """scikit-learn only warns of what a scorer raises."""
        space = {"module__trouble": [trouble(1), trouble(n)], "module__late": [True]}
        options = {"n_iter": None, "cv": 2, "scoring": scoring, "refit": False, "devices": ["cpu"]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = search(space=space, **options).fit(X, y)
        metric = "score" if isinstance(scoring, str) else "accuracy"
        scores = np.array([fitted.cv_results_[f"split{i}_test_{metric}"] for i in range(2)])
        # The first is forgiven; the second fails twice on both folds, by each metric.
        assert np.isfinite(scores[:, 0]).all()
        assert np.isnan(scores[:, 1]).all()

    def test_error_score_raise(self, trouble):
        options = {"n_iter": None, "cv": 2, "error_score": "raise", "devices": ["cpu"]}
        search(space={"module__trouble": [trouble(1)]}, **options).fit(X, y)
        with pytest.raises(torch.OutOfMemoryError):
            search(space={"module__trouble": [trouble(2)]}, **options).fit(X, y)


class TestFailingDevices:
    def test_a_lost_device(self, tmp_path):
        path = tmp_path / "trouble"
        path.write_bytes(b".")
        space = {"module__trouble": [str(path)], "module__error": ["device"], "lr": [0.1, 0.2]}
        with pytest.warns(UserWarning, match="cpu:0 has failed and is not used any more"):
            fitted = search(space=space, n_iter=None, scoring=where, devices=TWO, n_jobs=1).fit(X, y)
        assert (folds(fitted) == 1.0).all()

    def test_all_lost_and_taken_up_again(self, tmp_path):
        path = tmp_path / "trouble"
        path.write_bytes(b".")
        space = {"module__trouble": [str(path)], "module__error": ["device"], "lr": [0.1, 0.2]}
        options = {"n_iter": None, "storage": tmp_path / "search.db"}
        with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="All devices of this search"):
            search(space=space, devices=["cpu:0"], **options).fit(X, y)
        fitted = search(space=space, devices=["cpu:1"], **options).fit(X, y)
        assert np.isfinite(folds(fitted)).all()

    def test_a_process_that_is_spoilt_is_replaced(self, tmp_path):
        path = tmp_path / "trouble"
        path.write_bytes(b".")
        space = [
            {"module__trouble": [str(path)], "module__error": ["context"]},
            {"lr": [0.1, 0.2, 0.3, 0.05, 0.15]},
        ]
        one_fold = [(range(100), range(100, 150))]
        options = {"n_iter": None, "cv": one_fold, "devices": {"cpu": 2}, "n_jobs": 2}
        with pytest.warns(FitFailedWarning, match="its worker died"):
            fitted = search(space=space, **options).fit(X, y)
        assert np.isnan(folds(fitted)[0]).tolist() == [True] + [False] * 5


@pytest.mark.parametrize(
    ("devices", "error", "message"),
    [
        ("cuda", ValueError, "'devices' parameter"),
        (1, ValueError, "'devices' parameter"),
        ([], ValueError, "empty"),
        (["gpu"], ValueError, "no device of PyTorch"),
        ({"cpu": 0}, ValueError, "positive number"),
    ],
)
def test_what_is_refused(devices, error, message, tmp_path):
    with pytest.raises(error, match=message):
        search(devices=devices, storage=tmp_path / "search.db").fit(X, y)


def test_forks_and_cuda_do_not_go_together(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with parallel_config("multiprocessing"), pytest.raises(ValueError, match="forks of this one"):
        search(devices=["cuda:0"], n_jobs=2).fit(X, y)


def test_a_search_with_devices_is_an_estimator():
    model = search(devices=Devices({"cpu": 2}, tensors=False))
    assert clone(model).devices == model.devices
    assert pickle.loads(pickle.dumps(model)).devices == model.devices
    assert "Devices(slots={'cpu': 2}, together=1, tensors=False)" in repr(model)


def test_a_journal_goes_on_with_other_devices(tmp_path):
    options = {"storage": tmp_path / "search.db", "n_iter": 3}
    first = search(**options).fit(X, y)
    again = search(**options, devices=["cpu:1"]).fit(X, y)
    assert_same_results(first.cv_results_, again.cv_results_)


def test_tensors_go_where_the_net_goes():
    from skhpo.evaluation._nets import NetTask, park, unpark
    from skhpo.torch import TensorIterator

    model = net()
    NetTask(name="", seed=0, tensors=True, device="cpu:1").prepare(model)
    assert model.iterator_train is model.iterator_valid is TensorIterator
    assert model.device == model.iterator_train__device == "cpu:1"
    model.fit(X, y.astype(np.int64))
    devices = park(model)
    assert devices == ("cpu:1",) and model.device == model.iterator_valid__device == "cpu"
    unpark(model, "cpu:0")
    assert model.device == model.iterator_valid__device == "cpu:0"
    unpark(model, devices)
    assert model.device == "cpu:1" and model.predict(X).shape == (150,)


def test_the_loader_may_be_kept():
    from torch.utils.data import DataLoader

    def loader(model, X, y):
        return float(model.iterator_train is DataLoader)

    for tensors in (True, False):
        fitted = search(scoring=loader, devices=Devices(None, tensors=tensors), refit=False).fit(X, y)
        assert (folds(fitted) == float(not tensors)).all()
