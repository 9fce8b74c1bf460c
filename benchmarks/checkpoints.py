"""Memory and disk that the checkpoints of a budgeted search take, for forests of 1,000 trees.

Measured
    Searches over ``RandomForestClassifier`` with 1,000 trees at full length, two folds, on 5,000 generated
    rows of 20 columns. With one job checkpoints are kept in memory, with two worker processes in files.
    Each search runs in a process of its own, in which a thread looks every 20 ms how many checkpoints there
    are, what their files take, and how far the resident set of the process and its workers is above what it
    was before ``fit``. Beside them stands the forest of the best candidate in full, on one fold: its
    pickle, and what it adds to the resident set. The resident set is more than the checkpoints: also the
    model in training, its pickle on the way to a file, and what the allocator does not give back.
Run
    ``make bench-checkpoints``, or ``python benchmarks/checkpoints.py --rows 600``. Linux only, as memory is
    read from ``/proc``. It takes about fifteen minutes of CPU time, most of them
    for ``hyperband``, 143 candidates in five brackets; ``halving`` is the first of these.
Predicted, and what came out
    Of the n_i candidates of a rung, with r_i trees each, no more than n_{i+1} = n_i / eta wait for
    promotion, and n_{i+1} r_i is about the same in all rungs of a bracket: a third of a full training for a
    bracket that spends one on each rung, up to one and a half where a few candidates begin with a third of
    all trees. ASHA, which keeps who may still be promoted in every rung at once, has about two. The figures
    are in ``docs/budgets.md``.
"""

from __future__ import annotations

import argparse
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import skhpo.search._plans as plans
from skhpo import ASHASearchCV, HyperbandSearchCV
from skhpo.evaluation._checkpoints import Checkpoints, FileCheckpoints, open_checkpoints
from skhpo.schedulers import resource_ladder

N_TREES = 1000
N_FOLDS = 2
MB = 1e6
SPACE = {
    "max_features": (0.05, 0.4),
    "min_samples_leaf": (1, 20, "log-uniform"),
    "max_depth": (4, 16),
}
BUDGET = {"min_resources": 12, "max_resources": N_TREES, "factor": 3, "cv": N_FOLDS, "random_state": 0}
SEARCHES: dict[str, tuple[type, dict[str, Any]]] = {
    "halving": (HyperbandSearchCV, {"brackets": 1, "n_iter": 81}),
    "asha": (ASHASearchCV, {"n_iter": 81}),
    "hyperband": (HyperbandSearchCV, {}),
}


