"""What workers of a cluster must do, whichever cluster it is."""

import os
import signal
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn import config_context, get_config
from sklearn.ensemble import RandomForestClassifier

from skhpo.execution._workers import WorkerDied
from tests.execution.helpers import collect, wait_until

pytestmark = pytest.mark.xdist_group("clusters")


def open_dask(client, n_jobs=None, **options):
    from joblib._dask import DaskDistributedBackend

    from skhpo.execution._dask import DaskWorkers

    return DaskWorkers(DaskDistributedBackend(client=client), n_jobs, **options)


def open_ray(n_jobs=-1, **remote_args):
    from ray.util.joblib.ray_backend import RayBackend

    from skhpo.execution._ray import RayWorkers

    return RayWorkers(RayBackend(nesting_level=0, ray_remote_args=remote_args), n_jobs)


@pytest.fixture(scope="module", params=["dask", "ray"])
def cluster(request):
    """A function that opens workers, and how many the cluster has."""
    if request.param == "dask":
        client = request.getfixturevalue("dask_client")
        return partial(open_dask, client, timed=True), 2
    request.getfixturevalue("ray_cluster")
    return open_ray, 4


@pytest.fixture(scope="module")
def shared_workers(cluster):
    open_workers, _ = cluster
    workers = open_workers(2)
    yield workers
    workers.close(abort=True)


@pytest.fixture
def workers(shared_workers):
    wait_until(lambda: shared_workers.n_workers == 2)
    return shared_workers


def square(x):
    return x * x


def sleep_for(seconds):
    time.sleep(seconds)
    return seconds


def wait_for_file(path):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not Path(path).exists():
        time.sleep(0.01)
    return Path(path).exists()


def die(folder):
    Path(folder, str(time.time_ns())).touch()
    os.kill(os.getpid(), signal.SIGKILL)


class CustomError(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"{code}: {detail}")


def fail(error):
    raise error


def fail_untransportably():
    raise CustomError(7, detail="cannot be rebuilt from its args")


def leave():
    sys.exit(3)


class RefusesUnpickling:
    def __reduce__(self):
        return fail, (ValueError("not here"),)


class RefusesPickling:
    def __reduce__(self):
        raise TypeError("refuses to be pickled")


class CountsPickles(np.ndarray):
    n = 0

    def __reduce__(self):
        type(self).n += 1
        return super().__reduce__()

    def __reduce_ex__(self, protocol):
        type(self).n += 1
        return super().__reduce_ex__(protocol)


def give(kind):
    return kind()


def total(X, train=None, fit_params=None):
    weight = 1.0 if fit_params is None else fit_params["sample_weight"].sum()
    return float(X.sum() * weight), None if train is None else int(train.sum())


def write_into(X):
    X[0] = 1.0


def settings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("seen unless filtered", UserWarning, stacklevel=1)
    return get_config()["enable_metadata_routing"], len(caught)


def forest_score(X, y):
    return RandomForestClassifier(8, n_jobs=-1, random_state=0).fit(X, y).score(X, y)


def test_results_come_back_under_their_tokens(workers):
    assert workers.n_workers == 2
    for i in range(6):
        workers.submit(("token", i), (square, (), {"x": i}))
    assert collect(workers, 6) == {("token", i): i * i for i in range(6)}
    assert workers.next_finished(timeout=0.01) is None


def test_who_ends_first_comes_first(workers, tmp_path):
    workers.submit("slow", (wait_for_file, (str(tmp_path / "may end"),), {}))
    workers.submit("fast", (square, (2,), {}))
    assert collect(workers, 1) == {"fast": 4}
    (tmp_path / "may end").touch()
    assert collect(workers, 1) == {"slow": True}


@pytest.mark.parametrize(
    ("n_jobs", "expected"),
    [(1, lambda n: 1), (-1, lambda n: n), (-2, lambda n: n - 1), (50, lambda n: n), (-99, lambda n: 1)],
)
def test_n_jobs_is_the_most_at_once(cluster, n_jobs, expected):
    open_workers, n_all = cluster
    workers = open_workers(n_jobs)
    try:
        assert workers.n_workers == expected(n_all)
    finally:
        workers.close(abort=False)


def test_no_jobs_are_refused(cluster):
    open_workers, _ = cluster
    with pytest.raises(ValueError, match="n_jobs == 0"):
        open_workers(0)


def test_exceptions_keep_their_type(workers):
    workers.submit("value", (fail, (ValueError("told"),), {}))
    workers.submit("custom", (fail_untransportably, (), {}))
    workers.submit("exit", (leave, (), {}))
    workers.submit("right", (square, (3,), {}))
    results = collect(workers, 4)
    assert type(results["value"]) is ValueError and results["value"].args == ("told",)
    assert type(results["custom"]) is RuntimeError and "7: cannot be rebuilt" in str(results["custom"])
    assert type(results["exit"]) is WorkerDied
    assert results["right"] == 9


