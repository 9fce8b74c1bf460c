"""Bundles of tasks: shared out, taken apart where they fail, and none lost."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo.evaluation._nets import NetTask
from skhpo.execution import Executor, TaskLost
from skhpo.execution._devices import DeviceExecutor
from skhpo.execution._gathering import GatheringExecutor
from skhpo.execution._workers import failing
from tests.execution.helpers import drain


def call(token, has_net=True):
    return print, (token,), {"nets": NetTask(name="", seed=0, tensors=True)} if has_net else {}


class Scripted(Executor):
    """Runs bundles in order; one with a culprit in it comes to what is told of culprits."""

    def __init__(self, n_workers, culprits=(), comes_to=None, reasons=()):
        self._n, self._culprits, self._comes_to = n_workers, set(culprits), comes_to
        self._reasons = list(reasons)
        self.in_process = True
        self.queue, self.bundles = [], []

    @property
    def n_workers(self):
        return self._n

    def submit(self, token, bundle):
        calls = bundle[1][0] if bundle[2] else [bundle]
        self.queue.append((token, [own[1][0] for own in calls], bool(bundle[2])))
        self.bundles.append(tuple(own[1][0] for own in calls))
        self.n_running += 1
        assert self.n_running <= self._n

    def wait(self):
        token, members, is_bundle = self.queue.pop(0)
        self.n_running -= 1
        if not is_bundle:
            return token, lambda: {"score": members[0]}
        if self._culprits & set(members):
            if isinstance(self._comes_to, Exception):
                return token, failing(self._comes_to)
            if self._comes_to == "memory" and len(members) > 1:
                outcomes = [None if m in self._culprits else {"score": m} for m in members]
                return token, lambda: {"outcomes": outcomes, "reasons": [], "device_fault": None}
            outcomes = [{"score": None}] if len(members) == 1 else [None] * len(members)
            fault = self._comes_to if len(members) == 1 else None
            return token, lambda: {"outcomes": outcomes, "reasons": [], "device_fault": fault}
        outcomes = [{"score": member} for member in members]
        return token, lambda: {"outcomes": outcomes, "reasons": self._reasons, "device_fault": None}

    def close(self, *, abort):
        pass


@given(
    n_workers=st.integers(1, 3),
    size=st.integers(1, 7),
    kinds=st.lists(st.booleans(), min_size=1, max_size=30),
    culprits=st.sets(st.integers(0, 29)),
    comes_to=st.sampled_from(["memory", "unknown", TaskLost("gone"), ValueError("wrong")]),
    has_slots=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_only_the_culprits_fail(n_workers, size, kinds, culprits, comes_to, has_slots):
    inner = Scripted(n_workers, culprits, comes_to)
    executor = GatheringExecutor(DeviceExecutor(inner, {"cpu": n_workers}) if has_slots else inner, size)
    results = drain(executor, {i: call(i, has_net) for i, has_net in enumerate(kinds)})
    assert results.keys() == set(range(len(kinds)))
    assert max(map(len, inner.bundles)) <= size
    for i, has_net in enumerate(kinds):
        if has_net and i in culprits:
            assert (
                results[i] is comes_to if isinstance(comes_to, Exception) else results[i] == {"score": None}
            )
        else:
            assert results[i] == {"score": i}


def test_a_bundle_is_as_large_as_it_may_and_shared_out_evenly():
    inner = Scripted(2)
    drain(GatheringExecutor(inner, 8), {i: call(i) for i in range(10)})
    assert inner.bundles[:2] == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]
    inner = Scripted(1)
    drain(GatheringExecutor(inner, 8), {i: call(i) for i in range(10)})
    assert inner.bundles == [(0, 1, 2, 3, 4, 5, 6, 7), (8, 9)]


def test_halves_are_tried():
    inner = Scripted(1, culprits={5}, comes_to=ValueError("wrong"))
    drain(GatheringExecutor(inner, 8), {i: call(i) for i in range(8)})
    assert inner.bundles == [tuple(range(8)), (0, 1, 2, 3), (4, 5, 6, 7), (4, 5), (6, 7), (4,), (5,)]


def test_who_does_not_fit_is_done_again_alone():
    inner = Scripted(1, culprits={5}, comes_to="memory")
    drain(GatheringExecutor(inner, 8), {i: call(i) for i in range(8)})
    assert inner.bundles == [tuple(range(8)), (5,)]


def test_tasks_without_a_net_are_not_asked_for_ahead():
    inner = Scripted(2)
    executor = GatheringExecutor(inner, 8)
    executor.submit(0, call(0))
    assert executor.n_workers == 16
    executor.submit(1, call(1, has_net=False))
    assert executor.n_workers == executor.n_running == 2


def test_why_nets_are_not_together_is_said_once():
    executor = GatheringExecutor(Scripted(1, reasons=["batch norm"]), 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drain(executor, {i: call(i) for i in range(6)})
    assert [str(warning.message) for warning in caught] == [
        "Nets are trained one by one although together=2: batch norm"
    ]


def test_the_inner_executor_is_closed():
    class Closing(Scripted):
        def close(self, *, abort):
            raise ArithmeticError(abort)

    with pytest.raises(ArithmeticError, match="True"):
        GatheringExecutor(Closing(1), 2).close(abort=True)
