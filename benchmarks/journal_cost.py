"""What a journal costs a search: the time with ``storage`` over the time without.

Measured
    Wall clock of ``fit`` with an estimator that takes 20 ms (and one that takes none), one process, random
    candidates on three folds. Both searches take turns; the ratio of each pair, its median and range.
Run
    ``python benchmarks/journal_cost.py``
Predicted, and what came out
    See ``benchmarks/README.md``. Bar: 1.10 at 20 ms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skhpo import SearchCV

BAR = 1.10


class Sleeper(ClassifierMixin, BaseEstimator):
    """Takes so many seconds to fit, and learns nothing."""

    def __init__(self, x: float = 0.0, seconds: float = 0.0) -> None:
        self.x = x
        self.seconds = seconds

    def fit(self, X: np.ndarray, y: np.ndarray) -> Sleeper:
        self.classes_ = np.unique(y)
        time.sleep(self.seconds)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full(len(X), self.classes_[0])


def seconds_of(storage: Path | None, length: float, n_candidates: int, seed: int) -> float:
    """Wall clock of a search."""
    rng = np.random.default_rng(seed)
    X, y = rng.random((300, 5)), np.arange(300) % 2
    search = SearchCV(
        Sleeper(seconds=length),
        {"x": (0.0, 1.0)},
        sampler="random",
        n_iter=n_candidates,
        cv=3,
        refit=False,
        random_state=seed,
        storage=storage,
    )
    start = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - start


def main() -> None:
    """Print the ratios for both lengths of a fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for length in (0.02, 0.0):
        pairs = []
        for seed in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                without = seconds_of(None, length, arguments.candidates, seed)
                with_journal = seconds_of(Path(folder, "search.db"), length, arguments.candidates, seed)
            pairs.append((without, with_journal))
        ratios = [b / a for a, b in pairs]
        each = 1e3 * np.median([b - a for a, b in pairs]) / (3 * arguments.candidates)
        middle = np.median(ratios)
        bar = f"  bar {BAR}: {'ok' if middle <= BAR else 'MISSED'}" if length else ""
        print(
            f"{1e3 * length:3.0f} ms a fit: ratio {middle:.3f} "
            f"(from {min(ratios):.3f} to {max(ratios):.3f}), {each:.3f} ms a task{bar}"
        )


if __name__ == "__main__":
    main()
