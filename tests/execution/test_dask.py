"""Workers of a Dask cluster that come, go, and hold arrays. What all clusters share is in test_clusters."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from skhpo.execution._workers import WorkerDied

distributed = pytest.importorskip("distributed")

from joblib._dask import DaskDistributedBackend  # noqa: E402

from skhpo.execution._dask import DaskWorkers  # noqa: E402
from tests.execution.helpers import collect, wait_until  # noqa: E402

pytestmark = pytest.mark.xdist_group("clusters")


@pytest.fixture
def client(dask_client):
    dask_client.wait_for_workers(2, timeout=20)
    return dask_client


@pytest.fixture
def workers(client):
    workers = DaskWorkers(DaskDistributedBackend(client=client), None, timed=True)
    yield workers
    workers.close(abort=True)


@pytest.fixture
def lonely_worker(client):
    """A worker of two threads and one GPU, which nobody would start again."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", client.scheduler.address]
    options = ["--no-nanny", "--nthreads=2", "--name=lonely", "--resources=GPU=1", "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)
    client.wait_for_workers(3, timeout=30)
    yield process
    process.kill()
    process.wait()
    wait_until(lambda: len(client.nthreads()) == 2)


def keys_on_scheduler(dask_scheduler):
    return [str(key) for key in dask_scheduler.tasks]


def total(X):
    return float(X.sum())


def nap(seconds, folder=None):
    if folder is not None:
        Path(folder, str(time.time_ns())).write_text(distributed.get_worker().address)
    time.sleep(seconds)
    return seconds


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def search_within():
    """Run tasks on the cluster from within a task of the cluster."""
    workers = DaskWorkers(DaskDistributedBackend(), None)
    for i in range(4):
        workers.submit(i, (nap, (0.01 * i,), {}))
    results = collect(workers, 4)
    workers.close(abort=False)
    return results


def test_nothing_is_left_on_the_cluster(client, workers):
    X = np.ones(50_000)
    mine = client.scatter([1, 2, 3], hash=False)
    for i in range(4):
        workers.submit(i, (total, (X,), {}))
    workers.submit("fails", (total, (3,), {}))
    workers.submit("runs on", (nap, (1.0,), {}))
    collect(workers, 5)
    assert any("ndarray" in key for key in client.run_on_scheduler(keys_on_scheduler))
    workers.close(abort=True)
    wait_until(lambda: set(client.run_on_scheduler(keys_on_scheduler)) == {f.key for f in mine})
    wait_until(lambda: sum(len(keys) for keys in client.has_what().values()) == 3)
    assert client.gather(mine) == [1, 2, 3]


def test_data_of_scatter_is_not_sent_again(client):
    X = np.ones(50_000)
    backend = DaskDistributedBackend(client=client, scatter=[X])
    workers = DaskWorkers(backend, None)
    try:
        workers.submit(0, (total, (X,), {}))
        assert collect(workers, 1) == {0: 50_000.0}
        keys = client.run_on_scheduler(keys_on_scheduler)
        assert [key for key in keys if "ndarray" in key] == [
            future.key for future in backend.data_futures.values()
        ]
    finally:
        workers.close(abort=False)
    (future,) = backend.data_futures.values()
    assert future.result().sum() == 50_000.0


def test_arrays_are_sent_again_when_all_copies_are_gone(client, workers):
    X = np.ones(50_000)
    for i in range(2):
        workers.submit(i, (total, (X,), {}))
    assert collect(workers, 2) == {0: 50_000.0, 1: 50_000.0}
    for i in range(2):
        workers.submit(i, (die, (), {}))
    assert {type(error) for error in collect(workers, 2).values()} == {WorkerDied}
    assert workers.n_workers == 1, "one, of which it is hoped that it comes back"
    workers.submit(2, (total, (X,), {}))
    assert collect(workers, 1) == {2: 50_000.0}


def test_workers_join_and_leave(client, workers, tmp_path):
    client.cluster.scale(3)
    wait_until(lambda: workers.n_workers == 3)
    for i in range(3):
        workers.submit(i, (nap, (2.5, tmp_path), {}))
    wait_until(lambda: len(list(tmp_path.iterdir())) == 3)
    client.cluster.scale(2)
    assert collect(workers, 3) == dict.fromkeys(range(3), 2.5)
    wait_until(lambda: workers.n_workers == 2)


@pytest.mark.slow
def test_a_restart_of_the_cluster_is_nobodys_fault(client, workers, tmp_path):
    for i in range(2):
        workers.submit(i, (nap, (1.0, tmp_path), {}))
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    client.restart(timeout=30)
    assert collect(workers, 2) == {0: 1.0, 1: 1.0}
    assert len(list(tmp_path.iterdir())) == 4


def test_a_worker_without_a_nanny(client, lonely_worker, tmp_path):
    everywhere = DaskWorkers(DaskDistributedBackend(client=client), None)
    assert everywhere.n_workers == 4
    assert not everywhere.can_kill
    assert not everywhere.blames_exactly
    everywhere.close(abort=False)

    on_gpu = DaskWorkers(DaskDistributedBackend(client=client, resources={"GPU": 1}), None)
    assert on_gpu.n_workers == 1
    on_gpu.close(abort=False)

    workers = DaskWorkers(DaskDistributedBackend(client=client, workers=["lonely"]), None, timed=True)
    try:
        assert workers.n_workers == 2
        workers.submit("hangs", (nap, (8.0, tmp_path), {}))
        workers.submit("innocent", (nap, (2.0, tmp_path), {}))
        workers.submit("waits", (nap, (0.0, tmp_path), {}))
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        assert len({path.read_text() for path in tmp_path.iterdir()}) == 1
        workers.kill("hangs")
        results = collect(workers, 2)
        assert type(results["hangs"]) is WorkerDied
        assert results["innocent"] == 2.0
        assert workers.next_finished(timeout=0.3) is None, "a thread that hangs gets no more tasks"
    finally:
        workers.close(abort=True)


def test_all_who_ran_on_a_worker_that_died_are_lost(client, lonely_worker, tmp_path):
    workers = DaskWorkers(DaskDistributedBackend(client=client, workers="lonely"), None)
    try:
        for i in range(2):
            workers.submit(i, (nap, (60.0, tmp_path), {}))
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        lonely_worker.kill()
        assert {type(error) for error in collect(workers, 2).values()} == {WorkerDied}
    finally:
        workers.close(abort=True)


def test_a_search_within_a_task_of_the_cluster(client):
    futures = [client.submit(search_within, pure=False) for _ in range(2)]
    expected = {i: 0.01 * i for i in range(4)}
    assert client.gather(futures) == [expected, expected]


def test_a_cluster_without_workers_is_an_error():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(TimeoutError, match="wait_for_workers_timeout=10"),
    ):
        DaskWorkers(DaskDistributedBackend(client=client, wait_for_workers_timeout=0.2), None)


def test_a_scheduler_that_is_gone_is_an_error():
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port=0", "--no-dashboard"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = next(line for line in scheduler.stderr if "Scheduler at:" in line)
        client = distributed.Client(line.split()[-1], set_as_default=False, timeout=3)
        workers = DaskWorkers(DaskDistributedBackend(client=client, wait_for_workers_timeout=None), None)
        workers.submit(0, (nap, (0.0,), {}))
        scheduler.kill()
        with pytest.raises(ConnectionError, match="storage="):
            workers.next_finished(timeout=30)
        workers.close(abort=True)
        client.close()
    finally:
        scheduler.kill()
        scheduler.wait()
        scheduler.stderr.close()