def resident() -> float:
    """Resident set of this process and of those that it started, in MB."""
    page = os.sysconf("SC_PAGE_SIZE")
    waiting, total = [os.getpid()], 0
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        try:
            total += int((process / "statm").read_text().split()[1]) * page
            for thread in (process / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has just ended.
    return total / MB


def on_disk(directory: Path) -> tuple[int, float]:
    """Number of checkpoints, and MB of all files."""
    sizes = []
    for path in directory.glob("*"):
        try:
            sizes.append((path.suffix == ".pickle", path.stat().st_size))
        except FileNotFoundError:
            continue  # It has just been dropped or renamed.
    return sum(done for done, _ in sizes), sum(size for _, size in sizes) / MB


@dataclass
class Largest:
    """The largest figures that were seen.

    Attributes
    ----------
    n_kept, n_trees : int
        Checkpoints at once, and trees in them. Trees are counted in memory only, where a checkpoint that is
        taken up shares its list with the model that is being trained on and grows with it.
    disk, memory : float
        MB; memory over what it was at the beginning.
    """

    n_kept: int = 0
    n_trees: int = 0
    disk: float = 0.0
    memory: float = 0.0


class Watch:
    """Looks at checkpoints and memory while a search runs."""

    def __init__(self) -> None:
        self.largest = Largest()
        self._opened: list[Checkpoints] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Largest:
        def opened(*, in_process: bool) -> Checkpoints:
            self._opened.append(open_checkpoints(in_process=in_process))
            return self._opened[-1]

        plans.open_checkpoints = opened
        self._before = resident()
        self._thread.start()
        return self.largest

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        plans.open_checkpoints = open_checkpoints

    def _run(self) -> None:
        largest = self.largest
        while not self._ended.wait(0.02):
            largest.memory = max(largest.memory, resident() - self._before)
            for checkpoints in self._opened:
                if isinstance(checkpoints, FileCheckpoints):
                    n_kept, disk = on_disk(checkpoints.directory)
                    largest.disk = max(largest.disk, disk)
                else:
                    trials = list(checkpoints._kept.values())
                    models = [kept.model for folds in trials for kept in list(folds.values())]
                    n_kept = len(models)
                    largest.n_trees = max(largest.n_trees, sum(len(model.estimators_) for model in models))
                largest.n_kept = max(largest.n_kept, n_kept)


def data(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """X and y."""
    return make_classification(
        n_samples, 20, n_informative=8, n_redundant=4, n_clusters_per_class=3, flip_y=0.1, random_state=0
    )


def watch_search(name: str, n_jobs: int, n_samples: int) -> tuple[Largest, dict[str, Any]]:
    """Largest figures of a search, and the parameters it chose."""
    search_class, options = SEARCHES[name]
    search = search_class(
        RandomForestClassifier(random_state=0), SPACE, n_jobs=n_jobs, refit=False, **BUDGET, **options
    )
    X, y = data(n_samples)
    Parallel(n_jobs=n_jobs)(delayed(RandomForestClassifier(1).fit)(X, y) for _ in range(2 * n_jobs))
    with Watch() as largest:
        search.fit(X, y)
    # A process that was spawned would wait for them at its end.
    get_reusable_executor().shutdown(kill_workers=True)
    return largest, search.best_params_


def watch_forest(params: dict[str, Any], n_samples: int) -> tuple[float, dict[int, float]]:
    """MB of memory that a full forest on one fold adds, and MB of its checkpoint at each length."""
    X, y = data(n_samples)
    X, y = X[: n_samples // N_FOLDS], y[: n_samples // N_FOLDS]
    forest = RandomForestClassifier(**params, random_state=0, warm_start=True)
    forest.set_params(n_estimators=1).fit(X, y)
    before = resident()
    forest.set_params(n_estimators=N_TREES).fit(X, y)
    memory, trees, pickled = resident() - before, forest.estimators_, {}
    for length in resource_ladder(BUDGET["min_resources"], N_TREES, BUDGET["factor"]):
        forest.estimators_ = trees[:length]
        pickled[length] = len(pickle.dumps(forest, protocol=pickle.HIGHEST_PROTOCOL)) / MB
    return memory, pickled


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def main() -> None:
    """Print a line for each search, and the full forest beside it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--searches", nargs="+", choices=list(SEARCHES), default=list(SEARCHES))
    arguments = parser.parse_args()
    print(
        f"{'search':<28}{'kept in':<10}{'checkpoints':>12}{'trees':>8}{'disk MB':>9}{'memory MB':>11}",
        flush=True,
    )
    for name in arguments.searches:
        for n_jobs, place in ((1, "memory"), (2, "files")):
            largest, params = alone(watch_search, name, n_jobs, arguments.rows)
            trees = f"{largest.n_trees}" if n_jobs == 1 else "-"
            disk = f"{largest.disk:.1f}" if n_jobs > 1 else "-"
            print(
                f"{name:<28}{place:<10}{largest.n_kept:>12}{trees:>8}{disk:>9}{largest.memory:>11.0f}",
                flush=True,
            )
        memory, pickled = alone(watch_forest, params, arguments.rows)
        title, full = "  its best forest, in full", pickled[N_TREES]
        print(f"{title:<28}{'':<10}{1:>12}{N_TREES:>8}{full:>9.1f}{memory:>11.0f}")
        sizes = ", ".join(f"{length} trees: {size:.2f}" for length, size in pickled.items())
        print(f"  MB of its checkpoints: {sizes}", flush=True)


if __name__ == "__main__":
    main()
