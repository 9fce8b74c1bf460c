r"""Optimizers that take a step for many models at once, each with hyper-parameters of its own.

They do what ``torch.optim``'s classes of the same names do, and take up their state and give it back.

========== ======== ============================================================================
symbol     shape    meaning
========== ======== ============================================================================
K, P, S             models, parameters of each, steps of an epoch
theta      (K, P)   parameters
g          (K, P)   gradients
gamma      (K, 1)   learning rate
lam        (K, 1)   weight decay
mu, tau    (K, 1)   momentum and dampening
b          (K, P)   momentum buffer
beta1, 2   (K, 1)   decay rates of Adam's moments
eps        (K, 1)   what Adam adds to the root of the second moment
m, v       (K, P)   first and second moments
v_max      (K, P)   greatest second moment so far (AMSGrad)
t          (K,)     steps that each model has taken
========== ======== ============================================================================

References
----------
Sutskever, Martens, Dahl, Hinton (2013). On the importance of initialization and momentum in deep learning.
ICML.
Kingma, Ba (2015). Adam: a method for stochastic optimization. ICLR. Algorithm 1.
Reddi, Kale, Kumar (2018). On the convergence of Adam and beyond. ICLR. Algorithm 2.
Loshchilov, Hutter (2019). Decoupled weight decay regularization. ICLR. Algorithms 1 and 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer


class StackedOptimizer(ABC):
    """Steps of K models at once.

    Parameters
    ----------
    optimizers : sequence of K optimizers of torch
        Each with one group of parameters; all agree on the options that are true or false.
    parameters : sequence of K sequences of parameters
        Those that are trained, in the order in which theta's columns hold them.
    theta : tensor (K, P)
        Changed in place by each step.
    """

    slots: tuple[str, ...]
    """torch's names of what is kept for each parameter."""

    def __init__(
        self, optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Parameter]], theta: Tensor
    ) -> None:
        self.theta = theta
        self._optimizers = optimizers
        self._parameters = parameters
        self._groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self.maximize = bool(self._groups[0]["maximize"])
        self.gamma = self.column([float(group["lr"]) for group in self._groups])
        self.lam = self.column([float(group["weight_decay"]) for group in self._groups])
        self.decays = any(group["weight_decay"] != 0 for group in self._groups)
        self.state = {slot: self._gather(slot) for slot in self.slots}
        self.t = np.array([self._steps(k) for k in range(len(optimizers))])
        self._takes: Tensor | None = None
        self._partial: set[int] = set()

    def schedule(self, takes: np.ndarray) -> None:
        """Say which models take which steps of the next epoch, so that no step has to send anything.

        Parameters
        ----------
        takes : array of bool (S, K)
        """
        t = self.t + np.cumsum(takes, axis=0)
        self._tabulate(np.maximum(t, 1))
        self._partial = set(np.flatnonzero(~takes.all(axis=1)).tolist())
        self._takes = torch.from_numpy(takes).to(self.theta.device).unsqueeze(-1) if self._partial else None
        self.t = t[-1]

    @torch.no_grad()
    def step(self, s: int, g: Tensor) -> None:
        """Step ``s`` of those scheduled, with gradients (K, P), which are left as they are."""
        g = -g if self.maximize else g
        theta, state = self._advance(s, g)
        if s in self._partial and self._takes is not None:
            takes = self._takes[s]
            theta = torch.where(takes, theta, self.theta)
            state = {slot: torch.where(takes, new, self.state[slot]) for slot, new in state.items()}
        self.theta.copy_(theta)
        self.state = state

    def write_back(self) -> None:
        """Give each model's optimizer its state, as if it had taken the steps itself."""
        for k, (optimizer, parameters) in enumerate(zip(self._optimizers, self._parameters, strict=True)):
            if self.t[k] > 0:
                rows = {slot: self._split(values[k], parameters) for slot, values in self.state.items()}
                for i, parameter in enumerate(parameters):
                    self._store(optimizer, parameter, k, {slot: row[i] for slot, row in rows.items()})

    @abstractmethod
    def _tabulate(self, t: np.ndarray) -> None:
        """Coefficients that change from step to step, from the numbers (S, K) of the steps, from 1."""

    @abstractmethod
    def _advance(self, s: int, g: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Parameters and state after step ``s``."""

    @abstractmethod
    def _steps(self, k: int) -> int:
        """Steps that a model has taken already, as far as its state depends on them."""

    @abstractmethod
    def _store(self, optimizer: Optimizer, parameter: Parameter, k: int, values: dict[str, Tensor]) -> None:
        """Put one parameter's values of model k into torch's state."""

    def column(self, values: Sequence[float]) -> Tensor:
        """One number for each model, (K, 1)."""
        return torch.tensor(values, dtype=self.theta.dtype, device=self.theta.device).unsqueeze(-1)

    def table(self, values: np.ndarray) -> Tensor:
        """One number for each step and model, (S, K, 1), rounded once, as torch rounds its scalars."""
        return torch.from_numpy(values).to(self.theta.device, self.theta.dtype).unsqueeze(-1)

    def option(self, name: str) -> list[Any]:
        """One of torch's options for each model."""
        return [group[name] for group in self._groups]

    def _gather(self, slot: str) -> Tensor:
        values = torch.zeros_like(self.theta)
        for k, (optimizer, parameters) in enumerate(zip(self._optimizers, self._parameters, strict=True)):
            kept = [optimizer.state.get(parameter, {}).get(slot) for parameter in parameters]
            if kept and all(value is not None for value in kept):
                values[k] = torch.cat([value.flatten() for value in kept])
        return values

    @staticmethod
    def _split(row: Tensor, parameters: Sequence[Parameter]) -> list[Tensor]:
        parts = row.split([parameter.numel() for parameter in parameters])
        pairs = zip(parts, parameters, strict=True)
        return [part.reshape(parameter.shape).clone() for part, parameter in pairs]


class StackedSGD(StackedOptimizer):
    """Gradient descent with momentum, as ``torch.optim.SGD``; the buffer begins as the first gradient."""

    slots = ("momentum_buffer",)

    def __init__(
        self, optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Parameter]], theta: Tensor
    ) -> None:
        super().__init__(optimizers, parameters, theta)
        momentum = self.option("momentum")
        self.mu, self.tau = np.array(momentum), np.array(self.option("dampening"))
        self.nesterov = bool(self.option("nesterov")[0])
        self.has_momentum = self.column([float(mu != 0) for mu in momentum]).bool()
        self.any_momentum, self.all_momentum = any(momentum), all(momentum)
        self.mu_column = self.column(momentum)
        self.kept, self.added = theta.new_empty(0), theta.new_empty(0)

    def _tabulate(self, t: np.ndarray) -> None:
        self.kept = self.table(np.where(t > 1, self.mu, 0.0))
        self.added = self.table(np.where(t > 1, 1 - self.tau, 1.0))

    def _advance(self, s: int, g: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if self.decays:
            g = torch.addcmul(g, self.lam, self.theta)  # g + lam theta
        b = self.state["momentum_buffer"]
        if self.any_momentum:
            b = self.kept[s] * b + self.added[s] * g  # mu b + (1 - tau) g
            d = torch.addcmul(g, self.mu_column, b) if self.nesterov else b
            g = d if self.all_momentum else torch.where(self.has_momentum, d, g)
        return torch.addcmul(self.theta, self.gamma, g, value=-1), {"momentum_buffer": b}

    def _steps(self, k: int) -> int:
        states = self._optimizers[k].state
        return int(any(states.get(p, {}).get("momentum_buffer") is not None for p in self._parameters[k]))

    def _store(self, optimizer: Optimizer, parameter: Parameter, k: int, values: dict[str, Tensor]) -> None:
        if self.mu[k] != 0:
            optimizer.state[parameter].update(values)


class StackedAdam(StackedOptimizer):
    """Adam, AMSGrad and AdamW, as ``torch.optim.Adam`` and ``torch.optim.AdamW``."""

    def __init__(
        self, optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Parameter]], theta: Tensor
    ) -> None:
        group = optimizers[0].param_groups[0]
        self.amsgrad = bool(group["amsgrad"])
        self.slots = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self.amsgrad else []))
        super().__init__(optimizers, parameters, theta)
        self.is_decoupled = isinstance(optimizers[0], AdamW) or bool(group.get("decoupled_weight_decay"))
        self.betas = np.array(self.option("betas"), dtype=float).T  # (2, K)
        beta1, beta2 = self.betas
        self.first, self.beta2, self.second = (
            self.column(values) for values in (1 - beta1, beta2, 1 - beta2)
        )
        self.eps = self.column(self.option("eps"))
        lr, decay = (
            np.array([float(group[name]) for group in self._groups]) for name in ("lr", "weight_decay")
        )
        self.lr, self.shrinkage = lr, self.column(1 - lr * decay)
        self.size, self.root = theta.new_empty(0), theta.new_empty(0)

    def _tabulate(self, t: np.ndarray) -> None:
        beta1, beta2 = self.betas
        self.size = self.table(self.lr / (1 - beta1**t))
        self.root = self.table(np.sqrt(1 - beta2**t))

    def _advance(self, s: int, g: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        theta = self.theta
        if self.decays and self.is_decoupled:
            theta = theta * self.shrinkage  # (1 - gamma lam) theta
        elif self.decays:
            g = torch.addcmul(g, self.lam, theta)
        m = torch.lerp(self.state["exp_avg"], g, self.first)  # beta1 m + (1 - beta1) g
        v = torch.addcmul(self.beta2 * self.state["exp_avg_sq"], self.second * g, g)
        state = {"exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = state["max_exp_avg_sq"] = torch.maximum(self.state["max_exp_avg_sq"], v)
        # m_hat / (sqrt(v_hat) + eps), both corrected for having begun at zero.
        denominator = v.sqrt().div_(self.root[s]).add_(self.eps)
        return theta - self.size[s] * m / denominator, state

    def _steps(self, k: int) -> int:
        states = self._optimizers[k].state
        return max((int(states.get(p, {}).get("step", 0)) for p in self._parameters[k]), default=0)

    def _store(self, optimizer: Optimizer, parameter: Parameter, k: int, values: dict[str, Tensor]) -> None:
        # torch counts in a tensor on the CPU, whatever the device of the parameters.
        optimizer.state[parameter].update(step=torch.tensor(float(self.t[k])), **values)


STACKED: dict[type[Optimizer], type[StackedOptimizer]] = {
    SGD: StackedSGD,
    Adam: StackedAdam,
    AdamW: StackedAdam,
}
"""What does for many models what a class of torch does for one."""


def stacked(
    optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Parameter]], theta: Tensor
) -> StackedOptimizer:
    """The stacked optimizer that stands for ``optimizers``, all of one class; see `StackedOptimizer`."""
    return STACKED[type(optimizers[0])](optimizers, parameters, theta)
