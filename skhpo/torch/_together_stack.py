"""Nets of one architecture as one model: parameters with one leading axis, under ``vmap``.

======= ============= ====================================================================
symbol  shape         meaning
======= ============= ====================================================================
K, P    scalars       nets, and trained parameters of each
B       scalar        rows of a batch
theta   (K, P)        trained parameters, of each net one after the other
X, y    (K, B, ...)   a batch for each net
======= ============= ====================================================================
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_generators import seeded

DROPOUTS: dict[type[nn.Module], int | None] = {
    nn.Dropout: None,
    nn.Dropout1d: 1,
    nn.Dropout2d: 2,
    nn.Dropout3d: 3,
}
"""Kinds of dropout whose rate may differ from net to net, and how many axes follow the channels'."""

_FALLBACK = Lock()
"""Held by who has set torch's own switch, which all threads share."""

_PROBED_ROWS = 32
"""Rows of each net's first batch on which it is tried whether the nets are one model."""


class StackedDropout(nn.Module):
    """Dropout whose rate is a tensor, and so may be another one for each net.

    Parameters
    ----------
    p : float
    n_spatial : int or None
        Axes after the channels, which are dropped as a whole; None to drop single elements.
    """

    p: Tensor

    def __init__(self, p: float, n_spatial: int | None) -> None:
        super().__init__()
        self.n_spatial = n_spatial
        self.register_buffer("p", torch.tensor(float(p)))

    def forward(self, X: Tensor) -> Tensor:
        """Zeros with probability p, the rest divided by 1 - p, while training."""
        if not self.training:
            return X
        shape = X.shape
        if self.n_spatial is not None:
            if X.dim() != self.n_spatial + 2:
                raise CannotTogether(f"channels are dropped from an input of {X.dim()} dimensions")
            shape = torch.Size([*X.shape[:2], *[1] * self.n_spatial])
        keeps = torch.rand(shape, device=X.device) >= self.p
        # Where p = 1 nothing is kept, so that what it would be divided by does not matter.
        scale = 1 / torch.where(self.p < 1, 1 - self.p, 1.0)
        return torch.where(keeps, X * scale.to(X.dtype), 0.0)


