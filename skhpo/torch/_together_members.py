"""Nets that are to be trained together, with their data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(eq=False)
class Member:
    """A net to be trained with others.

    Attributes
    ----------
    net : NeuralNet
        With all its parameters set: not initialised, to begin, or as an earlier stretch of training left it.
    X : array or tensor (n_all, ...)
    y : array, tensor, Series or None
        Memory that members share is sent to the device once.
    epochs : int
        Length to reach, counted from the beginning; becomes the net's ``max_epochs``.
    start : int or pair of arrays
        A seed, to begin; else the states that the last stretch returned.
    rows : array of int (n,), optional
        Which rows of X and y are this net's, as a fold's; None for all.
    """

    net: Any
    X: Any
    y: Any
    epochs: int
    start: int | tuple[np.ndarray, np.ndarray | None]
    rows: np.ndarray | None = None

    @property
    def begins(self) -> bool:
        """Whether this is the net's first stretch."""
        return isinstance(self.start, int | np.integer)

    @property
    def n_rows(self) -> int:
        """Rows of this net, before those of validation are taken off."""
        return len(self.X) if self.rows is None else len(self.rows)

    @property
    def n_epochs(self) -> int:
        """Epochs that are missing."""
        return self.epochs if self.begins else max(self.epochs - self.net.max_epochs, 0)

    def own(self) -> tuple[Any, Any]:
        """X and y of this net's rows alone."""
        if self.rows is None:
            return self.X, self.y
        return self.X[self.rows], None if self.y is None else self.y[self.rows]
