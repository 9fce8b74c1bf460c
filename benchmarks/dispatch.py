"""What it costs to hand a task with 64 MB of data to a process and to get its result back.

Measured
    A search on two processes of loky over X of 64 MB, with an estimator that does nothing and folds of
    twenty rows, so that no time goes into cutting X. After the first tasks, which carry X over: wall clock
    from the begin of one task to the begin of the next, times the number of processes, less the mean time
    in ``fit``. Beside it ``joblib.Parallel`` with the same estimator, data and folds, without batches, and
    ``RandomizedSearchCV``. Medians over rounds, in which they take turns.
Run
    ``python benchmarks/dispatch.py``
Predicted, and what came out
    See ``benchmarks/README.md``. Bar: 3 ms for each task.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import parallel_config
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.model_selection import RandomizedSearchCV
from sklearn.utils.parallel import Parallel, delayed

import _clocked
from skhpo import SearchCV, TPESearchCV

BAR_MS = 3.0
N_FOLDS = 5
N_WARM = 25
SPACE = {"a": uniform()}
FOLDS = [(np.arange(20 * k, 20 * k + 10), np.arange(20 * k + 10, 20 * k + 20)) for k in range(N_FOLDS)]


def _task(estimator: Any, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    return clone(estimator).fit(X[train], y[train]).score(X[test], y[test])


def _joblib(n: int, n_jobs: int, seed: int, folder: str, X: np.ndarray, y: np.ndarray) -> None:
    places = uniform().rvs(n, random_state=seed)
    Parallel(n_jobs=n_jobs, batch_size=1)(
        delayed(_task)(_clocked.Noted(a, folder), X, y, train, test) for a in places for train, test in FOLDS
    )


def _search(kind: Any, **options: Any) -> Callable[..., None]:
    def run(n: int, n_jobs: int, seed: int, folder: str, X: np.ndarray, y: np.ndarray) -> None:
        common = {"n_iter": n, "cv": FOLDS, "n_jobs": n_jobs, "random_state": seed, "refit": False}
        kind(_clocked.Noted(folder=folder), SPACE, **common, **options).fit(X, y)

    return run


RUNNERS: dict[str, Callable[..., None]] = {
    "joblib.Parallel": _joblib,
    "RandomizedSearchCV": _search(RandomizedSearchCV),
    "random": _search(SearchCV, sampler="random"),
    "tpe": _search(TPESearchCV),
}


def main() -> None:
    """Run all in turns and print milliseconds for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=80, help=f"with {N_FOLDS} tasks each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=64)
    arguments = parser.parse_args()
    X = np.random.default_rng(0).random((1000 * arguments.megabytes, 125))
    y = np.arange(len(X)) % 2
    cost: dict[str, list[float]] = {name: [] for name in RUNNERS}
    with parallel_config(backend="loky"):
        for seed in range(arguments.rounds + 1):
            for name, run in RUNNERS.items():
                with tempfile.TemporaryDirectory() as folder:
                    run(arguments.candidates, arguments.workers, seed, folder, X, y)
                    times, _ = _clocked.read_notes(folder)
                times = times[N_WARM:]
                each = (times[-1, 0] - times[0, 0]) / (len(times) - 1)
                inside = (times[:, 1] - times[:, 0]).mean()
                if seed > 0:  # the first round starts the workers
                    cost[name].append(1e3 * (arguments.workers * each - inside))
    print(
        f"X of {X.nbytes / 1e6:.0f} MB, {arguments.workers} processes, {arguments.rounds} rounds; ms a task"
    )
    base = np.median(cost["joblib.Parallel"])
    for name, values in cost.items():
        middle = np.median(values)
        bar = f"  bar {BAR_MS}: {'ok' if middle <= BAR_MS else 'MISSED'}" if name in ("random", "tpe") else ""
        print(
            f"{name:<20}{middle:7.2f}  (from {min(values):.2f} to {max(values):.2f})  "
            f"ratio {middle / base:.2f}{bar}"
        )


if __name__ == "__main__":
    main()
