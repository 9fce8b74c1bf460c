"""What training on saves, and what the chosen candidate is worth, against searches that train in full.

Measured
    For each task of ``_budget_tasks.py`` and each seed (new data, new candidates), the CPU time of ``fit``
    with ``n_jobs=1`` and without the refit; and the score of the chosen candidate, trained in full on all
    of the data, on 10,000 held-out samples. Beside it stands the best score of full-length candidates in
    ``cv_results_``, which gains by luck from the number of candidates. The reference is
    ``RandomizedSearchCV`` with 81 full-length candidates, 6,561 units a fold.
Run
    ``make bench-budgets``, or ``python benchmarks/budgets.py --tasks lightgbm --seeds 3``. Results are kept
    in ``benchmarks/results/budgets.jsonl``; only what is missing is run.
Predicted, and what came out
    See ``benchmarks/README.md``. Bars: Hyperband at least 4 times less CPU than the reference, ASHA with 81
    candidates 8 times, each no worse by more than one standard error; both better than
    ``HalvingRandomSearchCV`` at no more CPU; BOHB as good as Hyperband with 0.7 of its units.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import get_scorer
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV

from _budget_tasks import TASKS, UNITS, BudgetTask
from skhpo import ASHASearchCV, HyperbandSearchCV

RESULTS = Path(__file__).parent / "results" / "budgets.jsonl"
REFERENCE = "random"
N_FOLDS = 2

Search = Callable[[BudgetTask, BaseEstimator, dict[str, Any]], BaseEstimator]


def _random(task: BudgetTask, estimator: BaseEstimator, common: dict[str, Any]) -> BaseEstimator:
    estimator.set_params(**{task.resource: task.max_resources})
    return RandomizedSearchCV(estimator, task.space, n_iter=81, **common)


def _halving(i: int) -> Search:
    def build(task: BudgetTask, estimator: BaseEstimator, common: dict[str, Any]) -> BaseEstimator:
        return HalvingRandomSearchCV(
            estimator,
            task.space,
            n_candidates=81,
            resource=task.resource,
            min_resources=task.unit,
            max_resources=task.max_resources,
            factor=3,
            **{**common, "random_state": 100 * common["random_state"] + i},
        )

    return build


def _ours(search_class: type, first: int = 1, **options: Any) -> Search:
    def build(task: BudgetTask, estimator: BaseEstimator, common: dict[str, Any]) -> BaseEstimator:
        resources = {"min_resources": first * task.unit, "max_resources": task.max_resources}
        return search_class(estimator, task.space, **resources, **options, **common)

    return build


SEARCHES: dict[str, Search] = {
    REFERENCE: _random,
    **{f"halving-{i}": _halving(i) for i in range(4)},
    "hyperband": _ours(HyperbandSearchCV),
    "bohb": _ours(HyperbandSearchCV, n_iter=96, sampler="tpe"),
    "asha": _ours(ASHASearchCV, n_iter=81),
    "asha-3": _ours(ASHASearchCV, n_iter=81, first=3),
}

ROWS = {
    REFERENCE: [REFERENCE],
    "halving": ["halving-0"],
    # Costs what Hyperband costs: four searches, of which the one with the best score is taken.
    "halving-x4": [f"halving-{i}" for i in range(4)],
    **{name: [name] for name in ("hyperband", "bohb", "asha", "asha-3")},
}
"""Rows of the table, and the searches that each is made of."""


def units(search: BaseEstimator, task: BudgetTask) -> float:
    """Units that a search trained on each fold, by its own table."""
    table = search.cv_results_
    if "bracket" not in table:
        rows = table.get("n_resources", np.full(len(table["params"]), task.max_resources))
        return float(np.sum(rows) / task.unit)
    last: dict[int, int] = {}
    for candidate, resource in zip(table["candidate"], table["n_resources"], strict=True):
        last[candidate] = max(last.get(candidate, 0), resource)
    return sum(last.values()) / task.unit


def run(task_name: str, search_name: str, seed: int) -> dict[str, Any]:
    """One search, timed, and what it chose, tested."""
    task = TASKS[task_name]
    X, y, X_test, y_test = task.data(seed)
    common = {
        "scoring": task.scoring,
        "cv": N_FOLDS,
        "n_jobs": 1,
        "refit": False,
        "random_state": seed,
        "error_score": -np.inf,
    }
    search = SEARCHES[search_name](task, task.build(seed), common)
    start = time.process_time()
    search.fit(X, y)
    seconds = time.process_time() - start
    chosen = clone(task.build(seed)).set_params(**clone(search.best_params_, safe=False))
    chosen.set_params(**{task.resource: task.max_resources}).fit(X, y)
    return {
        "task": task_name,
        "search": search_name,
        "seed": seed,
        "seconds": round(seconds, 3),
        "units": round(units(search, task), 1),
        "best_score": float(search.cv_results_["mean_test_score"][search.best_index_]),
        "test_score": float(get_scorer(task.scoring)(chosen, X_test, y_test)),
    }


class Results:
    """What has been run, in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[tuple[str, str, int], dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = json.loads(line)
                self._runs[record["task"], record["search"], record["seed"]] = record

    def __contains__(self, key: tuple[str, str, int]) -> bool:
        return key in self._runs

    def append(self, record: dict[str, Any]) -> None:
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self._runs[record["task"], record["search"], record["seed"]] = record

    def row(self, task: str, row: str, seeds: int) -> dict[str, np.ndarray]:
        """Cost and quality (seeds,) of a row of the table, NaN where a run is missing."""
        names = ("units", "seconds", "best_score", "test_score")
        table = np.full((len(names), seeds), np.nan)
        for seed in range(seeds):
            runs = [self._runs.get((task, search, seed)) for search in ROWS[row]]
            if all(runs):
                chosen = max(runs, key=lambda record: record["best_score"])
                table[:2, seed] = [sum(record[name] for record in runs) for name in names[:2]]
                table[2:, seed] = [chosen[name] for name in names[2:]]
        return dict(zip(names, table, strict=True))


def print_table(results: Results, task: str, seeds: int) -> None:
    """A line for each search: cost and quality, beside the reference's."""
    base = results.row(task, REFERENCE, seeds)
    there = ~np.isnan(base["seconds"])
    print(f"\n{task}: {there.sum()} seeds; scores x 1000; differences to {REFERENCE} with standard errors")
    print(
        f"{'search':<12}{'units':>7}{'CPU s':>8}{'times less':>12}{'best cv':>10}{'held out':>10}"
        f"{'difference':>18}"
    )
    for name in ROWS:
        row = results.row(task, name, seeds)
        both = there & ~np.isnan(row["seconds"])
        if not both.any():
            continue
        gain = 1000 * (row["test_score"] - base["test_score"])[both]
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        mean = {key: values[both].mean() for key, values in row.items()}
        print(
            f"{name:<12}{mean['units']:>7.0f}{mean['seconds']:>8.1f}"
            f"{base['seconds'][both].mean() / mean['seconds']:>12.2f}{1000 * mean['best_score']:>10.1f}"
            f"{1000 * mean['test_score']:>10.1f}{gain.mean():>10.2f} +- {error:.2f}"
        )


def main() -> None:
    """Run what is missing, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS), metavar="TASK")
    parser.add_argument(
        "--searches", nargs="+", choices=list(SEARCHES), default=list(SEARCHES), metavar="SEARCH"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    results = Results(arguments.results)
    for seed in range(arguments.seeds):
        for task in arguments.tasks:
            for search in arguments.searches:
                if (task, search, seed) not in results:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        record = run(task, search, seed)
                    results.append(record)
                    print(json.dumps(record), flush=True)
    for task in arguments.tasks:
        print_table(results, task, arguments.seeds)
    print(f"\nA unit is 1/{UNITS} of the full training, on each of {N_FOLDS} folds.")


if __name__ == "__main__":
    main()
