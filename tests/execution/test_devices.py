"""Slots of devices: who gets one, who is alone, and what becomes of a device that fails."""

import pickle
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhpo._devices import Devices
from skhpo.evaluation import fault_in
from skhpo.evaluation._nets import NetTask
from skhpo.execution import Executor, TaskLost, open_executor
from skhpo.execution._devices import DeviceExecutor, find_slots
from skhpo.execution._workers import failing
from tests.execution.helpers import drain


class Scripted(Executor):
    """Ends a task of its choice; what comes of it is told by a function of token, device and attempt."""

    def __init__(self, n_workers, comes_to, *, in_process=False, choose=lambda n: 0):
        self._n, self._comes_to, self._choose, self.in_process = n_workers, comes_to, choose, in_process
        self.running, self.runs, self.crowds = {}, [], []
        self.was_aborted = None

    @property
    def n_workers(self):
        return self._n

    def submit(self, token, call):
        assert token not in self.running
        nets = call[2].get("nets")
        self.running[token] = device = None if nets is None else nets.device
        self.runs.append((token, device))
        self.n_running += 1

    def neighbours(self, token):
        return {t for t, device in self.running.items() if device == self.running[token] and t != token}

    def wait(self):
        tokens = list(self.running)
        token = tokens[self._choose(len(tokens))]
        self.crowds.append((token, self.running[token], self.neighbours(token)))
        device = self.running.pop(token)
        self.n_running -= 1
        attempt = sum(t == token for t, _ in self.runs)
        fault = self._comes_to(token, device, attempt)
        if isinstance(fault, Exception):
            return token, failing(fault)
        outcome = {"score": token, **({} if device is None else {"device_fault": fault})}
        return token, lambda: outcome

    def close(self, *, abort):
        self.was_aborted = abort


def net_call():
    return print, (), {"nets": NetTask(name="", seed=0, tensors=True)}


def plain_call():
    return print, (), {}


def never(token, device, attempt):
    return None


