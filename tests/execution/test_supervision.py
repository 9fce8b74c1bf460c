"""Who is blamed for a dead worker, and who gets another chance."""

import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures.process import BrokenProcessPool

import joblib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo.execution import SupervisedExecutor, TaskLost, WorkerDied, Workers, open_executor
from skhpo.execution._workers import failing
from tests.execution.helpers import wait_until


class Scripted(Workers):
    """Workers without processes: a task named in ``killers`` dies each time it runs, and others with it."""

    in_process = False
    can_kill = True

    def __init__(self, n_workers, killers=(), *, exact=False, named=False, hangs=(), seconds=None):
        self.blames_exactly, self._named = exact, named
        self._n, self._killers, self._hangs = n_workers, set(killers), set(hangs)
        self._seconds = seconds or (lambda token: 0.0)
        self.in_flight, self._ended = [], []
        self.runs, self.most = [], 0

    @property
    def n_workers(self):
        return self._n

    def submit(self, token, call):
        assert token not in self.in_flight
        self.in_flight.append(token)
        self.runs.append(token)
        self.most = max(self.most, len(self.in_flight))

    def next_finished(self, timeout=None):
        if not self._ended:
            runnable = [token for token in self.in_flight if token not in self._hangs]
            if not runnable:
                assert timeout is not None, "would wait for ever"
                return None
            token = runnable[0]
            if token in self._killers:
                self._die([token] if self.blames_exactly else list(self.in_flight), culprit=token)
            else:
                self.in_flight.remove(token)
                self._ended.append((token, lambda: ("done", token)))
        return self._ended.pop(0)

    def seconds_running(self, token):
        return self._seconds(token)

    def kill(self, token):
        if token in self.in_flight:
            self._die([token] if self.blames_exactly else list(self.in_flight))

    def close(self, *, abort):
        pass

    def _die(self, tokens, culprit=None):
        for token in tokens:
            blame = ("culprit" if token == culprit else "bystander") if self._named else None
            self.in_flight.remove(token)
            self._ended.append((token, failing(WorkerDied("killed", blame))))


def drain(executor, tokens):
    """Submit as a search does, never more than there are workers; what came of each."""
    tokens, results = list(tokens), {}
    while tokens or executor.n_running:
        while tokens and executor.n_running < executor.n_workers:
            executor.submit(tokens.pop(0), (None, (), {}))
        token, retrieve = executor.wait()
        assert token not in results
        try:
            results[token] = retrieve()
        except TaskLost as loss:
            results[token] = loss
    return results


@pytest.mark.parametrize("knowing", [{}, {"exact": True}, {"named": True}], ids=["nothing", "whom", "who"])
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(0, 20), st.data())
def test_exactly_the_culprits_are_lost(knowing, n_workers, n_tasks, data):
    killers = data.draw(st.sets(st.integers(0, max(0, n_tasks - 1))))
    workers = Scripted(n_workers, killers, **knowing)
    results = drain(SupervisedExecutor(workers), range(n_tasks))
    assert results.keys() == set(range(n_tasks))
    lost = {token for token, result in results.items() if isinstance(result, TaskLost)}
    assert lost == killers & set(range(n_tasks))
    assert workers.most <= n_workers


def test_suspects_run_alone_and_only_once_more():
    workers = Scripted(3, killers={"b"})
    results = drain(SupervisedExecutor(workers), "abc")
    assert "worker died: killed" in str(results["b"])
    # "a" is done before "b" takes "c" with it.
    assert workers.runs == ["a", "b", "c", "b", "c"]


def test_where_the_culprit_is_known_nothing_runs_alone():
    workers = Scripted(3, killers={"b"}, named=True)
    results = drain(SupervisedExecutor(workers), "abcd")
    assert isinstance(results["b"], TaskLost)
    assert workers.runs.count("b") == 1
    assert workers.most == 3


def test_a_suspect_that_was_innocent_when_it_ran_alone_runs_alone_again():
    class IdleOnesDieToo(Scripted):
        def submit(self, token, call):
            super().submit(token, call)
            if self.runs.count(token) == 2:
                self._named = True
                self._die([token], culprit="an idle worker")
                self._named = False

    workers = IdleOnesDieToo(2, killers={"a"})
    results = drain(SupervisedExecutor(workers), "abc")
    assert isinstance(results["a"], TaskLost)
    assert results["b"] == ("done", "b")
    assert results["c"] == ("done", "c")


def test_what_ends_a_single_worker_gets_a_second_chance():
    class Leaves(Scripted):
        """A machine that leaves the cluster once."""

        def submit(self, token, call):
            super().submit(token, call)
            if self.runs.count(token) > 1:
                self._killers.discard(token)

    results = drain(SupervisedExecutor(Leaves(2, killers={1}, exact=True)), range(4))
    assert results[1] == ("done", 1)


@pytest.mark.parametrize("exact", [False, True])
def test_overdue_tasks_are_ended_and_bystanders_go_on_unsuspected(exact):
    workers = Scripted(
        3, exact=exact, hangs={"slow", "late"}, seconds=lambda token: 9.0 if token == "slow" else 1.0
    )
    executor = SupervisedExecutor(workers, trial_timeout=5.0)
    for token in ("slow", "late"):
        executor.submit(token, (None, (), {}))
    token, retrieve = executor.wait()
    assert token == "slow"
    with pytest.raises(TaskLost, match=r"trial_timeout=5\.0"):
        retrieve()
    workers._hangs.clear()
    assert executor.wait()[1]() == ("done", "late")
    assert workers.runs == (["slow", "late"] if exact else ["slow", "late", "late"])


