"""Estimators of scikit-learn: what is continued is what would have been trained at once."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import cluster, ensemble, linear_model, neural_network
from sklearn.base import clone, is_classifier
from sklearn.ensemble._hist_gradient_boosting import gradient_boosting
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.tree import BaseDecisionTree

from skhpo._sklearn import KMEANS_DRAWS_BY_WEIGHT
from skhpo.evaluation.adapters import FreshFit, find_adapter
from skhpo.testing import check_adapter

ENSEMBLES = [
    ensemble.RandomForestClassifier(random_state=0),
    ensemble.RandomForestClassifier(random_state=0, oob_score=True, class_weight="balanced", max_depth=4),
    ensemble.RandomForestRegressor(random_state=0, max_samples=0.5),
    ensemble.ExtraTreesClassifier(random_state=0),
    ensemble.ExtraTreesRegressor(random_state=0, bootstrap=True, oob_score=True),
    ensemble.BaggingClassifier(random_state=0, max_samples=0.5, max_features=0.7),
    ensemble.BaggingRegressor(random_state=0),
    ensemble.GradientBoostingClassifier(random_state=0, subsample=0.5),
    ensemble.GradientBoostingRegressor(random_state=0, max_features=0.5, loss="absolute_error"),
    ensemble.HistGradientBoostingClassifier(random_state=0, max_features=0.5),
    ensemble.HistGradientBoostingRegressor(random_state=0, learning_rate=0.3),
]
NETWORKS = [
    neural_network.MLPClassifier(hidden_layer_sizes=(5,), random_state=0, batch_size=32),
    neural_network.MLPClassifier(
        hidden_layer_sizes=(5,), random_state=0, solver="sgd", learning_rate="invscaling", shuffle=False
    ),
    neural_network.MLPRegressor(
        hidden_layer_sizes=(5,),
        random_state=0,
        solver="sgd",
        learning_rate="adaptive",
        tol=0.1,
        n_iter_no_change=1,
    ),
    neural_network.MLPRegressor(hidden_layer_sizes=(5,), random_state=0, tol=0.05, n_iter_no_change=2),
]
LINEAR = [
    linear_model.SGDClassifier(random_state=0),
    linear_model.SGDClassifier(loss="log_loss", average=True, class_weight="balanced", random_state=0),
    linear_model.SGDRegressor(random_state=0),
    linear_model.SGDRegressor(learning_rate="constant", eta0=0.01, tol=None, random_state=0),
    linear_model.Perceptron(),
]


def name(model):
    return f"{type(model).__name__}-{len(str(model))}"


def data_for(model, classes, numbers):
    return classes if is_classifier(model) else numbers


@pytest.mark.parametrize("model", [*ENSEMBLES, *NETWORKS], ids=name)
def test_bit_for_bit(model, classes, numbers, weights):
    X, y = data_for(model, classes, numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of class weights, convergence or anything else
        warnings.filterwarnings("ignore", message="Some inputs do not have OOB")
        check_adapter(find_adapter(model), model, X, y)
        check_adapter(find_adapter(model), model, X, y, fit_params={"sample_weight": weights})


@pytest.mark.parametrize("model", [ensemble.IsolationForest, ensemble.RandomTreesEmbedding])
def test_forests_without_target(model, classes):
    model = model(random_state=0)
    check_adapter(find_adapter(model), model, classes[0])


@pytest.mark.parametrize("model", LINEAR, ids=name)
def test_stochastic_gradients_in_distribution(model, classes, numbers):
    X, y = data_for(model, classes, numbers)
    check_adapter(find_adapter(model), model, X, y, exact=False)


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize("kind", ["PassiveAggressiveClassifier", "PassiveAggressiveRegressor"])
def test_passive_aggressive_in_distribution(kind, classes, numbers):
    if not hasattr(linear_model, kind):
        pytest.skip("left scikit-learn in 1.10")
    model = getattr(linear_model, kind)(C=0.01, random_state=0)
    X, y = data_for(model, classes, numbers)
    check_adapter(find_adapter(model), model, X, y, exact=False)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pd.DataFrame])
def test_boltzmann_machine(container, classes, counted):
    X = container((classes[0] > 0).astype(float))
    model = neural_network.BernoulliRBM(n_components=5, random_state=0, batch_size=40)
    check_adapter(find_adapter(model), model, X)
    batches = counted(neural_network.BernoulliRBM, "_fit")
    memo = find_adapter(model).begin(model, 3, X, None, {}, 0)
    find_adapter(model).extend(model, 7, X, None, {}, memo)
    assert batches[0] == 4 * 7
    assert not hasattr(model, "random_state_")


@pytest.mark.skipif(not KMEANS_DRAWS_BY_WEIGHT, reason="scikit-learn 1.8 draws batches otherwise")
def test_mini_batch_k_means(classes, weights):
    X, _ = classes
    model = cluster.MiniBatchKMeans(
        4, random_state=0, batch_size=32, tol=0, max_no_improvement=None, n_init=2, reassignment_ratio=0.1
    )
    adapter = find_adapter(model)
    check_adapter(adapter, model, X)
    check_adapter(adapter, model, X, fit_params={"sample_weight": weights})
    memo = adapter.begin(model, 3, X, None, {}, 0)
    adapter.extend(model, 7, X, None, {}, memo)
    fresh = clone(model).fit(X)
    assert np.array_equal(model.labels_, fresh.labels_)
    assert model.inertia_ == pytest.approx(fresh.inertia_)
    assert (model.n_steps_, model.n_iter_) == (fresh.n_steps_, fresh.n_iter_)
    assert not adapter.can_extend(cluster.MiniBatchKMeans(tol=0), {})


def test_one_class_svm_in_distribution(classes):
    X, _ = classes
    adapter = find_adapter(linear_model.SGDOneClassSVM())
    offsets = []
    for seed in range(20):
        model = linear_model.SGDOneClassSVM(random_state=seed, tol=None)
        adapter.extend(model, 16, X, None, {}, adapter.begin(model, 5, X, None, {}, 0))
        fresh = linear_model.SGDOneClassSVM(random_state=seed, tol=None, max_iter=16).fit(X)
        offsets.append([model.score_samples(X).mean(), fresh.score_samples(X).mean()])
    offsets = np.array(offsets)
    error = np.sqrt(offsets.var(axis=0, ddof=1).sum() / 20)
    assert abs(np.subtract(*offsets.mean(axis=0))) < 4 * error  # 1 in 3,000 by chance
    assert model.t_ == 1 + 16 * len(X)


@pytest.mark.parametrize(
    ("model", "owner", "method", "each"),
    [
        (ensemble.RandomForestClassifier(), BaseDecisionTree, "_fit", 1),
        (ensemble.ExtraTreesRegressor(), BaseDecisionTree, "_fit", 1),
        (ensemble.BaggingClassifier(), BaseDecisionTree, "_fit", 1),
        (ensemble.GradientBoostingRegressor(), BaseDecisionTree, "_fit", 1),
        (ensemble.GradientBoostingClassifier(), BaseDecisionTree, "_fit", 3),
        (ensemble.HistGradientBoostingClassifier(), gradient_boosting, "TreeGrower", 3),
        (
            neural_network.MLPClassifier(hidden_layer_sizes=(5,)),
            BaseMultilayerPerceptron,
            "_update_no_improvement_count",
            1,
        ),
    ],
    ids=lambda value: name(value) if hasattr(value, "fit") else None,
)
def test_only_what_is_missing_is_trained(model, owner, method, each, counted, classes, numbers):
    X, y = data_for(model, classes, numbers)
    adapter, model = find_adapter(model), clone(model)
    units = counted(owner, method)
    memo = adapter.begin(model, 4, X, y, {}, 0)
    assert units[0] == 4 * each
    memo = adapter.extend(model, 9, X, y, {}, memo)
    assert units[0] == 9 * each
    adapter.extend(model, 20, X, y, {}, memo)
    assert units[0] == 20 * each


def test_only_missing_epochs_of_stochastic_gradients(classes):
    X, y = classes
    model = linear_model.SGDClassifier(tol=None, random_state=0)
    adapter = find_adapter(model)
    memo = adapter.begin(model, 4, X, y, {}, 0)
    trained = [model.t_]
    for length in (9, 20):
        memo = adapter.extend(model, length, X, y, {}, memo)
        trained.append(model.t_)
        assert model.n_iter_ == length
    assert np.array_equal(np.diff(trained), [5 * len(X), 11 * len(X)])
    assert "_partial_fit" not in vars(model)


@pytest.mark.parametrize("kind", ["sgd", "network"])
def test_epochs_have_orders_of_their_own(kind, classes, monkeypatch):
    """An integer ``random_state`` must not repeat the first epoch's order."""
    X, y = classes
    if kind == "network":
        model = neural_network.MLPClassifier(hidden_layer_sizes=(4,), batch_size=10, random_state=0)
        adapter = find_adapter(model)
        first_rows = []
        backprop = BaseMultilayerPerceptron._backprop

        def spy(self, X, *args):
            first_rows.append(X[0].tobytes())
            return backprop(self, X, *args)

        monkeypatch.setattr(BaseMultilayerPerceptron, "_backprop", spy)
        memo = adapter.begin(model, 1, X, y, {}, 0)
        for length in (2, 4):
            memo = adapter.extend(model, length, X, y, {}, memo)
        per_epoch = np.reshape(first_rows, (4, -1))
        assert len({tuple(rows) for rows in per_epoch}) == 4
    else:
        model = linear_model.SGDClassifier(random_state=0, tol=None)
        adapter = find_adapter(model)
        seeds = []
        partial_fit = type(model).partial_fit

        def spy(self, *args, **kwargs):
            seeds.append(pickle.dumps(self.random_state.get_state()))
            return partial_fit(self, *args, **kwargs)

        monkeypatch.setattr(type(model), "partial_fit", spy)
        memo = adapter.begin(model, 1, X, y, {}, 0)
        for length in (2, 4):
            memo = adapter.extend(model, length, X, y, {}, memo)
        assert len(set(seeds)) == 2
        assert model.random_state == 0


