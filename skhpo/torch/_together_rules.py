"""Which nets may be trained together, and with which others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochScoring, EpochTimer, PassthroughScoring, PrintLog
from skorch.dataset import Dataset, ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from skhpo.torch._iterator import TensorIterator
from skhpo.torch._optimizers import STACKED
from skhpo.torch._together_stack import DROPOUTS

_SKORCH = {"skorch.net", "skorch.classifier", "skorch.regressor"}
_HEEDED = {
    "_default_callbacks",
    "get_default_callbacks",
    "get_loss",
    "infer",
    "predict",
    "predict_proba",
    "score",
}
"""What a subclass of skorch's nets may do in its own way: we call it, or it has no part in training."""

_ITERATOR_OPTIONS = {
    "batch_size",
    "device",
    "drop_last",
    "in_order",
    "num_workers",
    "pin_memory",
    "prefetch_factor",
    "shuffle",
    "timeout",
}
_MEANS = (
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    nn.CrossEntropyLoss,
    nn.HuberLoss,
    nn.L1Loss,
    nn.MSELoss,
    nn.NLLLoss,
    nn.PoissonNLLLoss,
    nn.SmoothL1Loss,
    nn.SoftMarginLoss,
)
"""Criteria whose loss is the mean of the rows' losses."""

_RUNNING = (nn.modules.batchnorm._BatchNorm, nn.SyncBatchNorm)
_OWN_PARAMETERS = {"lr", "max_epochs", "verbose", "history", "module", "warm_start"}
"""Parameters in which the nets of one model may differ, or that are compared in what they make."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def reason_against(net: Any) -> str | None:
    """Why a net cannot be trained together with others.

    Parameters
    ----------
    net : NeuralNet
        With its parameters set, initialised or not; left as it is.

    Returns
    -------
    str or None
        A reason to be shown to the user; None where there is nothing against it that can be seen without its
        data. What only a trial can show is found by `train_together`, which then raises `CannotTogether`.
    """
    for check in (_against_class, _against_options, _against_iterators, _against_callbacks):
        if (reason := check(net)) is not None:
            return reason
    try:
        criterion, module = criterion_of(net), module_of(net)
    except Exception as error:  # The user's own classes; whoever trains the net alone will say so.
        return f"its module or criterion cannot be made: {error}"
    return _against_criterion(criterion) or _against_module(module) or _against_optimizer(net)


def criterion_of(net: Any) -> Any:
    """A net's criterion, or one like that which it is going to make."""
    if getattr(net, "initialized_", False):
        return net.criterion_
    return net.initialized_instance(net.criterion, net.get_params_for("criterion"))


def module_of(net: Any) -> Any:
    """A net's module, or one like that which it is going to make; draws nothing from torch's generators."""
    if getattr(net, "initialized_", False):
        return net.module_
    with torch.random.fork_rng(devices=[]):
        return net.initialized_instance(net.module, net.get_params_for("module"))


def _against_class(net: Any) -> str | None:
    for cls in type(net).__mro__:
        if cls.__module__ in _SKORCH or not issubclass(cls, NeuralNet):
            continue
        for name in vars(cls):
            is_own = (
                hasattr(NeuralNet, name) and not name.startswith(("_sklearn", "set_")) and name not in _HEEDED
            )
            if is_own and (not name.startswith("__") or name in ("__getattribute__", "__setattr__")):
                return f"{cls.__name__} overrides {name} of skorch's nets"
    return None


def _against_options(net: Any) -> str | None:
    device = None if net.device is None else torch.device(net.device).type
    split = net.train_split
    if device not in ("cpu", "cuda"):
        return f"device={net.device!r}"
    if net.compile:
        return "compile=True"
    if net.dataset is not Dataset or net.get_params_for("dataset"):
        return "a dataset of the user's own"
    if split is not None and type(split) is not ValidSplit:
        return f"train_split={split!r}, which is neither None nor ValidSplit"
    if isinstance(getattr(split, "cv", None), float) and split.random_state is None:
        return "a validation set that is drawn anew each time"
    return None


def _against_iterators(net: Any) -> str | None:
    for prefix in ("iterator_train", "iterator_valid"):
        if getattr(net, prefix) not in (DataLoader, TensorIterator):
            return f"an {prefix} of the user's own"
        if others := set(net.get_params_for(prefix)) - _ITERATOR_OPTIONS:
            return f"{prefix}__{min(others)}"
    return None


def _against_callbacks(net: Any) -> str | None:
    if net.callbacks == "disable":
        return None
    if getattr(net, "initialized_", False):
        named = list(net.callbacks_)
    else:
        named = [(item if isinstance(item, tuple) else ("", item)) for item in (net.callbacks or [])]
        named += net.get_default_callbacks()
    for name, callback in named:
        kind = callback if isinstance(callback, type) else type(callback)
        if callback is None or kind in (EpochTimer, PassthroughScoring, PrintLog):
            continue
        if kind is not EpochScoring or isinstance(callback, type):
            return f"the callback {name or kind.__name__}"
        # A name or a scorer of scikit-learn's asks for predictions; what a user wrote may look at the net.
        is_plain = callback.scoring is None or isinstance(callback.scoring, str)
        is_plain = is_plain or type(callback.scoring).__module__.startswith("sklearn.")
        if callback.on_train or not callback.use_caching or not is_plain or net.use_caching is False:
            return f"the callback {name or kind.__name__}, which needs more than the validation set's outputs"
    if any(name.startswith("callbacks__") and value is not None for name, value in vars(net).items()):
        return "callbacks set by name"
    return None


