"""Nested subsamples of the training folds, for models whose budget is the number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.multiclass import type_of_target


class NestedSubsamples:
    """For each fold an order of its training samples, of which subsamples are the beginnings.

    A larger subsample holds every smaller one, so that a promoted candidate sees more and nothing
    else. Of a classifier's target every beginning has the classes in their proportions, to
    one sample each, and each class from the start.

    Parameters
    ----------
    splits : sequence of (train, test)
        Indices of each fold.
    y : array-like or None
        Target to stratify by; None leaves all to chance.
    seed : int
    """

    def __init__(self, splits: Sequence[tuple[Any, Any]], y: Any, seed: int) -> None:
        self._orders = [
            _order(_indices(train), y, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(fold,))))
            for fold, (train, _) in enumerate(splits)
        ]
        self._cut: dict[tuple[int, int], np.ndarray] = {}

    def at(self, fold: int, numerator: int, denominator: int) -> np.ndarray:
        """Training indices of a fold's subsample of numerator / denominator, in ascending order.

        Always the same object, and never less than one sample. Ascending, because the order of samples means
        something to some estimators (time series), and the order of a subsample nothing to any.
        """
        order = self._orders[fold]
        key = fold, max(1, len(order) * numerator // denominator)
        if key not in self._cut:
            self._cut[key] = np.sort(order[: key[1]])
        return self._cut[key]


def _indices(train: Any) -> np.ndarray:
    train = np.asarray(train)
    return np.flatnonzero(train) if train.dtype == bool else train


def _order(train: np.ndarray, y: Any, rng: np.random.Generator) -> np.ndarray:
    shuffled = rng.permutation(train)
    if y is None or type_of_target(y) not in ("binary", "multiclass"):
        return shuffled
    labels = np.unique(np.asarray(y), return_inverse=True)[1].reshape(-1)[shuffled]
    # The j-th sample of a class of m stands at j / m: the first ones all at 0.
    place = np.empty(len(train))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members] = np.arange(len(members)) / len(members)
    return shuffled[np.argsort(place, kind="stable")]