def test_converged_models_are_left_alone(classes, counted):
    X, y = classes
    for model in (
        neural_network.MLPClassifier(hidden_layer_sizes=(4,), tol=10, n_iter_no_change=2, random_state=0),
        linear_model.SGDClassifier(tol=10, n_iter_no_change=2, random_state=0),
    ):
        adapter = find_adapter(model)
        memo = adapter.begin(model, 20, X, y, {}, 0)
        epochs = model.n_iter_
        assert epochs < 20
        calls = counted(type(model), "partial_fit")
        adapter.extend(model, 50, X, y, {}, memo)
        assert calls[0] == 0
        assert model.n_iter_ == epochs
        assert model.max_iter == 50


def test_networks_stop_on_the_way_where_they_would_have(classes):
    X, y = classes
    model = neural_network.MLPClassifier(
        hidden_layer_sizes=(4,), tol=0.02, n_iter_no_change=3, learning_rate_init=0.02, random_state=0
    )
    fresh = clone(model).set_params(max_iter=300).fit(X, y)
    assert 6 < fresh.n_iter_ < 300
    for first in (fresh.n_iter_ - 1, fresh.n_iter_, 5):
        continued, adapter = clone(model), find_adapter(model)
        memo = adapter.begin(continued, first, X, y, {}, 0)
        adapter.extend(continued, 300, X, y, {}, memo)
        assert continued.loss_curve_ == fresh.loss_curve_
        assert continued.n_iter_ == fresh.n_iter_


