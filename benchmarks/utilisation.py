"""How much of their time the workers of a search work, when tasks are of uneven length.

Measured
    Tasks sleep for log-normal times, sigma 1, in the mean 0.2 s, drawn by a hash of candidate and fold, so
    that all searches see one distribution; under a budget a task's time is in proportion to what it trains.
    Two and four processes of loky, started and warm. Utilisation is the time spent in ``fit`` over the
    number of workers times the wall clock from the begin of the first task to the end of the last. The tail
    is the time after the last task was handed out, in which workers have nothing left to do whatever the
    search does; its part in a longer search is less, and "to the tail" is the utilisation before it. Some 300
    tasks each; of scikit-optimize, with its barrier after every batch, 120.
Run
    ``python benchmarks/utilisation.py``, ``python benchmarks/utilisation.py --quick``.
Predicted, and what came out
    See ``benchmarks/README.md``. Bar: TPE, Hyperband and ASHA 0.95.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from joblib import parallel_config
from scipy.stats import uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.utils.parallel import Parallel, delayed

import _clocked
from skhpo import ASHASearchCV, HyperbandSearchCV, TPESearchCV

BAR = 0.95
MEAN = 0.2
N_FOLDS = 5
FULL = 27
SPACE = {"a": uniform(), "b": uniform()}
SKOPT_SPACE = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
X, Y = np.arange(60.0)[:, None], np.arange(60) % 2


@dataclass(frozen=True)
class Entry:
    """One search of the comparison.

    Attributes
    ----------
    kind : callable
        The search class.
    options : dict
    units, jobs : int
        What one fold trains in all and in how many tasks, from the tables of rungs; of ASHA about.
    has_bar : bool
    repeats : bool
        Whether it is run for all seeds, or for the first one only.
    """

    kind: Callable[..., Any]
    options: dict[str, Any]
    units: int = 1
    jobs: int = 1
    has_bar: bool = False
    repeats: bool = False


def entries(quick: bool) -> dict[str, Entry]:
    """All searches by name."""
    n = 15 if quick else 60
    lengths = {"resource": "length", "max_resources": 9 if quick else FULL, "factor": 3}
    halving = {**lengths, "min_resources": 1, "n_candidates": 9 if quick else 45}
    # By hand: brackets of 9 + 3 + 1, 5 + 1 and 3 train 21 + 21 + 27 units at R = 9; of 27 + 9 + 3 + 1,
    # 12 + 4 + 1, 6 + 2 and 4 at R = 27, 81 + 78 + 90 + 108. Halving trains survivors again. ASHA with n
    # candidates comes to n / 3, n / 9, ... at most.
    hyperband, asha, halved = ((69, 22), (31, 19), (27, 13)) if quick else ((357, 69), (150, 67), (189, 67))
    found = {
        "TPESearchCV": Entry(TPESearchCV, {"n_iter": n}, has_bar=True, repeats=True),
        "HyperbandSearchCV": Entry(HyperbandSearchCV, lengths, *hyperband, has_bar=True, repeats=True),
        "ASHASearchCV": Entry(
            ASHASearchCV, {**lengths, "n_iter": 13 if quick else 46}, *asha, has_bar=True, repeats=True
        ),
        "RandomizedSearchCV": Entry(RandomizedSearchCV, {"n_iter": n}),
        "HalvingRandomSearchCV": Entry(HalvingRandomSearchCV, halving, *halved),
    }
    if find_spec("skopt") is None:
        print("scikit-optimize is not installed: BayesSearchCV is left out (pip install scikit-optimize).")
        return found
    from skopt import BayesSearchCV

    for points in (1, 4):
        options = {"n_iter": 4 if quick else 24, "n_points": points}
        found[f"BayesSearchCV({points})"] = Entry(BayesSearchCV, options)
    return found


def measure(entry: Entry, n_jobs: int, seed: int, mean: float) -> np.ndarray:
    """Number of tasks, their mean seconds, utilisation, that to the tail, and seconds of the tail."""
    with tempfile.TemporaryDirectory() as folder:
        estimator = _clocked.Sleeper(unit=mean * entry.jobs / entry.units, folder=folder)
        space = SKOPT_SPACE if "n_points" in entry.options else SPACE
        common = {"cv": N_FOLDS, "n_jobs": n_jobs, "random_state": seed, "refit": False}
        _warm_up(n_jobs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry.kind(estimator, space, **common, **entry.options).fit(X, Y)
        times, n_processes = _clocked.read_notes(folder)
    if n_processes > n_jobs:
        print(f"{n_processes} processes took part instead of {n_jobs}: the figures include starting them.")
    begin, end = times.T
    first, handed_out, last = begin[0], begin[-1], end.max()
    busy = (end - begin).sum()
    busy_before = (np.minimum(end, handed_out) - begin).sum()
    to_tail = busy_before / (n_jobs * (handed_out - first))
    return np.array(
        [len(times), busy / len(times), busy / (n_jobs * (last - first)), to_tail, last - handed_out]
    )


def _warm_up(n_jobs: int) -> None:
    """Wait until every worker has imported what it needs."""
    for _ in range(100):
        if (
            len(set(Parallel(n_jobs=n_jobs)(delayed(_clocked.rest)(0.1) for _ in range(2 * n_jobs))))
            == n_jobs
        ):
            return
    raise RuntimeError(f"Not all of {n_jobs} workers have started.")


def main() -> None:
    """Run all searches on each number of workers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--seeds", type=int, default=2, help="of ours; the peers run with the first")
    parser.add_argument("--searches", nargs="+", metavar="SEARCH", help="by default all")
    parser.add_argument("--mean", type=float, default=MEAN, help="mean seconds of a task")
    parser.add_argument("--quick", action="store_true", help="a quarter of the tasks, a fourth as long")
    arguments = parser.parse_args()
    found = entries(arguments.quick)
    for name in arguments.searches or ():
        if name not in found:
            parser.error(f"no search is called {name!r}, allowed are {list(found)}")
    mean = arguments.mean / 4 if arguments.quick else arguments.mean
    start = time.monotonic()
    columns = f"{'tasks':>6} {'mean s':>7} {'utilisation':>12} {'to the tail':>12} {'tail s':>7}"
    print(f"{'search':<22}{'workers':>8} {'seed':>5} {columns}", flush=True)
    with parallel_config(backend="loky"):
        for n_jobs in arguments.workers:
            for name in arguments.searches or found:
                entry, rows = found[name], []
                for seed in range(arguments.seeds if entry.repeats and not arguments.quick else 1):
                    rows.append(measure(entry, n_jobs, seed, mean))
                    _print_row(name, n_jobs, str(seed), rows[-1])
                if entry.has_bar:
                    mean_row = np.mean(rows, axis=0)
                    verdict = "ok" if mean_row[2] >= BAR else "MISSED"
                    _print_row(name, n_jobs, "mean", mean_row, f"  bar {BAR}: {verdict}")
    print(f"{time.monotonic() - start:.0f} s in all")


def _print_row(name: str, n_jobs: int, seed: str, row: np.ndarray, verdict: str = "") -> None:
    tasks, mean, utilisation, to_tail, tail = row
    figures = f"{tasks:>6.0f} {mean:>7.3f} {utilisation:>12.3f} {to_tail:>12.3f} {tail:>7.2f}"
    print(f"{name:<22}{n_jobs:>8} {seed:>5} {figures}{verdict}", flush=True)


if __name__ == "__main__":
    main()