@given(
    slots=st.dictionaries(st.sampled_from(["cpu:0", "cpu:1", "cpu:2"]), st.integers(1, 3), min_size=1),
    n_workers=st.integers(1, 6),
    kinds=st.lists(st.booleans(), min_size=1, max_size=20),
    faults=st.lists(st.integers(0, 2), min_size=20, max_size=20),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_slots_are_kept_and_memory_faults_run_once_more_alone(slots, n_workers, kinds, faults, data):
    def comes_to(token, device, attempt):
        return "memory" if device is not None and attempt <= faults[token] else None

    inner = Scripted(n_workers, comes_to, choose=lambda n: data.draw(st.integers(0, n - 1)) if n > 1 else 0)
    executor = DeviceExecutor(inner, slots)
    most = dict.fromkeys(slots, 0)

    def check():
        assert len(inner.running) <= n_workers
        on = [device for device in inner.running.values() if device is not None]
        for device, n in slots.items():
            assert on.count(device) <= n
            most[device] = max(most[device], on.count(device))
        # What is handed over runs, or waits because a device is to be left alone.
        if not any(device.to_be_alone for device in executor._devices.values()):
            assert executor.n_running <= len(inner.running) + (not all(kinds))

    calls = {i: net_call() if has_net else plain_call() for i, has_net in enumerate(kinds)}
    results = drain(executor, calls, check)
    assert results.keys() == calls.keys()
    for token, has_net in enumerate(kinds):
        runs = [device for t, device in inner.runs if t == token]
        assert len(runs) == (min(faults[token], 1) + 1 if has_net else 1)
        assert len(set(runs)) == 1  # again on the same device
        assert (runs[0] is None) == (not has_net)
        # Nobody learns of the fault, but from what the task came to.
        assert results[token] == {"score": token}
        if has_net and faults[token]:
            *_, (_, _, neighbours) = [crowd for crowd in inner.crowds if crowd[0] == token]
            assert not neighbours


def test_the_emptiest_device_comes_first():
    inner = Scripted(9, never)
    executor = DeviceExecutor(inner, {"cpu:0": 1, "cpu:1": 3})
    for token in range(4):
        executor.submit(token, net_call())
    assert inner.running == {0: "cpu:1", 1: "cpu:1", 2: "cpu:0", 3: "cpu:1"}


def test_tasks_without_a_net_take_no_slot_and_leave_workers_to_each_other():
    inner = Scripted(4, never)
    executor = DeviceExecutor(inner, {"cpu:0": 1})
    assert executor.n_workers == 1
    executor.submit("net", net_call())
    executor.submit("plain", plain_call())
    assert executor.n_workers == 4  # the next may be one without a net again
    executor.submit("another", net_call())
    assert inner.running == {"net": "cpu:0", "plain": None}
    assert executor.n_workers == executor.n_running == 3  # nothing more is chosen before there is a slot
    executor.wait()
    assert inner.running == {"plain": None, "another": "cpu:0"}
    assert executor.n_workers == 4


@pytest.mark.parametrize("in_process", [False, True])
def test_a_lost_device_takes_its_slots_with_it_and_its_tasks_begin_elsewhere(in_process):
    def comes_to(token, device, attempt):
        return "device" if device == "cpu:0" else None

    inner = Scripted(4, comes_to, in_process=in_process)
    executor = DeviceExecutor(inner, {"cpu:0": 2, "cpu:1": 2})
    with pytest.warns(
        UserWarning, match="cpu:0 has failed and is not used any more; the search has cpu:1 left"
    ):
        results = drain(executor, {i: net_call() for i in range(8)})
    assert all(results[i] == {"score": i} for i in range(8))
    assert sum(device == "cpu:0" for _, device in inner.runs) == 2
    assert executor.n_workers == 2


def test_without_any_device_left_the_search_ends():
    executor = DeviceExecutor(Scripted(4, lambda *args: "device"), {"cpu:0": 2, "cpu:1": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match="All devices of this search have failed: cpu:0, cpu:1"):
            drain(executor, {i: net_call() for i in range(8)})


def test_who_fails_on_two_devices_has_failed():
    """It may be the task after all; what it came to is its result, where a third device is left."""
    inner = Scripted(1, lambda token, device, attempt: "device" if token == 1 else None)
    executor = DeviceExecutor(inner, {"cpu:0": 1, "cpu:1": 1, "cpu:2": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = drain(executor, {i: net_call() for i in range(4)})
    assert results.keys() == set(range(4))
    assert [device for token, device in inner.runs if token == 1] == ["cpu:0", "cpu:1"]
    assert {device for token, device in inner.runs if token > 1} == {"cpu:2"}


def test_who_spoils_a_device_in_this_process_has_failed_and_others_begin_anew():
    """An error of one task, as an index out of range, comes to all that share the process and the device."""
    inner = Scripted(
        2, lambda token, device, attempt: "context" if device == "cpu:0" else None, in_process=True
    )
    executor = DeviceExecutor(inner, {"cpu:0": 2, "cpu:1": 1})
    with pytest.warns(UserWarning, match="cpu:0 has failed"):
        drain(executor, {i: net_call() for i in range(4)})
    # Tasks 0 and 1 begin on cpu:0 (it has more free slots) and on cpu:0 again or cpu:1.
    first, *others = [token for token, device in inner.runs if device == "cpu:0"]
    assert [device for token, device in inner.runs if token == first] == ["cpu:0"]
    for token in others:
        assert [device for t, device in inner.runs if t == token] == ["cpu:0", "cpu:1"]


def test_a_lost_worker_frees_its_slot():
    inner = Scripted(1, lambda token, device, attempt: TaskLost("gone") if token == 0 else None)
    results = drain(DeviceExecutor(inner, {"cpu:0": 1}), {i: net_call() for i in range(3)})
    assert isinstance(results[0], TaskLost)
    assert results[1] == {"score": 1} and results[2] == {"score": 2}


def test_where_errors_are_raised_the_first_out_of_memory_is_not():
    def comes_to(token, device, attempt):
        return RuntimeError("CUDA out of memory. Tried to allocate 20 GiB") if attempt <= token else None

    results = drain(DeviceExecutor(Scripted(2, comes_to), {"cpu:0": 2}), {i: net_call() for i in range(3)})
    assert results[0] == {"score": 0} and results[1] == {"score": 1}
    assert isinstance(results[2], RuntimeError)


@pytest.mark.parametrize(
    ("slots", "in_process", "aborts"), [({"cpu:0": 1}, False, False), ({"cuda:0": 1}, False, True)]
)
def test_processes_that_used_a_gpu_do_not_outlive_the_search(slots, in_process, aborts):
    inner = Scripted(2, never, in_process=in_process)
    DeviceExecutor(inner, slots).close(abort=False)
    assert inner.was_aborted is aborts


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a ...",
                "memory",
            ),
            ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "memory"),
            ("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be ...", "memory"),
            (
                "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                "memory",
            ),
            ("RuntimeError: MPS backend out of memory (MPS allocated: 8.87 GB)", "memory"),
            ("RuntimeError: CUDA error: device-side assert triggered\nCompile with ...", "context"),
            ("torch.AcceleratorError: CUDA error: an illegal memory access was encountered", "context"),
            ("RuntimeError: CUDA error: uncorrectable ECC error encountered", "device"),
            ("RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable", "device"),
            ("RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable", "device"),
            ("RuntimeError: No CUDA-capable device is detected", "device"),
            ("RuntimeError: CUDA error: no CUDA-capable device is detected", "device"),
            ("RuntimeError: CUDA error: unspecified launch failure", "device"),
            ("RuntimeError: CUDA error: invalid device ordinal", "device"),
            ("ValueError: the word CUDA out of memory in somebody's own error", None),
            ("RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x8 and 9x6)", None),
            ("", None),
        ],
    )
    def test_by_the_text(self, text, fault):
        trace = (
            f'Traceback (most recent call last):\n  File "net.py", line 3, in forward\n    raise it\n{text}'
        )
        assert fault_in(text) == fault
        assert fault_in(trace) == fault

    def test_only_the_last_of_a_chain_counts(self):
        trace = (
            "Traceback (most recent call last):\n  ...\ntorch.OutOfMemoryError: CUDA out of memory.\n\n"
            "During handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n  ...\nKeyError: 'layer'"
        )
        assert fault_in(trace) is None