@pytest.mark.parametrize("options", [{}, {"scoring": "accuracy"}, {"validation_fraction": None}], ids=str)
def test_early_stopping_of_histogram_boosting_is_followed(options, classes):
    X, y = classes
    model = ensemble.HistGradientBoostingClassifier(
        early_stopping=True,
        n_iter_no_change=3,
        tol=0.01,
        learning_rate=0.2,
        random_state=0,
        max_leaf_nodes=5,
        **options,
    )
    stop = clone(model).set_params(max_iter=60).fit(X, y).n_iter_
    assert 3 < stop < 60
    for lengths in ((stop - 1, stop, 60), (stop, stop + 3, 60), (2, stop + 1, 60)):
        check_adapter(find_adapter(model), model, X, y, lengths=lengths)


@pytest.mark.parametrize("kind", ["csr", "pandas"])
@pytest.mark.parametrize(
    "model",
    [
        ensemble.RandomForestClassifier(random_state=0),
        neural_network.MLPClassifier(hidden_layer_sizes=(4,), random_state=0),
        ensemble.GradientBoostingClassifier(random_state=0),
    ],
    ids=name,
)
def test_other_containers(kind, model, classes):
    X, y = classes
    X = sp.csr_array(X) if kind == "csr" else pd.DataFrame(X, columns=list("abcdefgh"))
    y = y if kind == "csr" else pd.Series(y)
    check_adapter(find_adapter(model), model, X, y)


