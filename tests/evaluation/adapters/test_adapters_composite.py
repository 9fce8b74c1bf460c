"""Pipelines and wrappers: only the estimator inside goes on, on the data that it saw at the beginning."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler, TargetEncoder
from sklearn.tree import BaseDecisionTree

from skhpo.evaluation.adapters import FreshFit, find_adapter
from skhpo.evaluation.adapters._agreement import agree
from skhpo.testing import check_adapter


class Counting(TransformerMixin, BaseEstimator):
    """Scales by what it saw, and counts its fits."""

    n_fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).n_fits += 1
        self.weighted_ = sample_weight is not None
        self.mean_ = np.average(X, axis=0, weights=sample_weight)
        return self

    def transform(self, X):
        return X - self.mean_


class Noisy(TransformerMixin, BaseEstimator):
    """Gives other data to those it is fitted on, as augmentation does."""

    def fit(self, X, y=None):
        return self

    def fit_transform(self, X, y=None):
        return X + np.random.default_rng(0).normal(size=X.shape)

    def transform(self, X):
        return X


def network(**options):
    return MLPClassifier(hidden_layer_sizes=(5,), random_state=0, batch_size=32, **options)


def regressor():
    return MLPRegressor(hidden_layer_sizes=(5,), random_state=0, batch_size=32)


FOREST = RandomForestClassifier(random_state=0, max_depth=5)
PIPELINES = [
    make_pipeline(StandardScaler(), FOREST),
    make_pipeline(StandardScaler(), PCA(4), network()),
    make_pipeline("passthrough", None, network()),
    make_pipeline(network()),
    make_pipeline(StandardScaler(), make_pipeline(PCA(5), network())),
    make_pipeline(Noisy(), GradientBoostingClassifier(random_state=0)),
    make_pipeline(OneHotEncoder(handle_unknown="ignore"), network()),
    make_pipeline(StandardScaler(), PCA(4), network()).set_output(transform="pandas"),
]
REGRESSORS = [
    TransformedTargetRegressor(regressor(), transformer=QuantileTransformer(n_quantiles=20)),
    TransformedTargetRegressor(RandomForestRegressor(random_state=0), func=np.arcsinh, inverse_func=np.sinh),
    TransformedTargetRegressor(
        make_pipeline(StandardScaler(), regressor()), func=np.arcsinh, inverse_func=np.sinh
    ),
    make_pipeline(StandardScaler(), TransformedTargetRegressor(regressor(), transformer=StandardScaler())),
]


@pytest.mark.parametrize("model", PIPELINES, ids=lambda m: "-".join(type(s).__name__ for _, s in m.steps))
def test_pipelines(model, classes):
    X, y = classes
    if isinstance(model[0], OneHotEncoder):
        X = X.round(0)
    # PCA rounds otherwise in transform than in fit_transform; the network's answers then do, too.
    atol = 1e-10 if "PCA" in str(model) else 0
    check_adapter(find_adapter(model), model, X, y, atol=atol)


@pytest.mark.parametrize("model", REGRESSORS, ids=range(4))
def test_transformed_targets(model, numbers):
    check_adapter(find_adapter(model), model, *numbers)
    X, y = numbers
    check_adapter(find_adapter(model), model, X, np.c_[y, y + X[:, 0]])


def test_threshold(classes):
    X, y = classes
    model = FixedThresholdClassifier(
        GradientBoostingClassifier(random_state=0), threshold=0.3, pos_label=True
    )
    check_adapter(find_adapter(model), model, X, y == "ash")


def test_names_and_lengths():
    model = make_pipeline(StandardScaler(), TransformedTargetRegressor(make_pipeline(regressor())))
    adapter = find_adapter(model)
    assert adapter.resource == "transformedtargetregressor__regressor__mlpregressor__max_iter"
    assert adapter.length(model) == 200
    assert find_adapter(clone(model)) == adapter == pickle.loads(pickle.dumps(adapter))


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        Pipeline([("scale", StandardScaler()), ("model", "passthrough")]),
        Pipeline([("scale", StandardScaler()), ("model", None)]),
        TransformedTargetRegressor(),
        TransformedTargetRegressor(LogisticRegression()),
        LogisticRegression(),
    ],
    ids=range(6),
)
def test_nothing_to_train_on(model):
    assert find_adapter(model) is None


def test_what_the_last_step_refuses_the_pipeline_refuses():
    model = make_pipeline(StandardScaler(), network(early_stopping=True))
    assert not find_adapter(model).can_extend(model, {})
    model = make_pipeline(StandardScaler(), GradientBoostingClassifier())
    adapter = find_adapter(model)
    assert adapter.can_extend(model, {})
    assert not adapter.can_extend(model, {"gradientboostingclassifier__monitor": print})
    wrapper = TransformedTargetRegressor(regressor().set_params(solver="lbfgs"))
    assert not find_adapter(wrapper).can_extend(wrapper, {})


def test_transformers_are_fitted_once_and_units_are_counted(classes, counted):
    X, y = classes
    model = make_pipeline(Counting(), FOREST)
    adapter = find_adapter(model)
    Counting.n_fits = 0
    trees = counted(BaseDecisionTree, "_fit")
    memo = adapter.begin(model, 4, X, y, {}, 0)
    assert memo.seen is None
    for length in (9, 20):
        memo = adapter.extend(model, length, X, y, {}, memo)
        assert trees[0] == length
    assert Counting.n_fits == 1
    assert model.get_params()["randomforestclassifier__n_estimators"] == 20


def test_cross_fitting_encoders_keep_their_data(classes):
    """``TargetEncoder.fit_transform`` is not ``fit`` and ``transform``; bit for bit all the same."""
    X, y = classes
    X = np.c_[X, np.random.default_rng(0).integers(0, 9, len(X))]
    encoder = ColumnTransformer(
        [("encode", TargetEncoder(cv=3, random_state=0), [-1])], remainder="passthrough"
    )
    model = make_pipeline(encoder, GradientBoostingClassifier(random_state=0))
    adapter = find_adapter(model)
    assert adapter.begin(clone(model), 2, X, y, {}, 0).seen is not None
    check_adapter(adapter, model, X, y)


def test_text(classes):
    _, y = classes
    words = np.random.default_rng(0).choice(list("abcdefgh"), (len(y), 12))
    X = [" ".join(w * 2 for w in row) for row in words]
    model = make_pipeline(TfidfVectorizer(), SGDClassifier(tol=None, shuffle=False))
    adapter = find_adapter(model)
    memo = adapter.begin(model, 3, X, y, {}, 0)
    assert memo.seen is None
    adapter.extend(model, 8, X, y, {}, memo)
    fresh = make_pipeline(TfidfVectorizer(), SGDClassifier(tol=None, shuffle=False, max_iter=8)).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), fresh.decision_function(X), rtol=1e-8)


def test_weights_without_routing(classes, weights):
    X, y = classes
    model = make_pipeline(Counting(), FOREST)
    weighted = {"randomforestclassifier__sample_weight": weights, "counting__sample_weight": weights}
    check_adapter(find_adapter(model), model, X, y, fit_params=weighted)


def test_weights_with_routing(classes, numbers, weights):
    with sklearn.config_context(enable_metadata_routing=True):
        forest = clone(FOREST).set_fit_request(sample_weight=True)
        model = make_pipeline(Counting().set_fit_request(sample_weight="w"), forest)
        check_adapter(
            find_adapter(model), model, *classes, fit_params={"sample_weight": weights, "w": weights}
        )
        check_adapter(find_adapter(model), model, *classes)
        wrapped = TransformedTargetRegressor(regressor().set_fit_request(sample_weight=True))
        check_adapter(find_adapter(wrapped), wrapped, *numbers, fit_params={"sample_weight": weights})
        wrapped = FixedThresholdClassifier(forest, pos_label=True)
        X, y = classes
        check_adapter(find_adapter(wrapped), wrapped, X, y == "ash", fit_params={"sample_weight": weights})


def test_cached_transformers(classes, tmp_path):
    X, y = classes
    model = make_pipeline(Counting(), network(), memory=str(tmp_path))
    Counting.n_fits = 0
    check_adapter(find_adapter(model), model, X, y)
    assert Counting.n_fits <= 2  # for the target as it is, and reversed


def test_frames(classes):
    X, y = classes
    X = pd.DataFrame(X, columns=list("abcdefgh"))
    columns = ColumnTransformer([("scale", StandardScaler(), list("abc"))], remainder="passthrough")
    model = make_pipeline(columns, network())
    check_adapter(find_adapter(model), model, X, pd.Series(y))


def test_outer_fit_is_the_estimators_own(classes):
    """A subclass of Pipeline that changes rows on the way, as samplers of imbalanced-learn do."""

    class Halving(Pipeline):
        def fit(self, X, y=None, **params):
            return super().fit(X[::2], y[::2], **params)

    X, y = classes
    model = Halving([("model", FOREST)])
    adapter = find_adapter(model)
    memo = adapter.begin(model, 3, X, y, {}, 0)
    assert len(memo.seen[0]) == 75
    adapter.extend(model, 7, X, y, {}, memo)
    fresh = clone(FOREST).set_params(n_estimators=7).fit(X[::2], y[::2])
    assert np.array_equal(model.predict_proba(X), fresh.predict_proba(X))


def test_a_failing_fit_leaves_no_trace(classes):
    X, y = classes
    model = make_pipeline(StandardScaler(), FOREST)
    with pytest.raises(ValueError, match="inconsistent"):
        find_adapter(model).begin(model, 3, X, y[:-1], {}, 0)
    assert "fit" not in vars(model[-1])


def test_fresh_fit_inside_a_pipeline(classes):
    model = make_pipeline(StandardScaler(), LogisticRegression(warm_start=True))
    check_adapter(FreshFit("logisticregression__max_iter"), model, *classes)


@pytest.mark.parametrize(
    ("A", "B", "expected"),
    [
        (np.array([[1.0, 1e6]]), np.array([[1.0, 1e6 + 1e-3]]), True),
        (np.array([[1.0, 1e6]]), np.array([[1.0 + 1e-3, 1e6]]), False),
        (np.array([[1.0, np.nan]]), np.array([[1.0, np.nan]]), True),
        (np.array([[1.0, np.nan]]), np.array([[np.nan, 1.0]]), False),
        (np.array([[np.inf]]), np.array([[-np.inf]]), False),
        (np.array([[1.0]], dtype=np.float32), np.array([[1.0]]), False),
        (np.array([[1.0]], dtype=np.float32), np.array([[1 + 5e-7]], dtype=np.float32), True),
        (np.array([[1], [2]]), np.array([[1], [3]]), False),
        (np.array([["a"]], dtype=object), np.array([["a"]], dtype=object), True),
        (np.zeros((0, 2)), np.zeros((0, 2)), True),
        (np.zeros((2, 2)), np.zeros((3, 2)), False),
        (sp.csr_array([[1.0, 0]]), sp.csr_array([[1 + 1e-9, 0]]), True),
        (sp.csr_array([[1.0, 0]]), sp.csr_array([[1.0, 1e-9]]), False),
        (sp.csr_array([[1.0, 0]]), np.array([[1.0, 0]]), False),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), pd.DataFrame({"a": [1 + 1e-9], "b": ["x"]}), True),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), pd.DataFrame({"a": [1.0], "b": ["y"]}), False),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}), False),
        (["x"], ["x"], True),
        (["x"], ["y"], False),
        (object(), object(), False),
    ],
)
def test_agreement(A, B, expected):
    assert agree(A, B) is expected
