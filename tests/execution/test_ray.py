"""Actors on a Ray cluster that come and go. What all clusters share is in test_clusters."""

import os
import subprocess
import sys
import textwrap
import time

import joblib
import pytest

ray = pytest.importorskip("ray")

from ray.util.joblib.ray_backend import RayBackend  # noqa: E402

from skhpo.execution._ray import RayWorkers  # noqa: E402
from tests.execution.helpers import collect, wait_until  # noqa: E402

pytestmark = pytest.mark.xdist_group("clusters")


@pytest.fixture
def open_workers(ray_cluster):
    opened = []

    def open_them(n_jobs, **remote_args):
        opened.append(RayWorkers(RayBackend(nesting_level=0, ray_remote_args=remote_args), n_jobs))
        return opened[-1]

    yield open_them
    for workers in opened:
        workers.close(abort=True)


def nested_parallelism():
    with joblib.Parallel(n_jobs=-1) as parallel:
        return type(parallel._backend).__name__, parallel._effective_n_jobs()


def process_id():
    return os.getpid()


class FailsToStart:
    def __reduce__(self):
        return int, ("not a number",)


def test_all_is_given_back(open_workers):
    wait_until(lambda: ray.available_resources().get("CPU") == 4)
    workers = open_workers(3)
    for i in range(3):
        workers.submit(i, (process_id, (), {}))
    collect(workers, 3)
    wait_until(lambda: ray.available_resources().get("CPU") == 1)
    workers.close(abort=False)
    wait_until(lambda: ray.available_resources().get("CPU") == 4)
    assert ray.is_initialized()


def test_options_of_the_backend_count(open_workers):
    assert open_workers(None).n_workers == 1
    assert open_workers(-1, num_cpus=2).n_workers == 2
    assert open_workers(-1, num_gpus=1).n_workers == 1, "for which there is no room yet"


@pytest.mark.parametrize("n_cpus", [1, 2])
def test_nested_work_takes_what_ray_granted(open_workers, n_cpus):
    workers = open_workers(1, num_cpus=n_cpus)
    workers.submit(0, (nested_parallelism, (), {}))
    backend, n_threads = collect(workers, 1)[0]
    assert n_threads == n_cpus
    assert backend == ("SequentialBackend" if n_cpus == 1 else "ThreadingBackend")


def test_an_actor_that_went_while_idle_is_nobodys_fault(open_workers):
    workers = open_workers(1)
    workers.submit(0, (process_id, (), {}))
    first = collect(workers, 1)[0]
    (slot,) = workers._idle
    ray.kill(slot.actor)
    time.sleep(1.1)
    workers.submit(0, (process_id, (), {}))
    assert collect(workers, 1)[0] != first


def test_actors_that_do_not_start_are_an_error(ray_cluster):
    backend = RayBackend(nesting_level=0)
    backend.get_nested_backend = lambda: (FailsToStart(), None)
    workers = RayWorkers(backend, 1)
    workers.submit(0, (process_id, (), {}))
    with pytest.raises(RuntimeError, match="No actor could be started"):
        workers.next_finished(timeout=60)
    workers.close(abort=True)


@pytest.mark.slow
def test_a_machine_that_leaves_takes_no_task_along(tmp_path):
    # In a process of its own: a process knows one cluster.
    program = """
        import pathlib, sys, time

        import ray
        from ray.cluster_utils import Cluster
        from ray.util.joblib.ray_backend import RayBackend

        from skhpo.execution._ray import RayWorkers

        begun, go = (pathlib.Path(path) for path in sys.argv[1:])

        def wait_for_go(name):
            (begun / f"{name}-{time.time_ns()}").touch()
            while not go.exists():
                time.sleep(0.05)
            return name

        cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
        try:
            second = cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes()
            workers = RayWorkers(RayBackend(nesting_level=0), -1)
            assert workers.n_workers == 2
            for name in "ab":
                workers.submit(name, (wait_for_go, (name,), {}))
            while len(list(begun.iterdir())) < 2:
                assert workers.next_finished(timeout=0.1) is None
            cluster.remove_node(second, allow_graceful=False)
            while not workers._waiting:
                assert workers.next_finished(timeout=0.1) is None
            go.touch()
            results = {}
            for _ in range(2):
                token, retrieve = workers.next_finished(timeout=120)
                results[token] = retrieve()
            assert results == {"a": "a", "b": "b"}, results
            assert len(list(begun.iterdir())) == 3
            deadline = time.monotonic() + 30
            while workers.n_workers > 1:
                assert time.monotonic() < deadline, "Ray takes a silent machine for dead after ten seconds"
                time.sleep(0.5)
            workers.close(abort=False)
        finally:
            ray.shutdown()
            cluster.shutdown()
    """
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    folder = tmp_path / "begun"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, script, folder, tmp_path / "go"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
