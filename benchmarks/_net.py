"""A small network, in a file of its own because it imports torch."""

from __future__ import annotations

import torch
from torch import nn


class Net(nn.Module):
    """Linear layers with dropout between them.

    Parameters
    ----------
    n_features, n_classes : int
    width, depth : int
        Size and number of the hidden layers.
    dropout : float
    """

    def __init__(
        self, n_features: int = 20, n_classes: int = 2, width: int = 64, depth: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(width if i else n_features, width), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_classes) of each class."""
        return self.layers(X)
