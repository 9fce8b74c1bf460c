"""Several tasks at a time on one GPU against one, what a search leaves in its memory, and errors put in.

Measured
    A search of 48 skorch MLPs (64-64) on 60,000 x 64 float32, batch 256, in loky: the wall clock
    with one slot on a card over that with four, the start of the processes included in both. Memory in use on
    the card (as the driver counts it, all processes) before and after a search of 200 short trials, in
    processes and in this one. A tenth of the trials, chosen by the seed, raise CUDA's out-of-memory error in
    every attempt: exactly those must have failed.
Run
    ``python benchmarks/device_slots.py``; on a machine without a GPU it says so and ends. ``--device cpu``
    runs the same on the processor, small, where the bars mean nothing.
Bars
    Four slots at least twice as fast as one; memory back within 50 MB; the failed trials exactly those.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from skorch import NeuralNetClassifier

from _net import Net
from skhpo import SearchCV

MB = 2**20
SPACE = {"lr": (1e-3, 1e-1, "log-uniform"), "module__dropout": (0.0, 0.5)}


class SometimesFull(Net):
    """A net that finds the memory full if it is told to."""

    def __init__(self, *, is_full: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.is_full = is_full

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """As of the net."""
        if self.is_full:
            raise torch.OutOfMemoryError("CUDA out of memory. Put in by the benchmark.")
        return super().forward(X)


def make_data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, told apart by half of 64 columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 64), dtype=np.float32)
    return X, (X[:, :32].sum(axis=1) + rng.standard_normal(n) > 0).astype(np.int64)


def make_search(device: str, n_slots: int, n_iter: int, n_epochs: int, **options: Any) -> SearchCV:
    """A random search on one fold."""
    net = NeuralNetClassifier(
        options.pop("module", Net),
        criterion=torch.nn.CrossEntropyLoss,
        module__n_features=64,
        max_epochs=n_epochs,
        batch_size=256,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    space = options.pop("space", SPACE)
    return SearchCV(
        net,
        space,
        sampler="random",
        n_iter=n_iter,
        refit=False,
        random_state=0,
        devices={device: n_slots},
        **options,
    )


def used(device: str) -> int:
    """Bytes in use on a device, whoever uses them."""
    if not device.startswith("cuda"):
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def say(what: str, value: str, is_met: bool, *, counts: bool) -> None:
    """A line with its bar."""
    print(f"{what:<58}{value:>12}  {('met' if is_met else 'MISSED') if counts else ''}", flush=True)


def measure_slots(
    device: str, X: np.ndarray, y: np.ndarray, n_iter: int, n_epochs: int, repeats: int
) -> None:
    """Wall clock with one slot over that with four."""
    split = [(np.arange(len(X) * 5 // 6), np.arange(len(X) * 5 // 6, len(X)))]
    ratios = []
    for _ in range(repeats):
        seconds = {}
        for n in (1, 4):
            # The processes end with each search that used a GPU, so that their start is a part of both.
            search = make_search(device, n, n_iter, n_epochs, cv=split, n_jobs=n)
            with parallel_config("loky"):
                start = time.perf_counter()
                search.fit(X, y)
                seconds[n] = time.perf_counter() - start
        ratios.append(seconds[1] / seconds[4])
        print(f"one slot {seconds[1]:.1f} s, four slots {seconds[4]:.1f} s", flush=True)
    ratio = float(np.median(ratios))
    say("four slots over one, times as fast (bar 2)", f"{ratio:.2f}", ratio >= 2, counts=device != "cpu")


def measure_memory(device: str, X: np.ndarray, y: np.ndarray, n_iter: int) -> None:
    """Memory after a search of many trials, less that before it."""
    for name, n_jobs in (("in this process", None), ("in processes", 2)):
        if device.startswith("cuda"):
            torch.zeros(1, device=device)
        get_reusable_executor(kill_workers=True).shutdown(kill_workers=True)
        before = used(device)
        make_search(device, n_jobs or 1, n_iter, 1, cv=2, n_jobs=n_jobs).fit(X[:2000], y[:2000])
        more = (used(device) - before) / MB
        say(f"memory left {name}, MB (bar 50)", f"{more:.1f}", more <= 50, counts=device != "cpu")


def measure_faults(device: str, X: np.ndarray, y: np.ndarray, n_iter: int) -> None:
    """Which trials fail where a tenth of them finds the memory full."""
    space = [
        {**SPACE, "module__is_full": [False]},
        {"lr": [1e-2 * (1 + i) for i in range(n_iter // 10)], "module__is_full": [True]},
    ]
    search = make_search(device, 2, n_iter, 1, module=SometimesFull, space=space, cv=2, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X[:2000], y[:2000])
    results = search.cv_results_
    failed = np.isnan(results["mean_test_score"])
    told = np.array(results["param_module__is_full"], dtype=bool)
    is_exact = bool(np.array_equal(failed, told)) and told.any()
    say(f"trials failed / told to fail, of {n_iter}", f"{failed.sum()} / {told.sum()}", is_exact, counts=True)


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    device = arguments.device
    is_gpu = device.startswith("cuda")
    if is_gpu and not torch.cuda.is_available():
        print("no GPU: skipped")
        return
    print(torch.cuda.get_device_name(device) if is_gpu else "processor", "torch", torch.__version__)
    X, y = make_data(60_000 if is_gpu else 6_000)
    measure_slots(device, X, y, *((48, 10) if is_gpu else (4, 2)), arguments.repeats if is_gpu else 1)
    measure_memory(device, X, y, 200 if is_gpu else 20)
    measure_faults(device, X, y, 100 if is_gpu else 20)


if __name__ == "__main__":
    main()