def test_what_cannot_travel_fails_alone(workers):
    workers.submit("argument", (give, (RefusesPickling(),), {}))
    workers.submit("result", (give, (RefusesPickling,), {}))
    workers.submit("sent", (give, (RefusesUnpickling(),), {}))
    workers.submit("received", (give, (RefusesUnpickling,), {}))
    workers.submit("right", (square, (3,), {}))
    results = collect(workers, 5)
    assert results.pop("right") == 9
    assert {name: type(error) for name, error in results.items()} == {
        "argument": TypeError,
        "result": TypeError,
        "sent": ValueError,
        "received": WorkerDied,
    }
    assert "does not arrive: not here" in str(results["received"])


def test_large_arguments_travel_once(workers):
    X = np.ones((1000, 50)).view(CountsPickles)
    weight = np.full(20_000, 0.5).view(CountsPickles)
    train = np.arange(30_000)
    CountsPickles.n = 0
    for i in range(10):
        workers.submit(i, (total, (X,), {"train": train, "fit_params": {"sample_weight": weight}}))
    assert collect(workers, 10) == {i: (50_000 * 10_000.0, 29_999 * 15_000) for i in range(10)}
    # Once each; a library may ask for how many bytes it is by way of a second pickle.
    assert CountsPickles.n <= 4


@pytest.mark.parametrize("kind", ["array", "csr", "coo", "frame", "texts"])
def test_large_arguments_arrive_intact(workers, kind):
    X = np.arange(60_000.0).reshape(-1, 3)
    if kind == "csr":
        X = scipy.sparse.csr_array(X)
    elif kind == "coo":
        X = scipy.sparse.coo_array(X)
    elif kind == "frame":
        X = pytest.importorskip("pandas").DataFrame(X, columns=list("abc"))
    elif kind == "texts":
        X = [f"text number {i}" for i in range(5000)]
    workers.submit(0, (joblib.hash, (X,), {}))
    (digest,) = collect(workers, 1).values()
    assert digest == joblib.hash(X)


def test_large_arrays_cannot_be_changed_for_other_tasks(workers):
    workers.submit(0, (write_into, (np.zeros(20_000),), {}))
    (error,) = collect(workers, 1).values()
    assert isinstance(error, ValueError) and "read-only" in str(error)


def test_configuration_and_filters_travel(workers):
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        workers.submit(0, (settings, (), {}))
    assert collect(workers, 1) == {0: (True, 0)}


def test_the_culprit_alone_is_lost(workers, tmp_path):
    workers.submit("innocent", (sleep_for, (1.5,), {}))
    workers.submit("culprit", (die, (tmp_path,), {}))
    results = collect(workers, 2)
    assert type(results["culprit"]) is WorkerDied
    assert results["innocent"] == 1.5
    assert len(list(tmp_path.iterdir())) == 1, "a culprit costs one worker"
    assert workers.blames_exactly
    for i in range(4):
        workers.submit(i, (square, (i,), {}))
    assert collect(workers, 4) == {i: i * i for i in range(4)}
    wait_until(lambda: workers.n_workers == 2)


def test_a_task_that_hangs_is_killed(workers):
    workers.submit("hangs", (sleep_for, (600,), {}))
    workers.submit("innocent", (sleep_for, (2.0,), {}))
    wait_until(lambda: workers.seconds_running("hangs") > 0.3)
    assert workers.can_kill
    workers.kill("hangs")
    start = time.monotonic()
    results = collect(workers, 2)
    assert time.monotonic() - start < 15
    assert type(results["hangs"]) is WorkerDied
    assert results["innocent"] == 2.0


def test_the_clock_of_a_task_starts_when_it_does(workers):
    started = time.monotonic()
    workers.submit("runs", (sleep_for, (1.0,), {}))
    wait_until(lambda: workers.seconds_running("runs") > 0)
    assert 0 < workers.seconds_running("runs") <= time.monotonic() - started
    collect(workers, 1)
    assert workers.seconds_running("runs") == 0.0


def test_parallel_work_within_tasks_ends(workers):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] > 0).astype(int)
    expected = forest_score(X, y)
    for i in range(4):
        workers.submit(i, (forest_score, (X, y), {}))
    assert collect(workers, 4) == dict.fromkeys(range(4), expected)


def test_abort_does_not_wait(cluster):
    open_workers, _ = cluster
    workers = open_workers(1)
    for i in range(2):
        workers.submit(i, (sleep_for, (20.0,), {}))
    wait_until(lambda: workers.seconds_running(0) + workers.seconds_running(1) > 0)
    start = time.monotonic()
    workers.close(abort=True)
    assert time.monotonic() - start < 5