def _against_criterion(criterion: Any) -> str | None:
    name = type(criterion).__name__
    if type(criterion) not in _MEANS:
        return f"the criterion {name}, which is not known to be a mean of the rows' losses"
    if criterion.reduction != "mean":
        return f"the criterion's reduction={criterion.reduction!r}"
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and criterion.weight is not None:
        return f"weights of classes in {name}"
    return None


def _against_module(module: Any) -> str | None:
    if not isinstance(module, nn.Module):
        return "a module that is none of torch's"
    for submodule in module.modules():
        name = type(submodule).__name__
        if isinstance(submodule, _RUNNING) or getattr(submodule, "track_running_stats", False):
            return f"running statistics in {name}"
        if any(getattr(submodule, hooks, None) for hooks in _HOOKS):
            return f"hooks of {name}"
        if isinstance(submodule, torch.jit.ScriptModule | nn.modules.lazy.LazyModuleMixin):
            return f"{name}, which is scripted or lazy"
    if any(tensor.is_complex() or not tensor.is_floating_point() for tensor in module.parameters()):
        return "parameters that are no real numbers"
    return None


def _against_optimizer(net: Any) -> str | None:
    kind = net.optimizer
    if kind not in STACKED:
        return f"the optimizer {getattr(kind, '__name__', kind)}"
    options = net.get_params_for("optimizer")
    for name in ("param_groups", "fused", "capturable", "differentiable"):
        if options.get(name):
            return f"optimizer__{name}"
    if getattr(net, "initialized_", False):
        if type(net.optimizer_) is not kind or len(net.optimizer_.param_groups) != 1:
            return "an optimizer with several groups of parameters"
    return None


def may_join(one: Any, other: Any) -> bool:
    """Whether two nets that nothing is against can be one batched model, as far as their parameters say."""
    a, b = _parameters(one), _parameters(other)
    names = {name for name in (*a, *b) if not _may_differ(name, a.get(name), b.get(name))}
    return (
        type(one) is type(other)
        and torch.device(one.device) == torch.device(other.device)
        and all(name in a and name in b and alike(a[name], b[name]) for name in names)
    )


def _parameters(net: Any) -> dict[str, Any]:
    """A net's parameters, with callbacks as they were given: they are what a training leaves its marks on."""
    parameters = net.get_params(deep=False)
    if isinstance(net.callbacks, list | tuple):
        named = [item if isinstance(item, tuple) else ("", item) for item in net.callbacks]
        parameters["callbacks"] = [
            (name, callback if isinstance(callback, type | None) else (type(callback), callback.get_params()))
            for name, callback in named
        ]
    return parameters


def _may_differ(name: str, a: Any, b: Any) -> bool:
    return (
        name in _OWN_PARAMETERS
        or name.startswith("_")
        or name.startswith("module__")
        or (name.startswith("optimizer__") and _is_numeric(a) and _is_numeric(b))
    )


def _is_numeric(value: Any) -> bool:
    """Whether a value may be another one for each net; None is an option that was not given."""
    if isinstance(value, tuple | list):
        return all(map(_is_numeric, value))
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))


def same_architecture(one: nn.Module, other: nn.Module) -> bool:
    """Whether modules differ in nothing but the values of parameters and buffers and in rates of dropout."""
    pairs, others = list(one.named_modules()), list(other.named_modules())
    if [(name, type(m)) for name, m in pairs] != [(name, type(m)) for name, m in others]:
        return False
    return all(alike(_plain(a), _plain(b)) for (_, a), (_, b) in zip(pairs, others, strict=True))


def _plain(module: nn.Module) -> dict[str, Any]:
    """A module's attributes, with shapes and types in the place of tensors."""
    ignored = {
        "training",
        "_modules",
        "_non_persistent_buffers_set",
        *({"p", "inplace"} if type(module) in DROPOUTS else ()),
    }
    attributes = {name: value for name, value in vars(module).items() if name not in ignored}
    for kind in ("_parameters", "_buffers"):
        attributes[kind] = {
            name: value if value is None else (tuple(value.shape), value.dtype, value.requires_grad)
            for name, value in attributes[kind].items()
        }
    return attributes


def alike(a: Any, b: Any, depth: int = 6) -> bool:
    """Whether two values are the same, or objects of one class with the same attributes."""
    if a is b:
        return True
    if type(a) is not type(b) or depth == 0:
        return False
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(alike(a[key], b[key], depth - 1) for key in a)
    if isinstance(a, Sequence) and not isinstance(a, str | bytes):
        return len(a) == len(b) and all(alike(x, y, depth - 1) for x, y in zip(a, b, strict=True))
    if isinstance(a, type | FunctionType | BuiltinFunctionType) or not hasattr(a, "__dict__"):
        return bool(a == b)
    return alike(vars(a), vars(b), depth - 1)
