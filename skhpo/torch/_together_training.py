"""The loop over epochs and batches of nets that are trained together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skhpo.torch import _together_history as history
from skhpo.torch._optimizers import StackedOptimizer, stacked
from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_generators import Generators, seeded
from skhpo.torch._together_members import Member
from skhpo.torch._together_rows import Batches, Order, Pool, memory
from skhpo.torch._together_stack import Stack, reasons

CHUNK = 4
"""Batches that are taken at once in evaluation mode: without gradients they need little memory."""


@dataclass(frozen=True, eq=False)
class _Fold:
    """What members with the same rows have in common.

    Attributes
    ----------
    X, y : arrays, tensors or None
        Of the members' own rows.
    train, valid : array of int
        Positions among these; None for no validation set.
    datasets : dict
        As skorch hands them to callbacks.
    """

    X: Any
    y: Any
    train: Any
    valid: Any
    datasets: dict[str, Any]

    @classmethod
    def of(cls, member: Member) -> _Fold:
        """The fold of a member."""
        X, y = member.own()
        dataset = member.net.get_dataset(X, y)
        positions = np.arange(member.n_rows)
        if not member.net.train_split:
            return cls(X, y, positions, None, {"dataset_train": dataset, "dataset_valid": None})
        split = member.net.train_split
        train, valid = split(dataset) if y is None else split(dataset, y)
        datasets = {"dataset_train": train, "dataset_valid": valid}
        return cls(X, y, np.asarray(train.indices), np.asarray(valid.indices), datasets)


class Training:
    """A stretch of epochs of K nets.

    Parameters
    ----------
    members : sequence of K members, whose nets are initialised
    generators : sequence of K Generators
    device : torch device
    """

    def __init__(
        self, members: Sequence[Member], generators: Sequence[Generators], device: torch.device
    ) -> None:
        self.members, self.generators, self.device = members, generators, device
        self.nets = [member.net for member in members]
        self.folds: list[_Fold] = []
        self.pool = Pool(device)
        known: dict[Any, _Fold] = {}
        train, valid = [], []
        for member in members:
            rows = np.arange(len(member.X)) if member.rows is None else np.asarray(member.rows)
            key = (memory(member.X), memory(member.y), rows.tobytes())
            fold = known[key] = known.get(key) or _Fold.of(member)
            member.net.check_data(fold.X, fold.y)
            rows = rows + self.pool.add(member.X, member.y)
            train.append(torch.from_numpy(rows[fold.train]))
            valid.append(None if fold.valid is None else torch.from_numpy(rows[fold.valid]))
            self.folds.append(fold)
        self.pool.seal()
        self._refuse_ignored()
        self.train = self._batches(train, training=True)
        self.valid = None if valid[0] is None else self._batches(valid, training=False)
        with reasons():
            self.stack = Stack(self.nets)

    def run(self, n_epochs: int) -> None:
        """Train, and leave the nets as if each had been trained alone."""
        own = [generators.cpu for generators in self.generators]
        # What is drawn for a trial is drawn again: of generators that are thrown away.
        spare = [torch.Generator().manual_seed(0) for _ in own]
        self.stack.probe(*self.pool.batch(self.train.index(spare)[0]), self.device)
        self.stack.flatten()
        optimizer = stacked([net.optimizer_ for net in self.nets], self.stack.parameters(), self.stack.theta)
        drawn = [g.draw_seed() for g, drops in zip(self.generators, self.stack.drops, strict=True) if drops]
        for member, fold in zip(self.members, self.folds, strict=True):
            if member.begins:
                history.begin_training(member.net, fold.X, fold.y)
        with seeded(drawn[0] if drawn else 0, self.device):
            for _ in range(n_epochs):
                for net, fold in zip(self.nets, self.folds, strict=True):
                    history.begin_epoch(net, fold.datasets)
                self._record("train", self.train, self._train(optimizer, self.train.index(own)))
                seen: list[Any] = [None] * len(self.nets)
                if self.valid is not None:
                    losses, seen = self._validate(self.valid, self.valid.index(own))
                    self._record("valid", self.valid, losses)
                for net, fold, pair in zip(self.nets, self.folds, seen, strict=True):
                    history.end_epoch(net, fold.datasets, pair)
        self.stack.write_back()
        optimizer.write_back()
        for net, fold in zip(self.nets, self.folds, strict=True):
            history.end_training(net, fold.X, fold.y)

    def _batches(self, rows: Sequence[Any], training: bool) -> Batches:
        orders = [Order.of(net, len(own), training) for net, own in zip(self.nets, rows, strict=True)]
        if len({order.size for order in orders}) > 1 and any(order.n_batches > 1 for order in orders):
            raise CannotTogether("they have batches of different sizes")
        if min(order.n_batches for order in orders) == 0:
            raise CannotTogether("one of them has not enough rows for a batch")
        return Batches(rows, orders, self.device)

    def _refuse_ignored(self) -> None:
        """Refuse targets that the criterion leaves out: the others then count more in the mean."""
        ignored = getattr(self.nets[0].criterion_, "ignore_index", None)
        if ignored is not None and bool((self.pool.y == ignored).any()):
            raise CannotTogether(f"targets that are the criterion's ignore_index={ignored}")

    def _train(self, optimizer: StackedOptimizer, index: Tensor) -> Tensor:
        """Train for one epoch; returns the losses (S, K)."""
        optimizer.schedule(self.train.takes)
        dtype = self.stack.theta.dtype
        losses = []
        for s in range(self.train.n_batches):
            weights = self.train.weights(dtype)[s] if s in self.train.ragged else None
            loss, grad = self.stack.differentiate(*self.pool.batch(index[s]), weights)
            optimizer.step(s, grad)
            losses.append(loss)
        return torch.stack(losses)

    def _validate(self, batches: Batches, index: Tensor) -> tuple[Tensor, list[Any]]:
        """Losses (S, K) on the validation sets, and outputs and targets of each net where a callback asks."""
        losses, outputs, targets = [], [], []
        collects = any(map(history.scores_outputs, self.nets))
        for part in index.split(CHUNK):
            X, y = self.pool.batch(part.transpose(0, 1).flatten(1))
            rows, output = self.stack.validate(X, y)
            losses.append(rows.unflatten(1, (len(part), batches.size)).transpose(0, 1))
            if collects:
                outputs.append(output)
                targets.append(y)
        means = batches.means(torch.cat(losses))
        if not collects:
            return means, [None] * len(self.nets)
        seen = [order.n_seen for order in batches.orders]
        y = torch.cat(targets, dim=1).cpu()
        return means, [(own, y[k, : seen[k]]) for k, own in enumerate(unstacked(outputs, seen))]

    def _record(self, prefix: str, batches: Batches, losses: Tensor) -> None:
        for net, own, counts in zip(self.nets, losses.T.tolist(), batches.counts.T, strict=True):
            history.record_batches(net, prefix, own, counts)


def unstacked(chunks: Sequence[Any], n: Sequence[int]) -> list[Any]:
    """Outputs (n_k, ...) of each net, from chunks of outputs (K, rows, ...) of all."""
    if isinstance(chunks[0], tuple):
        parts = [unstacked(part, n) for part in zip(*chunks, strict=True)]
        return list(zip(*parts, strict=True))
    whole = torch.cat([*chunks], dim=1)
    return [whole[k, :rows].clone() for k, rows in enumerate(n)]
