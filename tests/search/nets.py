"""Nets for the tests of searches on devices: small, and failing where they are told to."""

import os
from pathlib import Path

import skorch
import torch


class Perceptron(torch.nn.Module):
    """Runs out of memory, or spoils its device, as often as there are bytes in a file.

    In training, or with ``late`` where it predicts.
    """

    def __init__(self, width=4, trouble=None, error="memory", late=False):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(width, 3)
        )
        self.trouble, self.error, self.late = trouble, error, late

    def forward(self, X):
        is_time = self.trouble is not None and self.training != self.late
        if is_time and (left := take_one(self.trouble)):
            raise ERRORS[self.error](left)
        return self.layers(X)


ERRORS = {
    "memory": lambda left: torch.OutOfMemoryError(f"CUDA out of memory. {left} to come."),
    "device": lambda left: RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    "context": lambda left: RuntimeError("CUDA error: device-side assert triggered"),
}


def take_one(path):
    """One of the troubles in a file; 0 when there is none left."""
    file = Path(path)
    left = len(file.read_bytes())
    if left:
        os.truncate(path, left - 1)
    return left


def net(**options):
    defaults = {"max_epochs": 2, "lr": 0.1, "batch_size": 32, "verbose": 0, "train_split": None}
    defaults |= {"module": Perceptron, "criterion": torch.nn.CrossEntropyLoss}
    return skorch.NeuralNetClassifier(**{**defaults, **options})


def where(model, X, y):
    """The number of the device that a net is on, by its parameter and by its weights."""
    (of_weights,) = {str(weight.device) for weight in model.module_.parameters()}
    # The processor is one device for torch, whatever number is asked for.
    assert of_weights.split(":")[0] == model.device.split(":")[0]
    return float(model.device.partition(":")[2] or -1)