class TestFinding:
    @pytest.mark.parametrize(
        ("slots", "found"),
        [
            (None, {}),
            (["cpu:0", "cpu:1"], {"cpu:0": 1, "cpu:1": 1}),
            (("cpu",), {"cpu": 1}),
            ({"cpu": 4}, {"cpu": 4}),
        ],
    )
    def test_spelt_out(self, slots, found):
        pytest.importorskip("torch")
        assert find_slots(Devices(slots)) == found

    def test_objects_of_torch(self):
        torch = pytest.importorskip("torch")
        assert find_slots(Devices([torch.device("cpu", 1)])) == {"cpu:1": 1}
        assert find_slots(Devices({torch.device("cpu", 1): 3})) == {"cpu:1": 3}

    def test_auto_is_one_task_on_each_gpu(self, monkeypatch):
        torch = pytest.importorskip("torch")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert find_slots(Devices("auto")) == {"cuda:0": 1, "cuda:1": 1}
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        assert find_slots(Devices("auto")) == {}

    @pytest.mark.parametrize(
        ("slots", "error", "message"),
        [
            ("cuda:0", TypeError, "a list of names"),
            (3, TypeError, "none of"),
            ([], ValueError, "empty"),
            ({}, ValueError, "empty"),
            (["gpu"], ValueError, "no device of PyTorch"),
            (["cpu:0", "cpu:0"], ValueError, "twice"),
            ({"cpu": 0}, ValueError, "positive number of tasks, got 0"),
            ({"cpu": 1.5}, ValueError, "positive number of tasks, got 1.5"),
            ({"cpu": True}, ValueError, "positive number of tasks, got True"),
            (["cuda:7"], ValueError, "CUDA devices of this machine: cuda:0"),
            (["cuda", "cuda:0"], ValueError, "twice"),
        ],
    )
    def test_what_is_refused(self, slots, error, message, monkeypatch):
        torch = pytest.importorskip("torch")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        with pytest.raises(error, match=message):
            find_slots(Devices(slots))

    def test_without_torch(self, monkeypatch):
        monkeypatch.setattr("skhpo.execution._devices.find_spec", lambda name: None)
        assert find_slots(Devices("auto")) == {}
        with pytest.raises(ValueError, match="needs PyTorch, which is not installed"):
            find_slots(Devices(["cuda:0"]))


def test_slots_that_no_worker_uses_are_told():
    pytest.importorskip("torch")
    with pytest.warns(UserWarning, match="devices has 4 slots, of which n_jobs=None uses 1. Pass n_jobs=4"):
        open_executor(None, devices=Devices({"cpu": 4})).close(abort=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_executor(None, devices=Devices({"cpu": 1})).close(abort=False)


def test_a_task_arrives_as_it_was_sent():
    task = NetTask(name="candidate-1-fold-0", seed=3, tensors=True, device="cuda:1", may_exit=True)
    assert pickle.loads(pickle.dumps(task)) == task
