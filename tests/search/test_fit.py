"""What a fit does beyond scikit-learn's own tests: the same results, data of all kinds, workers."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.stats import loguniform, randint
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import SearchCV, TPESearchCV
from tests.search.helpers import SPACE, FailsAbove, assert_same_results


class TestDropIn:
    def test_is_a_search(self, search_class):
        assert issubclass(search_class, BaseSearchCV)

    def test_results_have_the_keys_types_and_masks_of_scikit_learn(self, full_search_class, iris, two_folds):
        space = [
            {"kernel": ["rbf"], "C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1)},
            {"kernel": ["poly"], "degree": randint(2, 5)},
        ]
        options = {
            "n_iter": 12,
            "cv": two_folds,
            "scoring": ["accuracy", "neg_log_loss"],
            "refit": "accuracy",
            "return_train_score": True,
            "random_state": 0,
        }
        theirs = RandomizedSearchCV(SVC(probability=True), space, **options).fit(*iris)
        ours = full_search_class(SVC(probability=True), space, **options).fit(*iris)
        assert set(ours.cv_results_) == set(theirs.cv_results_)
        for key, expected in theirs.cv_results_.items():
            value = ours.cv_results_[key]
            assert type(value) is type(expected), key
            if key != "params":
                assert value.shape == expected.shape, key
                assert value.dtype == expected.dtype, key
        for name in ("degree", "gamma"):
            mask = np.ma.getmaskarray(ours.cv_results_[f"param_{name}"])
            assert list(mask) == [name not in params for params in ours.cv_results_["params"]]

    def test_best_attributes_agree(self, full_search_class, iris, two_folds):
        search = full_search_class(SVC(), SPACE, n_iter=8, cv=two_folds, random_state=0).fit(*iris)
        scores = search.cv_results_["mean_test_score"]
        assert search.best_index_ == np.argmax(scores)
        assert search.best_score_ == scores.max()
        assert search.best_params_ == search.cv_results_["params"][search.best_index_]
        again = clone(SVC()).set_params(**search.best_params_)
        assert search.best_score_ == pytest.approx(cross_val_score(again, *iris, cv=two_folds).mean())
        np.testing.assert_array_equal(search.predict(iris[0]), again.fit(*iris).predict(iris[0]))

    def test_finite_space_gives_what_grid_search_gives(self, full_search_class, iris):
        grid = {"C": [0.1, 1, 10], "gamma": [0.1, 1.0], "kernel": ["rbf", "poly"]}
        ours = full_search_class(SVC(), grid, n_iter=12, cv=3).fit(*iris)
        assert_same_results(ours.cv_results_, GridSearchCV(SVC(), grid, cv=3).fit(*iris).cv_results_)

    def test_exhausted_space_warns_and_ends(self, full_search_class, iris, two_folds):
        with pytest.warns(UserWarning, match=r"total space of parameters 3 is smaller than n_iter=20"):
            search = full_search_class(SVC(), {"C": [1, 2, 3]}, n_iter=20, cv=two_folds).fit(*iris)
        assert search.cv_results_["param_C"].tolist() == [1, 2, 3]

    def test_no_iteration_limit_on_a_finite_space(self, full_search_class, iris, two_folds):
        search = full_search_class(SVC(), {"C": [1, 2, 3]}, n_iter=None, cv=two_folds).fit(*iris)
        assert len(search.cv_results_["params"]) == 3

    def test_candidates_of_a_large_finite_space_differ(self, search_class, iris, two_folds):
        space = {"C": [0.1, 1, 10, 100], "gamma": [0.01, 0.1, 1], "kernel": ["rbf", "poly"]}
        search = search_class(SVC(), space, n_iter=20, cv=two_folds, random_state=0).fit(*iris)
        assert len({tuple(sorted(p.items())) for p in search.cv_results_["params"]}) == 20

    def test_clone_pickle_and_nested_cross_validation(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=4, cv=two_folds, random_state=0)
        copy = pickle.loads(pickle.dumps(clone(search).fit(*iris)))
        np.testing.assert_array_equal(copy.predict(iris[0]), search.fit(*iris).predict(iris[0]))
        assert cross_val_score(search, *iris, cv=2).shape == (2,)

    def test_second_fit_starts_afresh(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=5, cv=two_folds, random_state=0)
        first = search.fit(*iris).cv_results_
        assert_same_results(first, search.fit(*iris).cv_results_)

    def test_user_objects_are_left_alone(self, search_class, iris, two_folds):
        step = Ridge(alpha=3.0)
        space = {"ridge": [step, Ridge(alpha=5.0)], "ridge__alpha": loguniform(1e-2, 1e2)}
        pipeline = make_pipeline(StandardScaler(), Ridge())
        search = search_class(pipeline, space, n_iter=6, cv=KFold(2), random_state=0).fit(*iris)
        assert step.alpha == 3.0
        assert not hasattr(step, "coef_")
        assert all(any(p["ridge"] is e for e in space["ridge"]) for p in search.cv_results_["params"])


class TestDeterminism:
    def test_same_seed_same_search(self, search_class, iris, two_folds):
        runs = [
            search_class(SVC(), SPACE, n_iter=25, cv=two_folds, random_state=3).fit(*iris) for _ in range(2)
        ]
        assert_same_results(runs[0].cv_results_, runs[1].cv_results_)

    def test_other_seed_other_search(self, search_class, iris, two_folds):
        values = [
            search_class(SVC(), SPACE, n_iter=3, cv=two_folds, random_state=s)
            .fit(*iris)
            .cv_results_["params"]
            for s in range(2)
        ]
        assert values[0] != values[1]

    def test_global_generator_is_neither_read_nor_moved(self, search_class, iris, two_folds):
        np.random.seed(0)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        search_class(FailsAbove(limit=2.0), {"x": (0.0, 1.0)}, n_iter=25, cv=two_folds, random_state=0).fit(
            *iris
        )
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    def test_generator_instance_moves_on(self, iris, two_folds):
        search = TPESearchCV(SVC(), SPACE, n_iter=2, cv=two_folds, random_state=np.random.RandomState(0))
        first, second = (search.fit(*iris).cv_results_["params"] for _ in range(2))
        assert first != second

    @pytest.mark.parametrize("backend", ["threading", "loky"])
    def test_sampler_that_ignores_results_is_the_same_on_every_backend(self, backend, iris, two_folds):
        search = SearchCV(SVC(), SPACE, sampler="random", n_iter=8, cv=two_folds, random_state=0)
        serial = clone(search).fit(*iris).cv_results_
        with joblib.parallel_config(backend=backend, n_jobs=2):
            assert_same_results(clone(search).fit(*iris).cv_results_, serial)


class TestParallel:
    @pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
    def test_every_candidate_arrives(self, backend, full_search_class, iris, two_folds):
        with joblib.parallel_config(backend=backend):
            search = full_search_class(SVC(), SPACE, n_iter=7, n_jobs=2, cv=two_folds, random_state=0).fit(
                *iris
            )
        assert len(search.cv_results_["params"]) == 7
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_routing_reaches_the_workers(self, iris):
        X, y = iris
        groups = np.arange(len(y)) % 5
        with config_context(enable_metadata_routing=True), joblib.parallel_config(backend="loky"):
            estimator = LogisticRegression().set_fit_request(sample_weight=True)
            search = TPESearchCV(
                estimator,
                {"C": loguniform(1e-2, 1e2)},
                n_iter=2,
                cv=GroupKFold(3),
                scoring=make_scorer(accuracy_score).set_score_request(sample_weight=True),
                n_jobs=2,
                random_state=0,
            )
            search.fit(X, y, sample_weight=np.ones(len(y)), groups=groups)
        assert np.isfinite(search.best_score_)


class TestData:
    def test_polars(self, search_class, two_folds, iris):
        frame = pl.DataFrame(iris[0], schema=list("abcd"))
        pipeline = make_pipeline(
            ColumnTransformer([("scale", StandardScaler(), ["a", "b"])], remainder="passthrough"), SVC()
        )
        space = {"svc__C": loguniform(1e-2, 1e2)}
        search = search_class(pipeline, space, n_iter=3, cv=two_folds).fit(frame, pl.Series(iris[1]))
        assert search.predict(frame).shape == (150,)
        assert list(search.feature_names_in_) == list("abcd")

    def test_pandas_output_of_transformers(self, iris, two_folds):
        frame = pd.DataFrame(iris[0], columns=list("abcd"))
        pipeline = make_pipeline(StandardScaler(), SVC()).set_output(transform="pandas")
        search = TPESearchCV(pipeline, {"svc__C": (1e-2, 1e2, "log-uniform")}, n_iter=3, cv=two_folds)
        search.fit(frame, pd.Series(iris[1]))
        assert list(search.best_estimator_[:-1].transform(frame).columns) == list("abcd")

    def test_strings(self, search_class):
        texts = ["red apple", "green apple", "blue sky", "grey sky"] * 5
        labels = ["fruit", "fruit", "weather", "weather"] * 5
        pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
        search = search_class(pipeline, {"logisticregression__C": loguniform(1e-2, 1e2)}, n_iter=3, cv=2)
        assert list(search.fit(texts, labels).predict(["apple"])) == ["fruit"]

    def test_sparse_and_multi_output(self, search_class, iris):
        X = sparse.csr_array(iris[0])
        Y = np.column_stack([iris[0][:, 0], iris[1]])
        search = search_class(Ridge(), {"alpha": loguniform(1e-2, 1e2)}, n_iter=3, cv=KFold(2)).fit(X, Y)
        assert search.predict(X).shape == (150, 2)

    def test_precomputed_kernel(self, search_class, iris, two_folds):
        X, y = iris
        kernel = X @ X.T
        ours = search_class(SVC(kernel="precomputed"), {"C": loguniform(1e-2, 1)}, n_iter=3, cv=two_folds)
        plain = SVC(kernel="linear", C=ours.fit(kernel, y).best_params_["C"])
        assert ours.best_score_ == pytest.approx(cross_val_score(plain, X, y, cv=two_folds).mean())

    def test_unsupervised(self, search_class, iris):
        space = {"n_clusters": randint(2, 6)}
        search = search_class(KMeans(n_init=1, random_state=0), space, n_iter=3, cv=2, random_state=0).fit(
            iris[0]
        )
        assert search.best_estimator_.n_clusters == search.best_params_["n_clusters"]

    def test_splits_are_made_once(self, search_class, iris):
        class Counting(KFold):
            calls = 0

            def split(self, X, y=None, groups=None):
                type(self).calls += 1
                return super().split(X, y, groups)

        search_class(SVC(), SPACE, n_iter=6, cv=Counting(2, shuffle=True)).fit(*iris)
        assert Counting.calls == 1
