"""scikit-learn's own callbacks on our searches."""

import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline

from skhpo import SearchCV, TPESearchCV

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9 has callbacks")

SPACE = {"C": (1e-2, 1e2, "log-uniform")}


def test_progress_bar_counts_every_evaluation(search_class, iris, capsys):
    pytest.importorskip("rich")
    search = search_class(LogisticRegression(), SPACE, n_iter=3, cv=2, random_state=0)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=0)).fit(*iris)
    out = capsys.readouterr().out
    assert type(search).__name__ in out
    assert "100%" in out


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_hooks_are_called_for_every_task_on_workers(backend, iris, tmp_path):
    class Writes:
        """Leaves one file for each finished evaluation, wherever it ran."""

        def __init__(self, folder):
            self.folder = str(folder)

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            if context.task_name == "candidate-split-evaluation":
                with open(f"{self.folder}/{context.task_id}", "w") as file:
                    file.write(context.parent.task_name)

        def teardown(self, estimator, context):
            pass

    search = TPESearchCV(LogisticRegression(), SPACE, n_iter=5, cv=2, n_jobs=2, random_state=0)
    with joblib.parallel_config(backend=backend):
        search.set_callbacks(Writes(tmp_path)).fit(*iris)
    assert {path.name for path in tmp_path.iterdir()} == {str(i) for i in range(10)}
    assert {path.read_text() for path in tmp_path.iterdir()} == {"search"}


def test_callbacks_see_a_search_without_a_known_end(iris):
    class Records:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

    records = Records()
    search = SearchCV(LogisticRegression(), SPACE, n_iter=None, timeout=0.1, cv=2, random_state=0)
    search.set_callbacks(records).fit(*iris)
    n_tasks = 2 * len(search.cv_results_["params"])
    evaluations = ["candidate-split-evaluation"] * n_tasks
    assert records.tasks == ["fit", "search", *evaluations, "refit-with-best-params"]


def test_callbacks_of_a_choice_know_their_place(iris):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    pipeline = Pipeline([("model", LogisticRegression())])
    space = {"model": [LogisticRegression(max_iter=20).set_callbacks(monitor)], "model__C": [0.1, 1.0]}
    SearchCV(pipeline, space, n_iter=2, cv=2, random_state=0).fit(*iris)
    assert monitor.get_logs().estimator_name == "SearchCV"


def test_scoring_monitor_logs_what_it_logs_under_scikit_learn(iris):
    logs = []
    for search_class in (RandomizedSearchCV, SearchCV):
        monitor = callback.ScoringMonitor(scoring="accuracy")
        estimator = LogisticRegression(max_iter=20).set_callbacks(monitor)
        search_class(estimator, {"C": [0.1, 1, 10]}, n_iter=3, cv=2, random_state=0).fit(*iris)
        logs.append(monitor.get_logs().data)
    theirs, ours = ([(row["task_id_path"], row["task_name"], row["accuracy"]) for row in log] for log in logs)
    assert sorted(theirs) == sorted(ours)
    assert len(ours) > 7
