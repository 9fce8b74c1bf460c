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
from numbers import Integral, Number
from typing import Any

from skhpo._devices import GeneratorStates
from skhpo.evaluation.adapters._base import Adapter, silenced
from skhpo.evaluation.adapters._skorch_callbacks import obstacle, own_files, tell_continue
from skhpo.evaluation.adapters._skorch_state import Kept, loosen, move, tighten

__all__ = ["Memo", "Skorch", "generators", "move", "own_files"]


@dataclass(frozen=True)
class Memo:
    """What an adapter needs to train a net on, beside the net.

    Attributes
    ----------
    generators : GeneratorStates
        At the end of the last epoch.
    has_ended : bool
        Whether the training has ended by itself.
    kept : Kept
        Of the net at the end of the last epoch.
    split : tuple of array, or None
        Rows of the training and the validation set, where they are drawn anew at each call.
    """

    generators: GeneratorStates
    has_ended: bool
    kept: Kept
    split: tuple[Any, Any] | None


@dataclass(frozen=True)
class Skorch(Adapter):
    """``NeuralNet``: bit for bit the same as one fit, as far as the device computes the same twice.

    The net is initialised and trained with torch's generators seeded by the trial's seed, which are
    afterwards as they were, so that a search can be repeated and the user's program does not notice. Threads
    share the generators: under the threading backend a search cannot be repeated to the bit.

    Where callbacks put earlier weights back when a training ends, the net has those between two stretches,
    and goes on from the last epoch's. Not with callbacks, and classes of nets, that act when a training
    begins or ends and do not say that they can go on; see ``_skorch_callbacks``.
    """

    resource: str = "max_epochs"

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether the net's class and its callbacks allow it."""
        return obstacle(model) is None

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> Memo | None:
        """Initialise and fit from a seed."""
        with generators(model.device, seed) as device:
            stretch = _Stretch(model, device)
            if obstacle(model) is None:
                # Found before the method of the class, and gone when it is called.
                vars(model)["fit_loop"] = stretch
            try:
                super().begin(model, resource, X, y, fit_params, seed)
            finally:
                vars(model).pop("fit_loop", None)
        if stretch.memo is not None:
            loosen(model)
        return stretch.memo

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Memo
    ) -> Memo:
        """Train the missing epochs, unless the net has stopped itself."""
        reached = model.max_epochs
        model.set_params(max_epochs=resource)
        if memo.has_ended:
            return memo
        tighten(model)
        memo.kept.give_back(model)
        with generators(model.device, memo.generators) as device:
            stretch = _Stretch(model, device, memo.split)
            tell_continue(model, X, y)
            # How callbacks end a training, here as in skorch's own fit. And pickled optimizers have lost
            # the mark by which schedulers know that they take steps.
            with suppress(KeyboardInterrupt), silenced(r"Seems like `optimizer\.step\(\)` has been over"):
                stretch(X, y, epochs=resource - reached, **fit_params)
            model.notify("on_train_end", X=X, y=y)
        loosen(model)
        return stretch.memo

    def can_hand_over(self, memo: Memo | None) -> bool:
        """Whether a net can be trained on by others than this adapter."""
        return memo is not None and not memo.has_ended and memo.split is None

    def handed_over(self, model: Any, memo: Memo) -> GeneratorStates:
        """Get a net ready to be trained on; states of the generators to go on with."""
        tighten(model)
        memo.kept.give_back(model)
        return memo.generators

    def taken_back(self, model: Any, states: GeneratorStates) -> Memo:
        """The memo of a net that others have trained."""
        memo = Memo(states, False, Kept.of(model), None)
        loosen(model)
        return memo


class _Stretch:
    """The loop over epochs of a net, once, and the memo of its end, before any callback hears of it.

    Parameters
    ----------
    net : NeuralNet
    device : torch.device
    split : tuple of array, or None
        Rows of the training and the validation set; None draws them as the net does.
    """

    memo: Any = None

    def __init__(self, net: Any, device: Any, split: tuple[Any, Any] | None = None) -> None:
        self.net, self.device, self.split = net, device, split

    def __call__(self, *args: Any, **options: Any) -> Any:
        vars(self.net).pop("fit_loop", None)
        if _redraws(self.net):
            vars(self.net)["get_split_datasets"] = self._split
        interrupt = None
        try:
            self.net.fit_loop(*args, **options)
        except KeyboardInterrupt as error:
            interrupt = error
        finally:
            vars(self.net).pop("get_split_datasets", None)
        has_ended = interrupt is not None
        self.memo = Memo(_state(self.device), has_ended, Kept.of(self.net), self.split)
        if interrupt is not None:
            raise interrupt
        return self.net

    def _split(self, X: Any, y: Any = None, **options: Any) -> tuple[Any, Any]:
        from torch.utils.data import Subset

        vars(self.net).pop("get_split_datasets", None)
        if self.split is None:
            training, validation = self.net.get_split_datasets(X, y, **options)
            self.split = training.indices, validation.indices
            return training, validation
        dataset = self.net.get_dataset(X, y)
        training, validation = self.split
        return Subset(dataset, training), Subset(dataset, validation)


def _redraws(net: Any) -> bool:
    """Whether a net's validation set is another one at each call."""
    from skorch import NeuralNet
    from skorch.dataset import ValidSplit

    split = net.train_split
    if (
        not isinstance(split, ValidSplit)
        or type(split).__call__ is not ValidSplit.__call__
        or type(net).get_split_datasets is not NeuralNet.get_split_datasets
    ):
        return False
    if isinstance(split.cv, float):
        return not isinstance(split.random_state, Integral)
    # Not the number of folds, which are in order, but a splitter or an iterable, which may be used up.
    return not (split.cv is None or isinstance(split.cv, Number))


@contextmanager
def generators(name: str | None, start: int | GeneratorStates) -> Iterator[Any]:
    """Torch's generators at a seed or state for a while, of the CPU and a net's device, which is yielded.

    A state that has none for the net's device, since it was of another one, seeds it from the CPU's.
    """
    import torch

    device = torch.device(name or "cpu")
    is_cuda = device.type == "cuda" and torch.cuda.is_available()
    index = torch.cuda.current_device() if is_cuda and device.index is None else device.index
    device = torch.device("cuda", index) if is_cuda else torch.device("cpu")
    with torch.random.fork_rng(devices=[device] if is_cuda else []):
        if isinstance(start, GeneratorStates):
            torch.set_rng_state(torch.from_numpy(start.cpu.copy()))
        else:
            torch.default_generator.manual_seed(start)
        if is_cuda and isinstance(start, GeneratorStates) and start.device is not None:
            torch.cuda.set_rng_state(torch.from_numpy(start.device.copy()), device)
        elif is_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(torch.default_generator.initial_seed())
        yield device


def _state(device: Any) -> GeneratorStates:
    import torch

    on_device = torch.cuda.get_rng_state(device).numpy() if device.type == "cuda" else None
    return GeneratorStates(torch.get_rng_state().numpy(), on_device)
