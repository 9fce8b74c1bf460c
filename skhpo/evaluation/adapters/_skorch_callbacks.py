"""Callbacks of skorch: which of them do not mind that a training is cut in two, and where they write files.

What goes on does not notice: ``on_train_begin`` is not called a second time. ``on_train_end`` is called at
the end of each stretch, after what it changes in the net has been put by (see ``_skorch_state``).

A callback, or a net, with an ``on_train_begin`` or ``on_train_end`` that is not skorch's says that it goes on
by a method ``on_train_continue(net, X, y)``, which is called then in place of ``on_train_begin``.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

_AT_HOME = {
    "BatchScoring",
    "Checkpoint",
    "EarlyStopping",
    "EpochScoring",
    "InputShapeSetter",
    "LRScheduler",
    "LoadInitState",
    "ScoringBase",
    "TensorBoard",
    "TrainEndCheckpoint",
}
"""Classes of skorch that do something when a training begins or ends, and may go on.

LRScheduler makes a scheduler when a training begins, scorings look for the best score, EarlyStopping counts
anew and LoadInitState reads files: all that is to happen once. At the end EarlyStopping and Checkpoint load
the best weights, which are exchanged for the last ones before the net goes on; files that are written are
written over at the end of the next stretch; TensorBoard closes its writer, which opens by itself again."""

_AWAY = {
    "MlflowLogger": "ends its run when a training ends",
    "NeptuneLogger": "stops its run when a training ends",
    "WandbLogger": "watches the module with which the training began",
}
"""Classes of skorch that cannot go on, and why. One that neither list knows is refused as well."""

_HOOKS = ("on_train_begin", "on_train_end")
_OF_NETS = ("partial_fit", "fit_loop", *_HOOKS)


def obstacle(net: Any) -> str | None:
    """Why a net cannot be trained on as if it had never stopped; None if it can."""
    reason = _hooked(type(net), _OF_NETS)
    for iterator in ("iterator_train", "iterator_valid"):
        if net.get_params_for(iterator).get("persistent_workers"):
            # One draw from torch's generator for all epochs, and workers that draw on from epoch to epoch.
            reason = f"{iterator} has workers that live as long as the training"
    for callback in callbacks_of(net):
        reason = reason or _hooked(callback if isinstance(callback, type) else type(callback), _HOOKS)
    return reason


def callbacks_of(net: Any) -> list[Any]:
    """Callbacks of a net: those at work, or where it is not initialised those that will be."""
    if getattr(net, "initialized_", False):
        return [callback for _, callback in net.callbacks_]
    return [callback for _, callback in _named(net)]


def at_work(net: Any) -> dict[str, Any]:
    """Callbacks of an initialised net, by name."""
    return dict(net.callbacks_)


def changes_the_net(callback: Any) -> bool:
    """Whether the end of a training is not the net's last epoch any more once a callback has seen it."""
    definer = _definer(type(callback), "on_train_end")
    if not _is_at_home(definer):
        # An idle one, or one of the user's own, which may do anything.
        return _name(definer) != "skorch.Callback"
    return bool(getattr(callback, "load_best", False))


def tell_continue(net: Any, X: Any, y: Any) -> None:
    """Tell the net and its callbacks that the training goes on."""
    for listener in (net, *at_work(net).values()):
        if (listen := getattr(listener, "on_train_continue", None)) is not None:
            listen(net, X=X, y=y)


def own_files(net: Any, name: str) -> None:
    """Give the checkpoints of an unfitted net a folder of their own, below the one they would use.

    What is new is in the net's parameters, as in ``callbacks__checkpoint__dirname``; skorch hands it to the
    callbacks of this net, which should be a clone's, when it is initialised. A ``LoadInitState`` reads from
    the checkpoint of this net that its own is a copy of, or else from where it would.

    Parameters
    ----------
    net : NeuralNet
        Not initialised; changed in place.
    name : str
        Of the folder.
    """
    from skorch.callbacks import Checkpoint, LoadInitState, TrainEndCheckpoint

    named = _named(net)
    writers = [(key, value) for key, value in named if _is_of(value, (Checkpoint, TrainEndCheckpoint))]
    for key, callback in named:
        source = getattr(callback, "checkpoint", None)
        if isinstance(callback, LoadInitState):
            twin = next((value for _, value in writers if _are_twins(value, source)), None)
            if twin is not None:
                vars(net)[f"callbacks__{key}__checkpoint"] = twin
    for key, callback in writers:
        options = net.get_params_for(f"callbacks__{key}")
        model = callback(**options) if isinstance(callback, type) else callback
        for option, value in _moved(vars(model) | options, name).items():
            vars(net)[f"callbacks__{key}__{option}"] = value


def _moved(options: dict[str, Any], name: str) -> dict[str, str]:
    """Options of a checkpoint with which it writes into a folder; the folders that files name are made."""
    files = {key: value for key, value in options.items() if key.startswith("f_") and value is not None}
    if not all(isinstance(file, str) for file in files.values()):
        # Open files, of which a clone has copies.
        return {}
    prefix = options["fn_prefix"]
    moved = {"dirname": os.path.join(options["dirname"], name)}
    if os.path.isabs(prefix):
        moved["fn_prefix"] = _below(prefix, name)
    elif not prefix:
        moved |= {key: _below(file, name) for key, file in files.items() if os.path.isabs(file)}
    for key, file in files.items():
        folder = os.path.dirname(moved.get("fn_prefix", prefix) + moved.get(key, file))
        if folder and "{" not in folder:
            os.makedirs(os.path.join(moved["dirname"], folder), exist_ok=True)
    return moved


def _below(path: str, name: str) -> str:
    return os.path.join(os.path.dirname(path), name, os.path.basename(path))


def _named(net: Any) -> list[tuple[str, Any]]:
    """Callbacks that an unfitted net will have, and the names of their parameters."""
    if net.callbacks == "disable":
        return []
    named = [
        (name, getattr(net, f"callbacks__{name}", value)) for name, value in net._uniquely_named_callbacks()
    ]
    return [(name, value) for name, value in named if value is not None]


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return issubclass(value, kinds) if isinstance(value, type) else isinstance(value, kinds)


def _are_twins(first: Any, second: Any) -> bool:
    """Whether a callback is another one or its clone."""
    if first is second:
        return True
    return type(first) is type(second) and _written(first) == _written(second)


def _written(callback: Any) -> dict[str, str]:
    return {name: repr(value) for name, value in callback.get_params(deep=False).items()}


def _hooked(kind: type, hooks: tuple[str, ...]) -> str | None:
    """Why a class of nets or callbacks minds where a training is cut in two."""
    if hasattr(kind, "on_train_continue"):
        return None
    for hook in hooks:
        definer = _definer(kind, hook)
        if definer is None:
            return f"{kind.__name__} is no callback of skorch"
        if not _is_at_home(definer) and _name(definer) not in ("skorch.Callback", "skorch.NeuralNet"):
            known = _AWAY.get(definer.__name__) if _name(definer).startswith("skorch.") else None
            return f"{definer.__name__} " + (known or f"has an {hook} but no on_train_continue")
    return None


def _definer(kind: type, method: str) -> type | None:
    """The class that a method comes from."""
    return next((base for base in inspect.getmro(kind) if method in vars(base)), None)


def _is_at_home(definer: type | None) -> bool:
    return definer is not None and _name(definer) in {f"skorch.{name}" for name in _AT_HOME}


def _name(kind: type | None) -> str:
    """Package and class."""
    return "" if kind is None else f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"
