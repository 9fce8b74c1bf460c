"""What a net of skorch is at an epoch: put by, put back, tied together again and moved to another device."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

from skhpo.evaluation.adapters._skorch_callbacks import at_work, changes_the_net

_STEPS = ("train_step", "train_step_single", "_step_optimizer", "_zero_grad_optimizer")
"""Methods of a net in which gradients may be gathered over several batches, and over the end of an epoch."""


@dataclass(frozen=True)
class Kept:
    """What a net that has come to the end of an epoch does not pickle, or is about to lose.

    All of it is on the CPU: it takes no memory of the device between two stretches, and can be read where the
    device is missing.

    Attributes
    ----------
    best : dict of str to state dict
        Weights by which an ``EarlyStopping`` remembers its best epoch; of each such callback.
    gradients : list of tensor or None
        Of all parameters, where the net may gather them over the end of an epoch; else None.
    modules, optimizers : dict, optional
        States by attribute, criteria included; None unless a callback changes them when training ends.
    history : History, optional
        As them.
    """

    best: dict[str, Any]
    gradients: list[Any] | None
    modules: dict[str, Any] | None = None
    optimizers: dict[str, Any] | None = None
    history: Any = None

    @classmethod
    def of(cls, net: Any) -> Kept:
        """What is to be kept of a net now."""
        best = {
            name: onto("cpu", callback.best_model_weights_)
            for name, callback in at_work(net).items()
            if getattr(callback, "best_model_weights_", None) is not None
        }
        kept = cls(best, [_copied(p.grad) for p in _parameters(net)] if _has_own_steps(net) else None)
        if not any(map(changes_the_net, at_work(net).values())):
            return kept
        return replace(
            kept,
            modules={name: _copied(module.state_dict()) for name, module in _modules(net)},
            optimizers={name: _copied(_state_of(optimizer)) for name, optimizer in _optimizers(net)},
            history=deepcopy(net.history),
        )

    def give_back(self, net: Any) -> None:
        """Make a net what it was, on whichever device it is now."""
        for name, weights in self.best.items():
            at_work(net)[name].best_model_weights_ = weights
        if self.modules is not None:
            for name, module in _modules(net):
                module.load_state_dict(self.modules[name])
        if self.optimizers is not None:
            for name, optimizer in _optimizers(net):
                _set_state(optimizer, *deepcopy(self.optimizers[name]))
        if self.history is not None:
            net.history = deepcopy(self.history)
        if self.gradients is not None:
            for parameter, gradient in zip(_parameters(net), self.gradients, strict=True):
                parameter.grad = None if gradient is None else gradient.to(parameter.device, copy=True)


class Tie:
    """A net's optimizer, held by a scheduler between two stretches.

    It is pickled by the name of the net's attribute. An optimizer in it would be a second one, with weights
    and all; and skorch moves to the CPU, where a device is missing, only what is a net's own attribute.
    """

    def __init__(self, name: str, optimizer: Any = None) -> None:
        self._name = name
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        # What the constructor sets is not looked for here; copies without it must not look forever.
        if name.startswith("__") or name in ("_name", "_optimizer"):
            raise AttributeError(name)
        return getattr(self._optimizer, name)

    def __reduce__(self) -> tuple[type[Tie], tuple[str]]:
        return Tie, (self._name,)


def loosen(net: Any) -> None:
    """Let schedulers hold optimizers by a ``Tie``."""
    for scheduler in _schedulers(net):
        for name, optimizer in _optimizers(net):
            if scheduler.optimizer is optimizer:
                scheduler.optimizer = Tie(name, optimizer)


def tighten(net: Any) -> None:
    """Let schedulers hold the very optimizers of their net, and LBFGS the very parameters."""
    import torch

    optimizers = dict(_optimizers(net))
    for scheduler in _schedulers(net):
        held = scheduler.optimizer
        if isinstance(held, Tie):
            scheduler.optimizer = optimizers[held._name]
    for optimizer in optimizers.values():
        if isinstance(optimizer, torch.optim.LBFGS) and not hasattr(optimizer, "_params"):
            # Not in its pickle.
            optimizer._params, optimizer._numel_cache = optimizer.param_groups[0]["params"], None


def move(net: Any, device: Any) -> None:
    """Move a net to a device, in place, as it is.

    One that is not initialised will be on that device. Of an initialised one the modules, criteria,
    optimizers' states and what callbacks keep are moved; nothing is initialised again.

    Parameters
    ----------
    net : NeuralNet
    device : str or torch.device
    """
    net.device = device
    if not getattr(net, "initialized_", False):
        return
    before = _parameters(net)
    for _, module in _modules(net):
        module.to(device)
    # Module.to may put other parameters in place of those that the optimizer holds.
    successors = dict(zip(before, _parameters(net), strict=True))
    for _, optimizer in _optimizers(net):
        for group in optimizer.param_groups:
            group["params"] = [successors.get(parameter, parameter) for parameter in group["params"]]
        states = [(successors.get(key, key), value) for key, value in optimizer.state.items()]
        optimizer.state.clear()
        optimizer.state.update(states)
        _set_state(optimizer, *_state_of(optimizer))
    for callback in at_work(net).values():
        for name, value in list(vars(callback).items()):
            if name.endswith("_") and (moved := onto(device, value)) is not value:
                setattr(callback, name, moved)


def onto(device: Any, value: Any) -> Any:
    """A tensor, or tensors in dictionaries and lists, on a device; the same object if none is moved."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        moved = {key: onto(device, item) for key, item in value.items()}
        if all(moved[key] is item for key, item in value.items()):
            return value
        # Of the same class and with the same attributes, which state dicts have.
        changed = copy(value)
        changed.update(moved)
        return changed
    if type(value) in (list, tuple):
        parts = [onto(device, item) for item in value]
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else type(value)(parts)
    return value


