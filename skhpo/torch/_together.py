"""Many small nets trained as one batched model.

A small net leaves a GPU idle: each step starts a few dozen kernels, each over in less time than it took to
start. Here the nets of many trials and folds, all of one architecture, take each step side by side with as
many kernels as one net. What each net does is what it does alone: its first weights, its batches and what it
draws for them, its hyper-parameters, its history. Sums are taken in another order, so that results agree up
to rounding, and which elements dropout drops is drawn from one generator for all nets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from skorch.utils import is_pandas_ndframe
from torch import Tensor, nn

from skhpo._devices import GeneratorStates
from skhpo.torch import _together_history as history
from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_generators import Generators
from skhpo.torch._together_members import Member
from skhpo.torch._together_rows import Batches, Order, Pool
from skhpo.torch._together_rules import may_join, module_of, reason_against, same_architecture
from skhpo.torch._together_stack import Stack, reasons
from skhpo.torch._together_training import CHUNK, Training, unstacked

__all__ = ["CannotTogether", "Member", "group", "outputs_together", "reason_against", "train_together"]


def group(members: Sequence[Member]) -> list[list[int]]:
    """Sort members into those that can be one batched model each.

    The nets of a group are the same but for the seed, the learning rate and other numbers that the optimizer
    takes, and rates of dropout; their data have one shape of rows and nearly as many of them. A member that
    cannot be trained together with any is a group by itself.

    Parameters
    ----------
    members : sequence of Member

    Returns
    -------
    list of lists of int
        Positions in ``members``, in their order.
    """
    groups: list[list[int]] = []
    modules: dict[int, nn.Module] = {}
    for k, member in enumerate(members):
        if reason_against(member.net) is None and _against_data(member) is None:
            modules[k] = module_of(member.net)
            for mates in groups:
                first = mates[0]
                if first in modules and _are_mates(members[first], member, modules[first], modules[k]):
                    mates.append(k)
                    break
            else:
                groups.append([k])
        else:
            groups.append([k])
    return groups


def _are_mates(one: Member, other: Member, module: nn.Module, other_module: nn.Module) -> bool:
    n_batches = [Order.of(member.net, member.n_rows, training=True).n_batches for member in (one, other)]
    return (
        one.n_epochs == other.n_epochs
        and _kind(one.X) == _kind(other.X)
        and _kind(one.y) == _kind(other.y)
        and abs(n_batches[0] - n_batches[1]) <= 1
        and may_join(one.net, other.net)
        and same_architecture(module, other_module)
    )


def _kind(array: Any) -> tuple[str, ...] | None:
    """Type of an array's elements, shape of its rows, and where it is."""
    if array is None:
        return None
    return str(array.dtype), str(tuple(array.shape[1:])), str(getattr(array, "device", "cpu"))


def _against_data(member: Member) -> str | None:
    for name, array in (("X", member.X), ("y", member.y)):
        # Such as joblib hands to workers are np.memmap.
        is_array = type(array) in (np.ndarray, np.memmap) and array.dtype.kind in "biuf" and array.ndim > 0
        is_tensor = type(array) is Tensor and array.layout == torch.strided and not array.requires_grad
        is_column = name == "y" and (array is None or (is_pandas_ndframe(array) and array.ndim == 1))
        if not (is_array or is_tensor or is_column):
            return f"{name} is neither an array nor a tensor"
    if member.y is not None and len(member.y) != len(member.X):
        return "X and y of different lengths"
    return None


def train_together(members: Sequence[Member]) -> list[GeneratorStates]:
    """Train nets as one batched model; afterwards each is as if it had been trained alone.

    Weights, the optimizer's state, the history and what skorch's own callbacks write are set in place, so
    that each net can be scored, pickled and trained on, alone or together. The duration of an epoch is that
    of all nets' together. Nothing is printed.

    Parameters
    ----------
    members : sequence of Member
        One of the groups that `group` returns.

    Returns
    -------
    list of GeneratorStates
        For each member, where its generators are: without dropout where training alone leaves them.

    Raises
    ------
    CannotTogether
        Where it turns out that these nets are not one model. As with all that is raised, nets are then as
        they were.
    """
    members = [_converted(member) for member in members]
    nets = [member.net for member in members]
    device = _device(nets[0])
    with history.unchanged_on_error(nets):
        generators = [Generators(member.start, device) for member in members]
        n_epochs = members[0].n_epochs
        if any(member.n_epochs != n_epochs for member in members):
            raise CannotTogether("they have different numbers of epochs before them")
        for member, own in zip(members, generators, strict=True):
            member.net.set_params(max_epochs=member.epochs)
            if member.begins and not (member.net.warm_start and member.net.initialized_):
                own.initialize(member.net)
        if n_epochs > 0:
            Training(members, generators, device).run(n_epochs)
        return [own.states for own in generators]


def _converted(member: Member) -> Member:
    if (reason := reason_against(member.net) or _against_data(member)) is not None:
        raise CannotTogether(reason)
    y = member.y.to_numpy() if is_pandas_ndframe(member.y) else member.y
    return Member(member.net, member.X, y, member.epochs, member.start, member.rows)


def _device(net: Any) -> torch.device:
    device = torch.device(net.device)
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def outputs_together(
    nets: Sequence[Any], Xs: Sequence[Any], rows: Sequence[np.ndarray] | None = None
) -> list[Any]:
    """Outputs of nets that were trained together, each for rows of its own, as one batched model.

    Parameters
    ----------
    nets : sequence of NeuralNet
        Of one group, trained.
    Xs : sequence of arrays or tensors
        Memory that nets share is sent to the device once.
    rows : sequence of arrays of int, optional
        Which rows of ``Xs`` each net is asked for; None for all.

    Returns
    -------
    list
        For each net what its ``forward`` returns: a tensor (n_k, ...) or a tuple of them, on the CPU.

    Raises
    ------
    CannotTogether
        Where these nets are not one model.
    """
    device = _device(nets[0])
    pool = Pool(device)
    asked = [np.arange(len(X)) for X in Xs] if rows is None else [np.asarray(own) for own in rows]
    chosen = [torch.from_numpy(own + pool.add(X, None)) for X, own in zip(Xs, asked, strict=True)]
    pool.seal()
    lengths = [len(own) for own in chosen]
    size = max(Order.of(net, n, training=False).size for net, n in zip(nets, lengths, strict=True))
    batches = Batches(chosen, [Order(n, size, shuffles=False, drops_last=False) for n in lengths], device)
    with reasons():
        stack = Stack(nets)
        index = batches.index([torch.Generator() for _ in nets])
        parts = [part.transpose(0, 1).flatten(1) for part in index.split(CHUNK)]
        outputs = [_on_cpu(stack.outputs(pool.X[part])) for part in parts]
    return unstacked(outputs, lengths)


def _on_cpu(outputs: Any) -> Any:
    return tuple(map(_on_cpu, outputs)) if isinstance(outputs, tuple) else outputs.cpu()
