"""The interface for authors of joblib backends, as far as we stand on it."""

import os
import threading
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn import config_context, get_config

from skhpo.execution import SerialExecutor, open_executor
from skhpo.execution._joblib import JoblibWorkers

BACKENDS = ["threading", "loky", "multiprocessing"]


def square(x):
    return x * x


def fail(message):
    raise RuntimeError(message)


def exists_in_time(path):
    for _ in range(6000):
        if Path(path).exists():
            return True
        time.sleep(0.01)
    return False


def routing_is_on():
    return get_config()["enable_metadata_routing"]


def action_of_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("seen unless filtered", UserWarning, stacklevel=1)
    return len(caught)


def memory_kind(X):
    return type(X).__name__, getattr(X, "filename", None)


def nested_worker_count():
    return joblib.effective_n_jobs(None), joblib.Parallel(n_jobs=2)(
        joblib.delayed(os.getpid)() for _ in range(2)
    )


def drain(executor):
    results = {}
    while executor.n_running:
        token, retrieve = executor.wait()
        results[token] = retrieve()
    return results


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_come_back_under_their_tokens(backend):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        assert executor.n_workers == 2
        executor.submit("a", (square, (3,), {}))
        executor.submit("b", (square, (), {"x": 4}))
        assert executor.n_running == 2
        assert drain(executor) == {"a": 9, "b": 16}


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_come_in_the_order_of_completion(backend, tmp_path):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit("slow", (exists_in_time, (str(tmp_path / "may end"),), {}))
        executor.submit("fast", (square, (2,), {}))
        token, _ = executor.wait()
        assert token == "fast"
        (tmp_path / "may end").touch()
        assert drain(executor) == {"slow": True}


@pytest.mark.parametrize("backend", [*BACKENDS, "serial"])
def test_exception_in_a_task_is_raised_and_leaves_a_usable_backend(backend):
    config = {} if backend == "serial" else {"backend": backend}
    n_jobs = 1 if backend == "serial" else 2
    for _ in range(2):
        with (
            joblib.parallel_config(**config),
            pytest.raises(RuntimeError, match="on purpose"),
            open_executor(n_jobs) as executor,
        ):
            executor.submit("culprit", (fail, ("on purpose",), {}))
            token, retrieve = executor.wait()
            assert token == "culprit"
            retrieve()
    with joblib.parallel_config(**config), open_executor(n_jobs) as executor:
        executor.submit(0, (square, (5,), {}))
        assert drain(executor) == {0: 25}


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_one_job_is_serial(n_jobs):
    with open_executor(n_jobs) as executor:
        assert isinstance(executor, SerialExecutor)


def test_none_takes_the_number_of_the_active_configuration():
    with joblib.parallel_config(backend="threading", n_jobs=3), open_executor(None) as executor:
        assert executor.n_workers == 3


def test_sequential_backend_is_serial():
    with joblib.parallel_config(backend="sequential"), open_executor(4) as executor:
        assert isinstance(executor, SerialExecutor)


def test_zero_jobs_are_refused():
    with pytest.raises(ValueError, match="n_jobs == 0"):
        open_executor(0)


def test_backend_without_callbacks_is_refused():
    from joblib._parallel_backends import ThreadingBackend

    class Silent(ThreadingBackend):
        supports_retrieve_callback = False

    joblib.register_parallel_backend("silent", Silent)
    with joblib.parallel_config(backend="silent"), pytest.raises(ValueError, match="does not call back"):
        open_executor(2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_configuration_and_warning_filters_travel(backend):
    with (
        warnings.catch_warnings(),
        config_context(enable_metadata_routing=True),
        joblib.parallel_config(backend=backend),
        open_executor(2) as executor,
    ):
        warnings.simplefilter("ignore", UserWarning)
        executor.submit("routing", (routing_is_on, (), {}))
        executor.submit("warnings", (action_of_warning, (), {}))
        assert drain(executor) == {"routing": True, "warnings": 0}


def test_large_arrays_are_mapped_once():
    X = np.zeros((400, 1000))
    with joblib.parallel_config(backend="loky"), open_executor(2) as executor:
        executor.submit(0, (memory_kind, (X,), {}))
        executor.submit(1, (memory_kind, (X,), {}))
        results = drain(executor)
    assert results[0][0] == "memmap"
    assert results[0] == results[1]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_nested_work_does_not_start_more_processes(backend):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit(0, (nested_worker_count, (), {}))
        n_nested, pids = drain(executor)[0]
    assert n_nested == 1
    assert len(set(pids)) == 1


def test_threads_run_outside_the_main_thread():
    with joblib.parallel_config(backend="threading"), open_executor(2) as executor:
        executor.submit(0, (threading.current_thread, (), {}))
        assert drain(executor)[0] is not threading.main_thread()


def test_a_death_is_the_last_begun_task_of_its_process():
    """What the process had finished before may be lost with it, unread."""
    with joblib.parallel_config(backend="loky"):
        workers = JoblibWorkers(2)
    try:
        workers._running = {0: "finished", 1: "deadly", 2: "elsewhere", 3: "not begun"}
        for serial, mark in enumerate(["77 1.0", "77 2.0", "88 1.5"]):
            workers._mark(serial).write_text(mark)
        workers._dead = frozenset({77})
        blame = {0: "bystander", 1: "culprit", 2: "bystander", 3: "bystander"}
        assert workers._blame() == blame
        # Another one died too, which had not said what it was at.
        workers._dead = frozenset({77, 99})
        assert workers._blame() == {**blame, 3: None}
        workers._dead = frozenset()
        assert set(workers._blame().values()) == {None}
    finally:
        workers._running = {}
        workers.close(abort=False)
