"""Which rows nets that are trained together see, and in which order: those of each alone.

Data that members share, or different folds of, lie on the device once; batches are gathered there.

======= ============= ====================================================================
symbol  shape         meaning
======= ============= ====================================================================
K, S, B               nets, batches of an epoch, rows of a batch
index   (S, K, B)     rows of the pool that are each net's batches, padded
counts  (S, K)        how many of each batch are rows of the net and no padding
======= ============= ====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch.utils import to_device
from torch import Tensor

from skhpo.torch._together_errors import CannotTogether


class Pool:
    """Data of several nets, each array once.

    Parameters
    ----------
    device : torch device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._offsets: dict[tuple[Any, ...], int] = {}
        self._parts: list[tuple[Tensor, Tensor]] = []
        self._length = 0
        self._kept: list[Any] = []

    def add(self, X: Any, y: Any) -> int:
        """Put data in, unless they are there; returns the row of the pool where they begin."""
        key = (memory(X), memory(y))
        if key not in self._offsets:
            self._offsets[key] = self._length
            # For no targets skorch's dataset has zeros.
            self._parts.append((_tensor(X), torch.zeros(len(X), 1) if y is None else _tensor(y)))
            self._length += len(X)
            # An array that is collected would leave its place in memory to another one.
            self._kept.append((X, y))
        return self._offsets[key]

    def seal(self) -> None:
        """Send everything to the device."""
        X, y = (_concatenated(parts) for parts in zip(*self._parts, strict=True))
        self.X, self.y = to_device(X, self.device), to_device(y, self.device)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of X and of y, in the shape of ``index``."""
        return self.X[index], self.y[index]


def memory(array: Any) -> tuple[Any, ...]:
    """Where an array's values lie; views of the same values are the same."""
    if isinstance(array, np.ndarray):
        interface = array.__array_interface__
        return interface["data"][0], array.shape, array.strides, array.dtype.str
    if isinstance(array, Tensor):
        return array.data_ptr(), tuple(array.shape), array.stride(), str(array.dtype), str(array.device)
    return (id(array),)


def _tensor(array: Any) -> Tensor:
    """Tensor of the type that the loader makes, in the array's own memory unless that cannot be written."""
    is_shared = isinstance(array, Tensor) or array.flags.writeable
    return torch.as_tensor(array) if is_shared else torch.tensor(array)


def _concatenated(parts: Sequence[Tensor]) -> Tensor:
    try:
        return parts[0] if len(parts) == 1 else torch.cat([*parts])
    except RuntimeError as error:
        raise CannotTogether(f"data of different shapes or places: {error}") from error


@dataclass(frozen=True)
class Order:
    """How an iterator goes through ``n`` rows, and what it draws from torch's generator for this.

    Attributes
    ----------
    n : int
    size : int
        Rows of a batch.
    shuffles, drops_last : bool
    """

    n: int
    size: int
    shuffles: bool
    drops_last: bool

    @classmethod
    def of(cls, net: Any, n: int, training: bool) -> Order:
        """The order of a net's iterator."""
        prefix = "iterator_train" if training else "iterator_valid"
        options = {"batch_size": net.batch_size, **net.get_params_for(prefix)}
        size = n if options["batch_size"] == -1 else int(options["batch_size"])
        return cls(n, size, bool(options.get("shuffle")), bool(options.get("drop_last")))

    @property
    def n_batches(self) -> int:
        """Batches of one pass."""
        return self.n // self.size if self.drops_last else -(-self.n // self.size)

    @property
    def n_seen(self) -> int:
        """Rows of one pass."""
        return min(self.n, self.n_batches * self.size)

    def draw(self, generator: torch.Generator) -> Tensor | None:
        """Positions of one pass; None where they are those of the data."""
        _seed(generator)  # That of a loader's worker processes, drawn even where there are none.
        if not self.shuffles:
            return None
        own = torch.Generator().manual_seed(_seed(generator))
        return torch.randperm(self.n, generator=own)


def _seed(generator: torch.Generator) -> int:
    """What torch's loaders and samplers draw from the generator of the process."""
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


class Batches:
    """Batches of several nets, side by side; a net with fewer rows is padded with rows of the same batch.

    Parameters
    ----------
    rows : sequence of K tensors (n_k,)
        Rows of the pool that each net sees.
    orders : sequence of K orders
    device : torch device
    """

    def __init__(self, rows: Sequence[Tensor], orders: Sequence[Order], device: torch.device) -> None:
        self.rows, self.orders, self.device = rows, orders, device
        self.size = max(order.size for order in orders)
        self.n_batches = max(order.n_batches for order in orders)
        seen = np.array([order.n_seen for order in orders])
        start = np.arange(self.n_batches)[:, None] * self.size
        self.counts = np.clip(seen - start, 0, self.size)
        self.takes = self.counts > 0
        self._fixed: Tensor | None = None
        self._weights: Tensor | None = None
        self.ragged = set(np.flatnonzero((self.counts < self.size).any(axis=1)).tolist())

    def index(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Rows (S, K, B) of one pass, which draws from the nets' generators."""
        positions = [order.draw(g) for order, g in zip(self.orders, generators, strict=True)]
        if all(position is None for position in positions):
            if self._fixed is None:
                self._fixed = self._table(positions)
            return self._fixed
        return self._table(positions)

    def _table(self, positions: Sequence[Tensor | None]) -> Tensor:
        table = torch.empty(len(self.rows), self.n_batches * self.size, dtype=torch.int64)
        for k, (order, position) in enumerate(zip(self.orders, positions, strict=True)):
            rows = (self.rows[k] if position is None else self.rows[k][position])[: order.n_seen]
            table[k, : len(rows)] = rows
            begun = len(rows) // self.size * self.size
            # Of the net's own batch: a row that makes a loss infinite does so in its own batch only.
            table[k, len(rows) :] = rows[begun] if begun < len(rows) else rows[0]
        table = table.reshape(len(self.rows), self.n_batches, self.size).transpose(0, 1).contiguous()
        return table.to(self.device, non_blocking=True)

    def weights(self, dtype: torch.dtype) -> Tensor:
        """What each row counts in the mean of its batch, (S, K, B): zero for padding."""
        if self._weights is None or self._weights.dtype != dtype:
            counts = torch.from_numpy(self.counts).unsqueeze(-1)
            weights = (torch.arange(self.size) < counts).double() / counts.clamp(min=1)
            self._weights = weights.to(self.device, dtype)
        return self._weights

    def means(self, losses: Tensor) -> Tensor:
        """Mean loss (S, K) of each batch from the losses (S, K, B) of the rows."""
        weights = self.weights(losses.dtype)
        return torch.where(weights > 0, losses * weights, 0.0).sum(-1)
