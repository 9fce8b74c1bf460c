"""Nets of skorch in a task: the device they are trained on, their seed, and what a device's errors mean.

torch is used only where something of skorch is loaded already, and so is torch.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal

from sklearn.base import BaseEstimator

Fault = Literal["memory", "device", "context"]
"""What is wrong with a device: its memory is full; it is lost; or a task's own error has spoilt
this process's use of it."""

_FAULTS: tuple[tuple[Fault, str], ...] = (
    ("memory", r"OutOfMemoryError|out of memory|CUDNN_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED"),
    ("context", r"device-side assert|illegal memory access|misaligned address|illegal instruction"),
    (
        "device",
        r"(?i:ECC error|unspecified launch failure|busy or unavailable|no CUDA-capable device|"
        r"invalid device ordinal|GPU is lost|fallen off the bus)",
    ),
)

_ENDS_WITH = re.compile(
    r"^(?:[\w.]*\.)?(?:OutOfMemoryError|AcceleratorError|RuntimeError|DeferredCudaCallError)"
)


def fault_in(text: str) -> Fault | None:
    """What an error, as the last lines of its traceback have it, says of the device; None if nothing.

    Examples
    --------
    >>> fault_in("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    'memory'
    >>> fault_in("ValueError: Input X contains NaN.") is None
    True
    """
    *_, error = ["", *re.split(r"^(?=[\w.]+(?:Error|Exception)\b)", text.strip(), flags=re.MULTILINE)]
    if not _ENDS_WITH.match(error):
        return None
    return next((fault for fault, pattern in _FAULTS if re.search(pattern, error)), None)


@dataclass(frozen=True)
class NetTask:
    """What a task that trains nets does to them before their fit.

    Attributes
    ----------
    name : str
        Of the candidate and fold: checkpoints that its callbacks write get a folder of this name.
    seed : int
        Of torch's generators.
    tensors : bool
        Whether torch's own loader of batches is replaced.
    device : str or None
        Which device they are trained on; None leaves them on their own.
    is_shared : bool
        Whether other processes use the same device, for which its unused memory is to be given back.
    may_exit : bool
        Whether the process may be ended when its use of the device is spoilt.
    """

    name: str
    seed: int
    tensors: bool
    device: str | None = None
    is_shared: bool = False
    may_exit: bool = False

    def prepare(self, model: Any) -> None:
        """Set up the nets of an unfitted estimator."""
        from skhpo.evaluation.adapters._skorch_callbacks import own_files
        from skhpo.torch import use_tensors

        for net in nets_in(model):
            own_files(net, self.name)
            if self.device is not None:
                _move(net, self.device)
            if self.tensors:
                use_tensors(net, net.device)

    def seeded(self, *models: Any) -> AbstractContextManager[Any]:
        """Torch's generators at the task's seed for a while; ``models`` have its nets in them."""
        from skhpo.evaluation.adapters._skorch import generators

        device = self.device or next((net.device for net in nets_in(models)), None)
        return generators(device, self.seed)

    def see_to(self, errors: Sequence[str]) -> Fault | None:
        """After a task: give memory back, and tell what its errors say of the device.

        A process whose use of the device is spoilt for good is ended here if it may be: what comes next
        would fail in it whatever it is.
        """
        text, fault = next(((e, fault) for e in errors if (fault := fault_in(e)) is not None), ("", None))
        if fault == "context" and self.may_exit:
            print(text, file=sys.stderr, flush=True)
            os._exit(1)
        if fault == "memory" or self.is_shared:
            free_memory()
        return fault


@dataclass(frozen=True)
class Trained:
    """A net that was trained with others, in place of the fit of its task.

    Attributes
    ----------
    net : NeuralNet
    memo : object
        As of its adapter.
    seconds : float
        Its share of the time.
    X : array
        Its test data, for which it has been asked already.
    outputs : object
        What the net's module makes of them; None if it has not been asked.
    """

    net: Any
    memo: Any
    seconds: float
    X: Any
    outputs: Any

    @contextmanager
    def answering(self, model: Any) -> Iterator[None]:
        """Let a net give the outputs that are known, where it is asked for them."""
        from skorch.utils import to_device

        def forward_iter(X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Any]:
            if training or self.outputs is None or not _is_same(X, self.X):
                yield from type(model).forward_iter(model, X, training=training, device=device)
            else:
                yield to_device(self.outputs, device=device)

        vars(model)["forward_iter"] = forward_iter
        try:
            yield
        finally:
            vars(model).pop("forward_iter", None)


def keeping_generators(*models: Any) -> AbstractContextManager[Any]:
    """Torch's generators afterwards as they were before, if there are nets."""
    if not nets_in(models):
        return nullcontext()
    import torch

    # Those of GPUs that nobody has used yet have no state to keep.
    is_used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()) if is_used else [])


def park(model: Any) -> tuple[str, ...]:
    """Move the nets of a fitted estimator out of their devices' memory; the devices they were on."""
    if not (nets := nets_in(model)):
        return ()
    devices = tuple(str(net.device) for net in nets)
    for net in nets:
        _move(net, "cpu")
    return devices


def unpark(model: Any, devices: str | Sequence[str]) -> None:
    """Move them back to where they were, or all to another device."""
    if not (nets := nets_in(model)):
        return
    for net, device in zip(nets, [devices] * len(nets) if isinstance(devices, str) else devices, strict=True):
        _move(net, device)


def _move(net: Any, device: str) -> None:
    """Move a net, and what it takes its batches from."""
    from skhpo.evaluation.adapters._skorch_state import move
    from skhpo.torch import send_tensors

    move(net, device)
    send_tensors(net, device)


def free_memory() -> None:
    """Give the memory of devices back that nothing lives in any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        # Not even that can be done once a device has failed this process.
        with suppress(RuntimeError):
            torch.cuda.empty_cache()


def nets_in(value: Any) -> list[Any]:
    """All nets of skorch in an estimator, or in a parameter's value, fitted ones included."""
    skorch = sys.modules.get("skorch")
    return [] if skorch is None else list(_walk(value, skorch.NeuralNet, set()))


def _walk(value: Any, kind: type, seen: set[int]) -> Iterator[Any]:
    if isinstance(value, kind):
        if id(value) not in seen:
            seen.add(id(value))
            yield value
        return
    parts: Any = ()
    if isinstance(value, BaseEstimator) and id(value) not in seen:
        seen.add(id(value))
        parts = vars(value).values()
    elif isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    for part in parts:
        yield from _walk(part, kind, seen)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two arrays have the same values."""
    if type(one) is not type(other) or getattr(one, "shape", 0) != getattr(other, "shape", 1):
        return False
    return bool((one == other).all())