@pytest.mark.parametrize(
    ("model", "fit_params"),
    [
        (ensemble.BaggingClassifier(oob_score=True), {}),
        (ensemble.GradientBoostingClassifier(n_iter_no_change=3), {}),
        (ensemble.GradientBoostingClassifier(), {"monitor": print}),
        (neural_network.MLPClassifier(early_stopping=True), {}),
        (neural_network.MLPClassifier(solver="lbfgs"), {}),
        (linear_model.SGDClassifier(early_stopping=True), {}),
        (linear_model.SGDRegressor(learning_rate="adaptive"), {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_could_not_be_exact_is_refused(model, fit_params):
    assert not find_adapter(model).can_extend(model, fit_params)


def test_user_parameters_stay(classes):
    X, y = classes
    for model in (
        ensemble.RandomForestClassifier(random_state=0, warm_start=True, n_jobs=2),
        neural_network.MLPClassifier(hidden_layer_sizes=(4,), warm_start=True),
        linear_model.SGDClassifier(warm_start=True),
    ):
        before = model.get_params()
        adapter = find_adapter(model)
        adapter.extend(model, 4, X, y, {}, adapter.begin(model, 2, X, y, {}, 0))
        assert {**before, adapter.resource: 4} == model.get_params()


def test_a_search_without_random_state_can_be_repeated(classes):
    """Networks and linear models draw from the seed of the trial where they have none of their own."""
    X, y = classes
    model = neural_network.MLPClassifier(hidden_layer_sizes=(4,))
    adapter = find_adapter(model)
    first, again, other = (clone(model) for _ in range(3))
    for copy, seed in ((first, 3), (again, 3), (other, 4)):
        adapter.extend(copy, 5, X, y, {}, adapter.begin(copy, 2, X, y, {}, seed))
    assert np.array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_short_budgets_are_no_news(classes):
    X, y = classes
    model = linear_model.LogisticRegression(max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FreshFit("max_iter").begin(clone(model), 2, X, y, {}, 0)
    full = clone(model).set_params(max_iter=2)
    with pytest.warns(ConvergenceWarning):
        FreshFit("max_iter").begin(full, 2, X, y, {}, 0)


def test_fresh_fits_are_fresh(classes):
    X, y = classes
    check_adapter(FreshFit("max_iter"), linear_model.LogisticRegression(warm_start=True), X, y)
    adapter = FreshFit("n_estimators")
    assert adapter.length(ensemble.AdaBoostClassifier(n_estimators=30)) == 30
    assert not adapter.can_extend(ensemble.AdaBoostClassifier(), {})
    assert pickle.loads(pickle.dumps(adapter)) == adapter
