"""What ten thousand candidates cost one by one: time for each in every thousand, and memory.

Measured
    A search over 10,000 candidates x 3 folds of an estimator that does nothing, ``n_jobs=1``: CPU and wall
    clock between the first fits of successive candidates, as the estimator itself notes them, in the mean
    of each thousand; memory of the process after 2,000 candidates and after all. With ``--storage`` all is
    written into a journal in a temporary file.
Run
    ``python benchmarks/scale.py``, ``python benchmarks/scale.py --storage --searches tpe``.
Predicted, and what came out
    See ``benchmarks/README.md``. Bar: the last thousand takes at most 1.3 times the second.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import RandomizedSearchCV

import _clocked
from skhpo import SearchCV, TPESearchCV

BAR = 1.3
N_FOLDS = 3
SPACE = {
    "a": uniform(),
    "b": loguniform(1e-3, 1e3),
    "c": uniform(),
    "n": randint(1, 101),
    "kind": list("pqr"),
}


def build(name: str, n: int, step: int, storage: str | None) -> Any:
    """The search of this name over n candidates, unfitted."""
    estimator = _clocked.Trivial(memory_at=N_FOLDS * step)
    common: dict[str, Any] = {"n_iter": n, "cv": N_FOLDS, "random_state": 0, "refit": False}
    if name == "RandomizedSearchCV":
        return RandomizedSearchCV(estimator, SPACE, **common)
    if storage is not None:
        common["storage"] = storage
    if name == "random":
        return SearchCV(estimator, SPACE, sampler="random", **common)
    return TPESearchCV(estimator, SPACE, **common)


def measure(name: str, n: int, step: int, storage: str | None) -> None:
    """Run one search and print its row for every step."""
    for notes in (_clocked.CPU, _clocked.WALL, _clocked.MEMORY):
        del notes[:]
    before = _clocked.resident_memory()
    build(name, n, step, storage).fit(np.arange(60.0).reshape(30, 2), np.arange(30) % 2)
    # What follows the last fit is no candidate's, so that the last step is one candidate short.
    cpu, wall = (
        np.array([1e3 * np.diff(part[::N_FOLDS]).mean() for part in _parts(clock, N_FOLDS * step)])
        for clock in (_clocked.CPU, _clocked.WALL)
    )
    memory = list(_clocked.MEMORY)
    print(f"\n{name}{'' if storage is None else ', with a journal'}")
    print(f"  {'candidates':>10} {'CPU ms':>8} {'wall ms':>8} {'memory MB':>10}   (for one candidate)")
    for i in range(len(cpu)):
        print(f"  {(i + 1) * step:>10} {cpu[i]:>8.2f} {wall[i]:>8.2f} {memory[i]:>10.1f}")
    for clock, times in (("CPU", cpu), ("wall clock", wall)):
        ratio = times[-1] / times[1]
        print(f"  last / second, {clock}: {ratio:.2f}  bar {BAR}: {'ok' if ratio <= BAR else 'MISSED'}")
    grown = 1024 * (memory[-1] - memory[1]) / (n - 2 * step)
    print(
        f"  memory: {before:.1f} MB at first, {memory[1]:.1f} after {2 * step}, {memory[-1]:.1f} at the end:"
    )
    print(f"  {grown:.2f} kB for each candidate; {_clocked.resident_memory():.1f} MB with cv_results_")
    if storage is not None:
        size = sum(path.stat().st_size for path in Path(storage).parent.iterdir()) / n / 1024
        print(f"  journal: {size:.2f} kB for each candidate")


def _parts(clock: Any, size: int) -> list[np.ndarray]:
    """Stretches of a clock, each up to the first reading of the next."""
    times = np.array(clock)
    return [times[start : start + size + 1] for start in range(0, len(times), size)]


def main() -> None:
    """Run the searches one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = ["random", "tpe", "RandomizedSearchCV"]
    parser.add_argument("--searches", nargs="+", choices=names, default=names, metavar="SEARCH")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--step", type=int, default=1000)
    parser.add_argument("--storage", action="store_true", help="write a journal, in a temporary file")
    arguments = parser.parse_args()
    if arguments.candidates % arguments.step or arguments.candidates < 3 * arguments.step:
        parser.error("--candidates must be a multiple of --step, and three times as many")
    for name in arguments.searches:
        with tempfile.TemporaryDirectory() as folder:
            own = arguments.storage and name != "RandomizedSearchCV"
            storage = str(Path(folder, "search.db")) if own else None
            measure(name, arguments.candidates, arguments.step, storage)


if __name__ == "__main__":
    main()