class _Step(nn.Module):
    """What a net does with a batch, as a module, so that its parameters can be replaced in a call.

    Parameters
    ----------
    net : NeuralNet
        Whose ``infer`` and ``get_loss`` are used; it is left as it is.
    module, criterion : torch modules
        In the place of the net's own.
    """

    def __init__(self, net: Any, module: nn.Module, criterion: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.net = object.__new__(type(net))
        vars(self.net).update(vars(net), module_=module, criterion_=criterion)

    def forward(self, X: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        """Losses (B,) of the rows, or () of the batch where the criterion takes the mean, and outputs."""
        outputs = self.net.infer(X)
        losses = self.net.get_loss(outputs, y, X=X, training=self.training)
        return losses.flatten(1).mean(1) if losses.dim() > 1 else losses, outputs


class _Outputs(nn.Module):
    """The outputs alone of a step."""

    def __init__(self, step: _Step) -> None:
        super().__init__()
        self.module, self.net = step.module, step.net

    def forward(self, X: Tensor) -> Any:
        return self.net.infer(X)


class Stack:
    """K nets of one architecture as one model.

    Parameters
    ----------
    nets : sequence of K initialised nets

    Raises
    ------
    CannotTogether
        Where parameters or buffers differ in name, shape or type.
    """

    def __init__(self, nets: Sequence[Any]) -> None:
        self.nets = nets
        modules = [net.module_ for net in nets]
        layouts = [_layout(module) for module in modules]
        if any(layout != layouts[0] for layout in layouts):
            raise CannotTogether("their modules have parameters of different names, shapes or types")
        self.rates = _rates(modules)
        self.drops = [any(rate[k] > 0 for rate in self.rates.values()) for k in range(len(nets))]
        criterion = copy.copy(nets[0].criterion_)
        criterion.reduction = "none"
        # Where no net drops anything torch's own modules, which then do nothing, stay.
        skeleton = _replaced(modules[0], self.rates if any(self.drops) else {}, StackedDropout)
        self._step = _Step(nets[0], skeleton, criterion)
        self._outputs = _Outputs(self._step)
        self.trained: list[str] = []
        self.leaves: dict[str, Tensor] = {}
        self.constants = {f"module.{name}": _stacked(modules, name) for name in layouts[0]}
        if any(self.drops):
            some = next(iter(self.constants.values()), torch.empty(0))
            for path, rate in self.rates.items():
                self.constants[f"module.{path}.p"] = torch.tensor(rate, device=some.device)

    def probe(self, X: Tensor, y: Tensor, device: torch.device) -> None:
        """Try on a batch whether this is the same as each net alone, and find out what is trained.

        Parameters
        ----------
        X, y : tensors (K, B, ...)
        device : torch device

        Raises
        ------
        CannotTogether
            Where ``vmap`` does not take the module, or where a row's loss is not its own.
        """
        X, y = X[:, :_PROBED_ROWS], y[:, :_PROBED_ROWS]
        with seeded(0, device), reasons(), _without_fallback():
            alone = _Step(
                self.nets[0], _replaced(self.nets[0].module_, self.rates, _zero), self.nets[0].criterion_
            )
            is_random = self._probe_training(alone, X[0], y[0], device)
            for training in (False,) if is_random else (False, True):
                self._probe_rows(alone.train(training), X, y)
            leaves = {name: self.constants[name].clone().requires_grad_() for name in self.trained}
            losses, _ = self._batched(self._step.train(), leaves, X, y)
            losses.sum().backward()

    def flatten(self) -> None:
        """Lay the trained parameters of each net one after the other in one row.

        An optimizer then touches few large tensors instead of many small ones.
        """
        values = [self.constants.pop(name) for name in self.trained]
        if len({value.dtype for value in values}) > 1:
            raise CannotTogether("their parameters are of several types")
        self.theta = torch.cat([value.flatten(1) for value in values], dim=1)
        parts = self.theta.split([value[0].numel() for value in values], dim=1)
        for name, value, part in zip(self.trained, values, parts, strict=True):
            self.leaves[name] = part.view(value.shape).detach().requires_grad_()

    def differentiate(self, X: Tensor, y: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean losses (K,) of a batch, in training mode, and their gradients (K, P).

        Parameters
        ----------
        X, y : tensors (K, B, ...)
        weights : tensor (K, B) or None
            What each row counts in the mean; None for all the same.
        """
        losses, _ = self._batched(self._step.train(), self.leaves, X, y)
        losses = losses.mean(1) if weights is None else (losses * weights).sum(1)
        grads = torch.autograd.grad(losses.sum(), [self.leaves[name] for name in self.trained])
        return losses.detach(), torch.cat([grad.flatten(1) for grad in grads], dim=1)

    @torch.no_grad()
    def validate(self, X: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        """Losses (K, B) of the rows and outputs, in evaluation mode."""
        return self._batched(self._step.eval(), self.leaves, X, y)

    @torch.no_grad()
    def outputs(self, X: Tensor) -> Any:
        """Outputs for X (K, B, ...), in evaluation mode."""
        return self._batched(self._outputs.eval(), self.leaves, X)

    def parameters(self) -> list[list[nn.Parameter]]:
        """Trained parameters of each net, in the order of theta's columns."""
        named = [dict(net.module_.named_parameters()) for net in self.nets]
        return [[parameters[name.removeprefix("module.")] for name in self.trained] for parameters in named]

    @torch.no_grad()
    def write_back(self) -> None:
        """Put what has been trained into the nets."""
        for k, parameters in enumerate(self.parameters()):
            for name, parameter in zip(self.trained, parameters, strict=True):
                parameter.copy_(self.leaves[name][k])
                parameter.grad = None

    def _batched(self, step: nn.Module, leaves: dict[str, Tensor], *batch: Tensor) -> Any:
        def call(tensors: dict[str, Tensor], *batch: Tensor) -> Any:
            return functional_call(step, tensors, batch)

        tensors = {**self.constants, **leaves}
        return vmap(call, randomness="different")(tensors, *batch)

    def _probe_training(self, alone: _Step, X: Tensor, y: Tensor, device: torch.device) -> bool:
        """What a step of one net by itself trains, and whether it draws random numbers, dropout apart."""
        generator = (
            torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index]
        )
        before = generator.get_state()
        buffers = {name: value.clone() for name, value in alone.module.named_buffers()}
        alone.train()(X, y)[0].backward()
        is_random = not torch.equal(before, generator.get_state())
        self.drops = [is_random or drops for drops in self.drops]
        if any(not torch.equal(buffers[name], value) for name, value in alone.module.named_buffers()):
            raise CannotTogether("a buffer of the module changes in training")
        self.trained = [f"module.{n}" for n, p in alone.module.named_parameters() if p.grad is not None]
        if not self.trained:
            raise CannotTogether("nothing of the module is trained")
        return is_random

    @torch.no_grad()
    def _probe_rows(self, alone: _Step, X: Tensor, y: Tensor) -> None:
        """Whether the mean of the rows' losses is the loss, and whether no row's depends on other rows."""
        n, step = (X.shape[1] + 1) // 2, self._step.train(alone.training)
        rates = (f"module.{path}.p" for path in self.rates)
        undropped = {name: torch.zeros_like(self.constants[name]) for name in rates if name in self.constants}
        losses, _ = self._batched(step, undropped, X, y)
        half, _ = self._batched(step, undropped, X[:, :n], y[:, :n])
        if losses.shape != X.shape[:2]:
            raise CannotTogether("get_loss does not keep a loss for each row where the criterion does")
        expected, _ = alone(X[0], y[0])
        # Wide enough for a device that multiplies with 10 bits.
        is_mean = torch.allclose(losses[0].mean(), expected, rtol=5e-3, atol=1e-4, equal_nan=True)
        if not is_mean or not torch.allclose(losses[:, :n], half, rtol=5e-2, atol=1e-3, equal_nan=True):
            raise CannotTogether("the loss of a batch is not the mean of its rows' losses")


def _layout(module: nn.Module) -> dict[str, tuple[Any, ...]]:
    """Shapes, types and places of all parameters and buffers."""
    return {
        name: (value.shape, value.dtype, value.device, value.requires_grad)
        for name, value in (*module.named_parameters(), *module.named_buffers())
    }


def _stacked(modules: Sequence[nn.Module], name: str) -> Tensor:
    path, _, attribute = name.rpartition(".")
    return torch.stack([getattr(module.get_submodule(path), attribute).detach() for module in modules])


def _rates(modules: Sequence[nn.Module]) -> dict[str, list[float]]:
    """Rates of dropout of each net, by the name of the submodule."""
    paths = [path for path, submodule in modules[0].named_modules() if path and type(submodule) in DROPOUTS]
    return {path: [_rate(module.get_submodule(path)) for module in modules] for path in paths}


def _rate(dropout: Any) -> float:
    return float(dropout.p)


def _replaced(module: nn.Module, paths: Any, make: Callable[[float, int | None], nn.Module]) -> nn.Module:
    """Copy of a module with others in the place of its kinds of dropout."""
    module = copy.deepcopy(module)
    for path in paths:
        parent, _, name = path.rpartition(".")
        old = module.get_submodule(path)
        setattr(module.get_submodule(parent), name, make(_rate(old), DROPOUTS[type(old)]))
    return module


def _zero(p: float, n_spatial: int | None) -> nn.Module:
    return nn.Identity()


@contextmanager
def reasons() -> Iterator[None]:
    """What torch raises, as a reason; what is wrong with the device stays what it is."""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, CannotTogether):
        raise
    except (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError, IndexError) as error:
        if "CUDA error" in str(error) or "CUBLAS_STATUS" in str(error):
            raise
        raise CannotTogether(f"torch does not make one model of them: {error}") from error


@contextmanager
def _without_fallback() -> Iterator[None]:
    """Have ``vmap`` raise where it would run a part of the module one net after the other.

    It only warns of it, and warnings cannot be looked at without disturbing those of other threads.
    """
    functorch: Any = torch._C._functorch  # not public, and the only place where this can be asked for
    with _FALLBACK:
        was_enabled = functorch._is_vmap_fallback_enabled()
        functorch._set_vmap_fallback_enabled(False)
        try:
            yield
        finally:
            functorch._set_vmap_fallback_enabled(was_enabled)