def _state_of(optimizer: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any] | None]]:
    """Options of an optimizer's groups, and what it knows of each parameter; the very objects.

    Not ``state_dict``, since ``load_state_dict`` turns numbers into the type of the parameters.
    """
    groups = [{key: value for key, value in g.items() if key != "params"} for g in optimizer.param_groups]
    return groups, [optimizer.state.get(p) for group in optimizer.param_groups for p in group["params"]]


def _set_state(optimizer: Any, groups: list[dict[str, Any]], states: list[dict[str, Any] | None]) -> None:
    """Let an optimizer be at a state of before; its tensors are put where the parameters are."""
    following = iter(states)
    for group, options in zip(optimizer.param_groups, groups, strict=True):
        # A learning rate may be a tensor, which graphs of a device want there.
        group.update(onto(group["params"][0].device, options) if options.get("capturable") else options)
        # torch wants the count of steps on the CPU, except where these options say otherwise.
        stays = () if options.get("capturable") or options.get("fused") else ("step",)
        for parameter in group["params"]:
            state = next(following)
            optimizer.state.pop(parameter, None)
            if state is not None:
                optimizer.state[parameter] = {
                    key: value if key in stays else onto(parameter.device, value)
                    for key, value in state.items()
                }


def _modules(net: Any) -> Iterator[tuple[str, Any]]:
    """Modules and criteria of a net, and the names of their attributes."""
    import torch

    for name in (f"{name}_" for name in (*net._modules, *net._criteria)):
        if isinstance(module := getattr(net, name), torch.nn.Module):
            yield name, module


def _optimizers(net: Any) -> Iterator[tuple[str, Any]]:
    for name in net._optimizers:
        yield f"{name}_", getattr(net, f"{name}_")


def _parameters(net: Any) -> list[Any]:
    """Parameters of all modules, each once."""
    return list({id(p): p for _, module in _modules(net) for p in module.parameters()}.values())


def _schedulers(net: Any) -> Iterator[Any]:
    """Schedulers of the learning rate that a net and its callbacks hold, and those that they are made of."""
    from torch.optim.lr_scheduler import LRScheduler

    holders, seen = [net, *at_work(net).values()], set()
    while holders:
        holder = holders.pop()
        for name, value in list(vars(holder).items()):
            parts = value if isinstance(holder, LRScheduler) and type(value) in (list, tuple) else [value]
            for part in parts:
                # Callbacks of skorch take any class for a scheduler.
                is_one = isinstance(part, LRScheduler) or (
                    name == "lr_scheduler_" and hasattr(part, "optimizer")
                )
                if is_one and id(part) not in seen:
                    seen.add(id(part))
                    holders.append(part)
                    yield part


def _has_own_steps(net: Any) -> bool:
    from skorch import NeuralNet

    return any(getattr(type(net), step) is not getattr(NeuralNet, step) for step in _STEPS)


def _copied(value: Any) -> Any:
    """A copy on the CPU."""
    return deepcopy(onto("cpu", value))
