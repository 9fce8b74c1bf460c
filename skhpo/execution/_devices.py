"""Devices as slots: which of them a task may use, and what becomes of one that fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from numbers import Integral
from typing import Any

from skhpo._devices import Devices
from skhpo._warnings import warn_user
from skhpo.evaluation import Call, fault_in, free_memory, on_device, wants_device
from skhpo.execution._executors import Executor, TaskLost
from skhpo.execution._workers import failing, giving


def find_slots(devices: Devices) -> dict[str, int]:
    """How many tasks at a time each device takes; nothing where nets stay where they are.

    Raises
    ------
    TypeError, ValueError
        If ``devices`` names what is no device, or none of this machine.
    """
    slots = devices.slots
    if slots is None or slots == "auto":
        return _accelerators() if slots == "auto" else {}
    if isinstance(slots, str) or not isinstance(slots, Mapping | list | tuple):
        raise TypeError(
            f'devices={slots!r} is none of: None, "auto", a list of names as ["cuda:0", "cuda:1"], and a '
            'dict of names to the number of tasks at a time, as {"cuda:0": 4}.'
        )
    if not slots:
        raise ValueError(f"devices={slots!r} is empty; devices=None leaves every net where it is.")
    counts = slots if isinstance(slots, Mapping) else dict.fromkeys(map(str, slots), 1)
    names = [_known(str(name)) for name in slots]
    if len(set(names)) < len(names):
        raise ValueError(
            f"devices={slots!r} names a device twice; for several tasks at a time on it pass a dict, as "
            f"{{{names[0]!r}: 2}}."
        )
    for name, n in counts.items():
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"devices[{name!r}] must be a positive number of tasks, got {n!r}.")
    return {name: int(n) for name, n in zip(names, counts.values(), strict=True)}


def _accelerators() -> dict[str, int]:
    """One slot for each GPU of this machine."""
    if find_spec("torch") is None:
        return {}
    import torch

    # Counting does not initialise CUDA, which processes that are forked later would not survive.
    if n := torch.cuda.device_count():
        return {f"cuda:{i}": 1 for i in range(n)}
    return {"mps:0": 1} if torch.backends.mps.is_available() else {}


def _known(name: str) -> str:
    """The full name of a device that exists."""
    if find_spec("torch") is None:
        raise ValueError(f"devices with {name!r} needs PyTorch, which is not installed: skhpo[torch].")
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"devices names {name!r}, which is no device of PyTorch: {error}") from None
    if device.type == "cuda":
        n = torch.cuda.device_count()
        if (device.index or 0) >= n:
            there = ", ".join(f"cuda:{i}" for i in range(n)) or "none"
            raise ValueError(f"devices names {name!r}; CUDA devices of this machine: {there}.")
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"devices names {name!r}, which this machine does not have.")
    return name if device.index is not None or device.type == "cpu" else f"{device.type}:0"


@dataclass
class _Device:
    """A device: what runs on it, and what waits to be alone there."""

    name: str
    n_slots: int
    running: set[Any] = field(default_factory=set)
    to_be_alone: deque[Any] = field(default_factory=deque)
    is_lost: bool = False

    @property
    def n_free(self) -> int:
        """Tasks that may begin; none while one waits to be alone, or is."""
        return 0 if self.is_lost or self.to_be_alone else self.n_slots - len(self.running)


class DeviceExecutor(Executor):
    """Gives each task that trains a net a device on another executor, and never one device too many of them.

    A task that finds the memory of its device full is run once more when nothing else is on it. A
    device that fails takes its slots with it, and its task begins anew on another. What a task itself did
    to spoil the device for its process is the task's own failure; in worker processes that
    ends the process, in this one the device cannot be used any more.

    Parameters
    ----------
    inner : Executor
    slots : dict of str to int
        Tasks at a time on each device.
    """

    def __init__(self, inner: Executor, slots: Mapping[str, int]) -> None:
        self._inner = inner
        self._devices = {name: _Device(name, n) for name, n in slots.items()}
        self._calls: dict[Any, Call] = {}
        self._waiting: deque[Any] = deque()
        self._place: dict[Any, _Device] = {}
        self._was_alone: set[Any] = set()
        self._was_moved: set[Any] = set()
        self._is_mixed = False
        self.in_process = inner.in_process

    @property
    def n_workers(self) -> int:
        """Workers, as far as there are slots for nets, so that no task is chosen before it can begin.

        Where there are tasks without nets, which take no slot, all workers, and one net may wait.
        """
        if self._is_mixed or not self._left():
            # The next may be one without a net; if it is not, it waits, and nobody else is chosen.
            return self.n_running if self._waiting else self._inner.n_workers
        n_slots = sum(device.n_slots for device in self._left())
        return min(self._inner.n_workers, n_slots)

    def submit(self, token: Any, call: Call) -> None:
        """Start a task when there is a slot for it."""
        self._calls[token] = call
        self.n_running += 1
        if wants_device(call):
            self._waiting.append(token)
            self._start_more()
        else:
            self._is_mixed = True
            self._inner.submit(token, call)

    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Block until a task ends for good.

        Raises
        ------
        RuntimeError
            If there is work and no device left for it.
        """
        while True:
            if self._waiting and not self._left():
                names = ", ".join(self._devices)
                raise RuntimeError(
                    f"All devices of this search have failed: {names}. With storage= it can be continued "
                    "when they are well."
                )
            token, retrieve = self._inner.wait()
            device = self._place.pop(token, None)
            outcome: Callable[[], Any]
            fault = None
            try:
                result = retrieve()
                outcome = giving(result)
                if device is not None:
                    fault = result.pop("device_fault", None)
            except TaskLost as error:
                outcome = failing(error)
            except Exception as error:
                # Whatever a model raises is for the loop to raise, unless the device is the cause.
                outcome = failing(error)
                fault = fault_in(f"{type(error).__name__}: {error}") if device is not None else None
            if device is not None:
                device.running.discard(token)
                if device.to_be_alone and device.to_be_alone[0] == token:
                    device.to_be_alone.popleft()
                if self._begins_anew(token, device, fault):
                    self._start_more()
                    continue
            del self._calls[token]
            self.n_running -= 1
            self._was_alone.discard(token)
            self._was_moved.discard(token)
            self._start_more()
            return token, outcome

    def close(self, *, abort: bool) -> None:
        """Give the workers back, and the memory of the devices.

        Processes that outlive a search keep some hundred megabytes of each device that they ever used.
        """
        has_gpu = any(not name.startswith("cpu") for name in self._devices)
        self._inner.close(abort=abort or (has_gpu and not self.in_process))
        if has_gpu and self.in_process:
            free_memory()

    def _left(self) -> list[_Device]:
        return [device for device in self._devices.values() if not device.is_lost]

    def _begins_anew(self, token: Any, device: _Device, fault: str | None) -> bool:
        """Whether a task that ended is not done, and has been put where it will begin again."""
        if fault == "memory" and token not in self._was_alone and not device.is_lost:
            self._was_alone.add(token)
            device.to_be_alone.append(token)
            return True
        is_victim = fault == "device" or (fault == "context" and device.is_lost)
        if fault == "device" or (fault == "context" and self.in_process):
            self._lose(device)
        if not is_victim or token in self._was_moved:
            return False
        self._was_moved.add(token)
        self._waiting.appendleft(token)
        return True

    def _lose(self, device: _Device) -> None:
        if device.is_lost:
            return
        device.is_lost = True
        self._waiting.extendleft(device.to_be_alone)
        self._was_alone -= set(device.to_be_alone)
        device.to_be_alone.clear()
        others = ", ".join(other.name for other in self._left()) or "no other"
        warn_user(
            f"The device {device.name} has failed and is not used any more; the search has {others} left."
        )

    def _start_more(self) -> None:
        """Start what there are slots for."""
        for device in self._left():
            if device.to_be_alone and not device.running:
                # Popped only when it ends: until then the device takes nothing else.
                self._start(device.to_be_alone[0], device)
        while self._waiting and self._left():
            device = max(self._left(), key=lambda device: device.n_free)
            if device.n_free <= 0:
                return
            self._start(self._waiting.popleft(), device)

    def _start(self, token: Any, device: _Device) -> None:
        device.running.add(token)
        self._place[token] = device
        call = on_device(
            self._calls[token],
            device.name,
            is_shared=not self.in_process and self._inner.n_workers > 1,
            may_exit=not self.in_process,
        )
        self._inner.submit(token, call)
