"""Searches that train many nets as one batched model, against the same searches one net at a time."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import make_classification
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skhpo import ASHASearchCV, HyperbandSearchCV, SearchCV
from skhpo.samplers import RandomSampler
from tests.search.helpers import assert_same_results

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skhpo.torch import Devices  # noqa: E402 - after the check that torch is there
from tests.search.nets import Perceptron, net  # noqa: E402

X, y = make_classification(
    300, 4, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
)
X = X.astype(np.float32)
SPACE = {
    "lr": (0.01, 0.3, "log-uniform"),
    "optimizer__momentum": (0.0, 0.95),
    "optimizer__weight_decay": (1e-5, 1e-2, "log-uniform"),
}
TOGETHER = Devices(None, together=32)


class Plain(torch.nn.Module):
    """Without anything that draws."""

    def __init__(self, width=8):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, width), torch.nn.Tanh(), torch.nn.Linear(width, 3)
        )

    def forward(self, X):
        return self.layers(X)


def search(estimator=None, space=SPACE, cls=SearchCV, **options):
    defaults = {"n_iter": 8, "cv": 3, "random_state": 0, "sampler": "random", "scoring": "neg_log_loss"}
    estimator = net(module=Plain, iterator_train__shuffle=True) if estimator is None else estimator
    return cls(estimator, space, **{**defaults, **options})


def scores(fitted):
    return fitted.cv_results_["mean_test_score"]


@pytest.fixture
def trained_together(monkeypatch):
    """Sizes of the groups that were trained together in this process."""
    import skhpo.torch

    sizes, train_together = [], skhpo.torch.train_together

    def counting(members):
        states = train_together(members)
        sizes.append(len(members))
        return states

    monkeypatch.setattr(skhpo.torch, "train_together", counting)
    return sizes


def test_scores_are_those_of_one_by_one(trained_together):
    alone, together = search().fit(X, y), search(devices=TOGETHER).fit(X, y)
    assert sum(trained_together) == 24
    np.testing.assert_allclose(scores(together), scores(alone), rtol=1e-4)
    assert together.best_params_ == alone.best_params_


def test_architectures_are_grouped(trained_together):
    space = {"module__width": [2, 4], "lr": [0.1, 0.2]}
    alone = search(space=space, n_iter=None).fit(X, y)
    together = search(space=space, n_iter=None, devices=TOGETHER).fit(X, y)
    assert sorted(trained_together) == [6, 6]
    np.testing.assert_allclose(scores(together), scores(alone), rtol=1e-4)


@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_promoted_apart_and_trained_on_together(backend, trained_together):
    options = {"cls": HyperbandSearchCV, "max_resources": 9, "n_iter": None}
    alone = search(**options).fit(X, y)
    n_jobs = None if backend == "sequential" else 2
    with parallel_config(backend):
        together = search(**options, devices=TOGETHER, n_jobs=n_jobs).fit(X, y)
    if backend == "sequential":
        assert max(trained_together) > 8
    # Rounding may turn a promotion over, but does not where candidates are well apart as here.
    assert [sorted(map(str, r)) for r in (alone.cv_results_["params"],)] == [
        sorted(map(str, r)) for r in (together.cv_results_["params"],)
    ]
    one, other = (
        dict(zip(zip(r["candidate"], r["iter"], strict=True), r["mean_test_score"], strict=True))
        for r in (alone.cv_results_, together.cv_results_)
    )
    assert one.keys() == other.keys()
    np.testing.assert_allclose([other[key] for key in one], list(one.values()), rtol=1e-3)


def test_dropout_rates_are_trained_together(trained_together):
    class Dropping(Plain):
        def __init__(self, rate=0.1):
            super().__init__()
            self.layers.insert(2, torch.nn.Dropout(rate))

    search(net(module=Dropping), {"module__rate": (0.0, 0.5)}, devices=TOGETHER).fit(X, y)
    assert sum(trained_together) == 24


def test_with_slots_and_under_asha(trained_together):
    options = {"cls": ASHASearchCV, "max_resources": 9, "n_iter": 12}
    fitted = search(**options, devices=Devices({"cpu:0": 1}, together=16)).fit(X, y)
    assert max(trained_together) >= 12
    assert fitted.best_estimator_.device == "cpu"
    assert np.isfinite(fitted.best_score_)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (
            Pipeline([("same", FunctionTransformer()), ("net", net(module=Plain))]),
            "a Pipeline is no net by itself",
        ),
        (net(module=torch.nn.Sequential, module__a=1), None),
        (net(module=Plain, optimizer=torch.optim.Adagrad), "Adagrad"),
        (net(module=Plain, callbacks=[skorch.callbacks.GradientNormClipping(1.0)]), "GradientNormClipping"),
    ],
    ids=["pipeline", "broken", "optimizer", "callback"],
)
def test_what_cannot_be_is_trained_one_by_one(estimator, reason, trained_together):
    space = {"net__lr" if isinstance(estimator, Pipeline) else "lr": [0.05, 0.1]}
    options = {"n_iter": None, "cv": 2, "refit": False}
    if reason is None:
        with warnings.catch_warnings(), pytest.raises(ValueError, match="All the 4 fits failed"):
            warnings.simplefilter("ignore")
            search(estimator, space, devices=TOGETHER, **options).fit(X, y)
        return
    alone = search(estimator, space, **options).fit(X, y)
    with pytest.warns(UserWarning, match=f"one by one although together=32: .*{reason}") as caught:
        together = search(estimator, space, devices=TOGETHER, **options).fit(X, y)
    assert sum("one by one" in str(warning.message) for warning in caught) == 1
    assert trained_together == []
    assert_same_results(alone.cv_results_, together.cv_results_)


def test_out_of_memory_costs_the_culprit_alone(tmp_path, trained_together):
    trouble = tmp_path / "trouble"
    trouble.write_bytes(b"." * 10_000)
    space = [{"lr": [0.05, 0.1, 0.2]}, {"module__trouble": [str(trouble)]}]
    options = {"n_iter": None, "cv": 2, "devices": Devices(["cpu"], together=32)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = search(net(module=Perceptron), space, **options).fit(X, y)
    assert np.isnan(scores(fitted)).tolist() == [False, False, False, True]
    assert trained_together == [6]


def test_a_group_that_is_too_large_is_halved(monkeypatch, trained_together):
    import skhpo.torch

    counting = skhpo.torch.train_together

    def small(members):
        if len(members) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return counting(members)

    monkeypatch.setattr(skhpo.torch, "train_together", small)
    alone = search().fit(X, y)
    together = search(devices=Devices(["cpu"], together=32)).fit(X, y)
    assert trained_together == [6, 6, 6, 6]
    np.testing.assert_allclose(scores(together), scores(alone), rtol=1e-4)


def loss_of_class(model, X, y):
    return float(np.log(model.predict_proba(X)[np.arange(len(y)), y] + 1e-9).mean())


@pytest.mark.parametrize("message", ["uncorrectable ECC error encountered", "out of memory"])
@pytest.mark.parametrize("at", [20, 50])
def test_a_bundle_that_is_done_again_begins_where_it_began(at, message):
    """Nets are trained on in place; a fault before all are scored must not have them trained twice."""
    n_calls = 0

    def fails_once(model, X, y):
        nonlocal n_calls
        n_calls += 1
        if n_calls == at:
            raise RuntimeError(f"CUDA error: {message}")
        return loss_of_class(model, X, y)

    options = {"cls": HyperbandSearchCV, "max_resources": 9, "n_iter": None, "refit": False}
    devices = Devices({"cpu:0": 1, "cpu:1": 1}, together=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = search(**options, scoring=loss_of_class).fit(X, y)
        fitted = search(**options, scoring=fails_once, devices=devices).fit(X, y)
    assert n_calls > at
    np.testing.assert_allclose(
        fitted.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-3
    )


def test_torch_generators_are_left_alone():
    for devices in (None, TOGETHER):
        state = torch.get_rng_state()
        search(net(module=Plain, iterator_train__shuffle=True), devices=devices, refit=False).fit(X, y)
        assert torch.equal(torch.get_rng_state(), state)


def test_what_a_scorer_draws_is_the_candidates_own():
    def draws(model, X, y):
        return float(torch.rand(1))

    first, again = search(scoring=draws, refit=False).fit(X, y), search(scoring=draws, refit=False).fit(X, y)
    assert_same_results(first.cv_results_, again.cv_results_)
    assert len(set(scores(first))) == 8


def test_a_sampler_is_asked_when_all_of_a_bundle_are_told():
    asked = []

    class Watching(RandomSampler):
        def _propose(self, n, pending, rng):
            asked.append(8 - len(pending))
            return super()._propose(n, pending, rng)

    one_fold = [(np.arange(200), np.arange(200, 300))]
    search(n_iter=16, cv=one_fold, sampler=Watching(), devices=Devices(None, together=8), refit=False).fit(
        X, y
    )
    # The second bundle is asked for like the first, with nobody of the first pending.
    assert asked == [8, 7, 6, 5, 4, 3, 2, 1] * 2


def test_a_journal_goes_on_one_by_one(tmp_path):
    storage = tmp_path / "search.db"
    first = search(storage=storage, devices=TOGETHER).fit(X, y)
    again = search(storage=storage).fit(X, y)
    assert_same_results(first.cv_results_, again.cv_results_)
