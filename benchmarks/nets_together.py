"""Trials per second of small nets that are trained together, against skorch training one after the other.

Each of 32 trials is a 64-64 perceptron with a learning rate, weight decay and seed of its own. "alone" is
skorch with torch's ``DataLoader``, "alone, tensors" with `skhpo.torch.TensorIterator`, "together" one batched
model. Alone, a few of the trials are trained and the rest is taken to last as long. The best of several
rounds counts, in which the three take turns.

The bar, 10 times the trials per second of skorch alone, is for a GPU: a CPU is as busy with one small net as
with many, and what it shows is printed for information only. Without a device ``--device cuda`` says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier

from _net import Net
from skhpo.torch import Member, TensorIterator, group, train_together

BAR = 10.0


def nets(args: argparse.Namespace, iterator: Any = None) -> list[NeuralNetClassifier]:
    """The trials' nets, not yet initialised."""
    rng = np.random.default_rng(0)
    iterators = {} if iterator is None else {"iterator_train": iterator, "iterator_valid": iterator}
    if iterator is TensorIterator:
        iterators.update(iterator_train__device=args.device, iterator_valid__device=args.device)
    return [
        NeuralNetClassifier(
            Net,
            module__n_features=args.features,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=float(10 ** rng.uniform(-4, -2)),
            optimizer__weight_decay=float(10 ** rng.uniform(-6, -3)),
            batch_size=256,
            max_epochs=args.epochs,
            iterator_train__shuffle=True,
            train_split=None,
            device=args.device,
            verbose=0,
            **iterators,
        )
        for _ in range(args.trials)
    ]


def rate(train: Callable[[], int], device: str) -> float:
    """Trials per second of a function that trains and returns how many; of CPU time where there is no GPU."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    trials = train()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return trials / (clock() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--alone", type=int, default=2, help="how many are trained alone in a round")
    parser.add_argument("--rows", type=int, help="60,000 on a GPU, 5,000 on a CPU")
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--epochs", type=int, help="20 on a GPU, 2 on a CPU")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    on_cpu = args.device == "cpu"
    torch.set_num_threads(1)
    if not on_cpu and not torch.cuda.is_available():
        print(f"no device {args.device} here; `--device cpu` shows figures for information")
        return
    args.rows = args.rows or (5_000 if on_cpu else 60_000)
    args.epochs = args.epochs or (2 if on_cpu else 20)

    rng = np.random.default_rng(1)
    X = rng.normal(size=(args.rows, args.features)).astype(np.float32)
    y = (X[:, :4].sum(axis=1) > 0).astype(np.int64)

    def alone(iterator: Any) -> Callable[[], int]:
        def train() -> int:
            chosen = nets(args, iterator)[: args.alone]
            for net in chosen:
                net.fit(X, y)
            return len(chosen)

        return train

    def together() -> int:
        members = [Member(net, X, y, args.epochs, seed) for seed, net in enumerate(nets(args))]
        (whole,) = group(members)
        train_together([members[k] for k in whole])
        return len(members)

    ways = {"alone": alone(None), "alone, tensors": alone(TensorIterator), "together": together}
    best = dict.fromkeys(ways, 0.0)
    for _ in range(args.rounds):
        for name, train in ways.items():
            best[name] = max(best[name], rate(train, args.device))
    machine = "one CPU core" if on_cpu else torch.cuda.get_device_name(args.device)
    print(f"{args.trials} trials, {args.rows} x {args.features}, {args.epochs} epochs, {machine}")
    for name, value in best.items():
        print(f"{name:15s} {value:8.3f} trials/s {value / best['alone']:6.1f} times alone")
    ratio = best["together"] / best["alone"]
    if not on_cpu:
        print(f"bar: {BAR:.0f} times, {'held' if ratio >= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