def test_a_growing_pool_is_used_and_a_shrinking_one_not_overfilled():
    workers = Scripted(1)
    executor = SupervisedExecutor(workers)
    workers._n = 3
    assert executor.n_workers == 3
    for token in range(3):
        executor.submit(token, (None, (), {}))
    assert len(workers.in_flight) == 3
    workers._n = 0
    assert executor.n_workers == 1


# -- real processes ------------------------------------------------------------------------------


def work(x, deadly=(), how="kill"):
    if x in deadly:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif how == "exit":
            os._exit(3)
        elif how == "sys.exit":
            sys.exit(3)
        elif how == "unpicklable":
            return Unloadable()
        elif how == "hang":
            time.sleep(600)
    time.sleep(0.02)
    return x * x


class Unloadable:
    """A result that the process which asked for it cannot take up."""

    def __reduce__(self):
        return (refuse, ())


def refuse():
    raise RuntimeError("cannot be taken up")


class Bomb:
    """An argument that kills the process which takes it up."""

    def __reduce__(self):
        return (kill_self, ())


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def raise_broken_pool():
    raise BrokenProcessPool("a pool of the task's own")


class Picky(Exception):
    """An exception that does not survive pickling."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def raise_picky():
    raise Picky(1, 2)


def run_all(backend, n_tasks, deadly, how, trial_timeout=None):
    results, order = {}, list(range(n_tasks))
    with joblib.parallel_config(backend=backend), open_executor(2, trial_timeout) as executor:
        while order or executor.n_running:
            while order and executor.n_running < executor.n_workers:
                executor.submit(order[0], (work, (order.pop(0),), {"deadly": deadly, "how": how}))
            token, retrieve = executor.wait()
            try:
                results[token] = retrieve()
            except TaskLost as loss:
                results[token] = loss
    return results


@pytest.mark.parametrize(
    ("backend", "how"),
    [
        ("loky", "kill"),
        ("loky", "segfault"),
        ("loky", "exit"),
        ("loky", "sys.exit"),
        ("loky", "unpicklable"),
        ("multiprocessing", "kill"),
        ("multiprocessing", "sys.exit"),
        ("multiprocessing", "unpicklable"),
    ],
)
def test_killers_are_lost_and_all_others_right(backend, how):
    deadly = {1, 2, 6} if how == "kill" else {2}
    results = run_all(backend, 8, deadly, how)
    assert {x for x, result in results.items() if isinstance(result, TaskLost)} == deadly
    assert all(results[x] == x * x for x in range(8) if x not in deadly)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_hanging_tasks_are_ended(backend):
    results = run_all(backend, 5, {1, 3}, "hang", trial_timeout=1.0)
    assert {x for x, result in results.items() if isinstance(result, TaskLost)} == {1, 3}
    assert "trial_timeout" in str(results[1])
    assert [results[x] for x in (0, 2, 4)] == [0, 4, 16]


def test_the_start_of_a_worker_is_not_counted():
    with joblib.parallel_config(backend="loky"):
        with pytest.raises(RuntimeError, match="leave nothing"), open_executor(2):
            raise RuntimeError("leave nothing")
        # A limit below what a fresh process needs to come up.
        assert run_all("loky", 3, (), "", trial_timeout=0.3) == {0: 0, 1: 1, 2: 4}


def test_a_time_limit_that_cannot_be_held_is_told():
    with pytest.warns(UserWarning, match="no effect: tasks run in this process"):
        open_executor(1, 1.0)
    with joblib.parallel_config(backend="threading"):
        with pytest.warns(UserWarning, match="no effect: tasks run in threads"):
            executor = open_executor(2, 1.0)
        executor.close(abort=False)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_who_dies_before_beginning_is_lost_too(backend):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit("bomb", (work, (Bomb(),), {}))
        executor.submit("other", (work, (3,), {}))
        results = dict(executor.wait() for _ in range(2))
        assert results["other"]() == 9
        with pytest.raises(TaskLost):
            results["bomb"]()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_an_exception_that_looks_like_a_death_is_none(backend):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit(0, (raise_broken_pool, (), {}))
        with pytest.raises(RuntimeError, match="a pool of the task's own"):
            executor.wait()[1]()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_an_exception_that_cannot_travel_arrives_as_text(backend):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit(0, (raise_picky, (), {}))
        with pytest.raises(RuntimeError, match="Picky in a worker"):
            executor.wait()[1]()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("pause", [0.0, 1.0])
def test_a_worker_that_is_killed_between_tasks_costs_nothing(backend, pause):
    with joblib.parallel_config(backend=backend), open_executor(2) as executor:
        executor.submit(0, (os.getpid, (), {}))
        os.kill(executor.wait()[1](), signal.SIGKILL)
        time.sleep(pause)
        executor.submit(1, (work, (3,), {}))
        executor.submit(2, (work, (4,), {}))
        results = dict(executor.wait() for _ in range(2))
        assert results[1]() == 9
        assert results[2]() == 16


def test_no_mark_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_all("multiprocessing", 3, (), "", trial_timeout=60.0)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("skhpo")] == []
    # Each pool has three threads of its own; those of other tests' clusters come and go.
    wait_until(lambda: not [t for t in set(threading.enumerate()) - before if "_handle_" in t.name])
