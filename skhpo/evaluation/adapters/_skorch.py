"""Nets of skorch, which are trained in epochs.

``NeuralNet.partial_fit`` begins a training: it calls ``on_train_begin`` of every callback, which sets early
stopping back and makes the learning-rate scheduler anew, one step too far. Here the loop over
epochs goes on as if nothing had been between, with the state of torch's generators where it was.
Weights, the optimizer's state, the callbacks' counters and the history are pickled with the net.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhpo.evaluation.adapters._base import Adapter

_CALLBACKS = {
    "BatchScoring",
    "EarlyStopping",
    "EpochScoring",
    "InputShapeSetter",
    "LRScheduler",
    "PassthroughScoring",
}
"""Callbacks of skorch that act when a training begins or ends and do not mind going on."""


@dataclass(frozen=True)
class TorchState:
    """States of torch's generators.

    Attributes
    ----------
    cpu : array of uint8
    device : array of uint8 or None
        Of the net's own device, where that is not the CPU.
    """

    cpu: np.ndarray
    device: np.ndarray | None


@dataclass(frozen=True)
class Skorch(Adapter):
    """``NeuralNet``: bit for bit the same as one fit, as far as the device computes the same twice.

    The net is initialised and trained with torch's generators seeded by the trial's seed, which are
    afterwards as they were, so that a search can be repeated and the user's program does not notice. Threads
    share the generators: under the threading backend a search cannot be repeated to the bit.

    Not with callbacks that act when a training begins or ends, except those of skorch that are known
    not to mind; not with ``EarlyStopping(load_best=True)``, which puts earlier weights back; not with a
    validation set that is drawn anew at each call.
    """

    resource: str = "max_epochs"

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether the callbacks and the validation set allow it."""
        return not _redraws(model.train_split) and all(map(_goes_on, _callbacks(model)))

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> TorchState:
        """Initialise and fit from a seed."""
        with _generators(model, seed) as device:
            super().begin(model, resource, X, y, fit_params, seed)
            return _state(device)

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: TorchState
    ) -> TorchState:
        """Train the missing epochs, unless the net has stopped itself."""
        reached = model.max_epochs
        model.set_params(max_epochs=resource)
        if len(model.history) < reached or any(map(_has_stopped, _callbacks(model))):
            return memo
        for callback in _callbacks(model):
            # A net's pickle holds the optimizer twice, for itself and for its scheduler.
            if (scheduler := getattr(callback, "lr_scheduler_", None)) is not None:
                scheduler.optimizer = model.optimizer_
        with _generators(model, memo) as device:
            # How callbacks end a training, here as in skorch's own fit.
            with suppress(KeyboardInterrupt):
                model.fit_loop(X, y, epochs=resource - reached, **fit_params)
            model.notify("on_train_end", X=X, y=y)
            return _state(device)


def _callbacks(net: Any) -> list[Any]:
    """Callbacks of a net: those at work, or where it is not initialised those that the user asked for."""
    if getattr(net, "initialized_", False):
        return [callback for _, callback in net.callbacks_]
    named = net.callbacks if isinstance(net.callbacks, list | tuple) else []
    return [item[1] if isinstance(item, tuple) else item for item in named]


def _goes_on(callback: Any) -> bool:
    """Whether a callback does the same where its training is interrupted."""
    from skorch.callbacks import Callback

    kind: Any = callback if isinstance(callback, type) else type(callback)
    if callback is None or not issubclass(kind, Callback):
        return callback is None
    if getattr(callback, "load_best", False) or (hasattr(callback, "lr_scheduler_") and _is_nested(callback)):
        return False
    is_known = kind.__module__.startswith("skorch.") and kind.__name__ in _CALLBACKS
    is_idle = kind.on_train_begin is Callback.on_train_begin and kind.on_train_end is Callback.on_train_end
    return is_known or is_idle


def _is_nested(callback: Any) -> bool:
    """Whether a scheduler holds others, each with an optimizer of its own."""
    return hasattr(callback.lr_scheduler_, "_schedulers")


def _has_stopped(callback: Any) -> bool:
    """Whether an ``EarlyStopping`` has ended the training."""
    return hasattr(callback, "misses_") and callback.misses_ >= callback.patience


def _redraws(train_split: Any) -> bool:
    """Whether a split into training and validation set is another one at each call."""
    folds = getattr(train_split, "cv", None)
    return isinstance(folds, float) and getattr(train_split, "random_state", None) is None


@contextmanager
def _generators(net: Any, start: int | TorchState) -> Iterator[Any]:
    """Torch's generators at a seed or state for a while; yields the net's device."""
    import torch

    device = torch.device(net.device or "cpu")
    index = torch.cuda.current_device() if device.type == "cuda" and device.index is None else device.index
    device = torch.device(device.type, index) if device.type == "cuda" else torch.device("cpu")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if isinstance(start, TorchState):
            torch.set_rng_state(torch.from_numpy(start.cpu.copy()))
            if start.device is not None:
                torch.cuda.set_rng_state(torch.from_numpy(start.device.copy()), device)
        else:
            torch.default_generator.manual_seed(start)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(start)
        yield device


def _state(device: Any) -> TorchState:
    import torch

    on_device = torch.cuda.get_rng_state(device).numpy() if device.type == "cuda" else None
    return TorchState(torch.get_rng_state().numpy(), on_device)
