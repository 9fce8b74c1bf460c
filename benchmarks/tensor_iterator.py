"""Epochs of a skorch net with torch's loader, with ``TensorIterator``, and of a bare loop of PyTorch.

Measured
    A net of 64-64-64-2 on 64 columns of float32, batches of 256, shuffled, SGD with momentum, no
    validation, no callbacks. On the CPU 20,000 rows and CPU seconds of an epoch, one thread. On CUDA
    60,000 rows, 20 epochs and wall-clock seconds of an epoch, the device waited for at its end. The first
    epoch, in which data are moved, kernels chosen and half of torch imported, is left out. All take
    turns; the median of the rounds, and the median and range of the ratio to the loader in the same
    round. The bare loop has its data on the device, indexes by a permutation, and asks for each loss, as
    skorch does. It is the bound of what an iterator can give. "Batches alone" are iterators without a net.
Run
    ``make bench-iterator``, ``make bench-iterator ARGS="--device cuda"``; ``--profile`` prints where an
    epoch with ``TensorIterator`` spends its time.
Predicted, and what came out
    Bars: 6 times the epochs of the loader on one CPU core, 10 times on a GPU. See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.utils import to_device
from torch.utils.data import DataLoader

from _net import Net
from skhpo.torch import TensorIterator

BARS = {"cpu": 6.0, "cuda": 10.0}
N_SAMPLES = {"cpu": 20_000, "cuda": 60_000}
N_EPOCHS = {"cpu": 4, "cuda": 20}
N_FEATURES, BATCH_SIZE = 64, 256
OPTIMIZER = {"lr": 0.05, "momentum": 0.9}


def clock(device: str) -> float:
    """Seconds, of this process on the CPU and of the world where a device has its own."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


class Clock(Callback):
    """Time at the end of each epoch."""

    def __init__(self, device: str) -> None:
        self.device = device

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.ends: list[float] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.ends.append(clock(self.device))


def with_skorch(iterator: type, device: str, X: np.ndarray, y: np.ndarray, n_epochs: int) -> list[float]:
    """Ends of epochs."""
    # Torch's loader has no device: skorch moves each of its batches.
    options = {"iterator_train__device": device} if iterator is TensorIterator else {}
    net = NeuralNetClassifier(
        Net,
        module__n_features=N_FEATURES,
        module__width=64,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=OPTIMIZER["momentum"],
        lr=OPTIMIZER["lr"],
        batch_size=BATCH_SIZE,
        max_epochs=n_epochs,
        iterator_train=iterator,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("clock", Clock(device))],
        callbacks__print_log=None,
        callbacks__valid_acc=None,
        callbacks__valid_loss=None,
        device=device,
        verbose=0,
        **options,
    )
    net.fit(X, y)
    return dict(net.callbacks_)["clock"].ends


def bare(device: str, X: np.ndarray, y: np.ndarray, n_epochs: int) -> list[float]:
    """Ends of epochs."""
    inputs, targets = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    module = Net(N_FEATURES, width=64).to(device)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), **OPTIMIZER)
    ends = []
    for _ in range(n_epochs):
        total = 0.0
        for rows in torch.randperm(len(X)).to(device).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = criterion(module(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.item()
        ends.append(clock(device))
    return ends


def batches(iterator: type, device: str, X: np.ndarray, y: np.ndarray, n_epochs: int) -> list[float]:
    """Ends of epochs in which nothing is done with a batch than to have it on the device."""
    options = {"device": device} if iterator is TensorIterator else {}
    loader = iterator(Dataset(X, y), batch_size=BATCH_SIZE, shuffle=True, **options)
    ends = []
    for _ in range(n_epochs):
        for batch in loader:
            to_device(batch, device)
        ends.append(clock(device))
    return ends


def seconds_of(ends: list[float]) -> float:
    """Of an epoch, after the first."""
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def main() -> None:
    """Print the seconds of an epoch and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        print("no GPU: skipped")
        return
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES[device], N_FEATURES), dtype=np.float32)
    y = (X[:, :8].sum(axis=1) > 0).astype(np.int64)
    n_epochs = N_EPOCHS[device] + 1
    ways: dict[str, Callable[[], list[float]]] = {
        "DataLoader": lambda: with_skorch(DataLoader, device, X, y, n_epochs),
        "TensorIterator": lambda: with_skorch(TensorIterator, device, X, y, n_epochs),
        "bare PyTorch": lambda: bare(device, X, y, n_epochs),
        "batches alone, DataLoader": lambda: batches(DataLoader, device, X, y, n_epochs),
        "batches alone, TensorIterator": lambda: batches(TensorIterator, device, X, y, n_epochs),
    }
    if arguments.profile:
        ways["TensorIterator"]()  # Torch imports half of itself when an optimizer is first used.
        with cProfile.Profile() as profile:
            ways["TensorIterator"]()
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, run in ways.items():
            seconds[name].append(seconds_of(run()))
    place = torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"
    print(f"{place}: {len(X):,} x {N_FEATURES}, batches of {BATCH_SIZE}, {arguments.rounds} rounds")
    for name, each in seconds.items():
        peer = "batches alone, DataLoader" if name.startswith("batches") else "DataLoader"
        ratios = np.array(seconds[peer]) / np.array(each)
        print(
            f"{name:<31}{1e3 * np.median(each):8.1f} ms an epoch, {np.median(ratios):6.2f} times as many "
            f"epochs (from {ratios.min():.2f} to {ratios.max():.2f})"
        )
    loader, ours, bound = (np.array(each) for each in list(seconds.values())[:3])
    share = np.median((loader - ours) / (loader - bound))
    print(f"of what the loader costs beside the bare loop, {share:.0%} is saved")
    ratio = np.median(loader / ours)
    print(f"bar {BARS[device]:g}: {'MET' if ratio >= BARS[device] else 'MISSED'}")


if __name__ == "__main__":
    main()
