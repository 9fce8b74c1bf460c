"""Regret of our samplers and of Optuna's on the same tasks, seeds and budgets.

Measured
    On each task, the median over seeds of the regret: the noise-free loss at the point whose
    *observed* loss was best (with noise, therefore, what a user would be left with), less the task's
    optimum. TPE is compared with Optuna's default TPESampler, the GP with its GPSampler, CMA-ES with
    its CmaEsSampler, each with its own defaults. For the three cross-validated models the optimum
    is the least loss that any run or the reference search of ``_models.py`` ever found.
Run
    ``make bench-quality``, or ``python benchmarks/quality.py --samplers tpe optuna-tpe --seeds 3``.
    Finished runs are kept in ``benchmarks/results/quality.jsonl`` and not repeated, unless the
    source of one of our samplers has changed since. ``--table`` prints what is there.
Predicted, and what came out
    See ``benchmarks/README.md``.

Our models are told their budget, as a search tells it, and so run for each budget anew; Optuna
is told none, and its result at 50 evaluations is read from the run of 100.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import wilcoxon

import _models
import _samplers
import _tasks

TASKS = {
    "branin": _tasks.branin,
    "hartmann": _tasks.hartmann,
    "ackley": _tasks.ackley,
    "rosenbrock": _tasks.rosenbrock,
    "mixed": _tasks.mixed,
    "conditional": _tasks.conditional,
    "noisy-hartmann": _tasks.noisy_hartmann,
    "svc": _models.svc,
    "boosting": _models.boosting,
    "pipeline": _models.pipeline,
}
DEFAULT_SAMPLERS = ("random", *_samplers.FAMILIES, *_samplers.FAMILIES.values())
TOLERANCE = 1e-9
RESULTS = Path(__file__).parent / "results" / "quality.jsonl"

Run = tuple[str, str, int, int]  # task, sampler, seed, evaluations


def run(task_name: str, sampler: str, seed: int, n: int) -> dict[str, Any]:
    """One search of n evaluations: the noise-free loss at the incumbent after each of them."""
    task = TASKS[task_name](seed)
    runner = _samplers.start(sampler, task.space, seed=seed, n_trials=n)
    best_seen, incumbent, trace = math.inf, math.inf, []
    for k in range(n):
        loss = task.true_loss(runner.ask())
        seen = task.observe(k, loss)
        runner.tell(seen)
        if seen < best_seen:
            best_seen, incumbent = seen, loss
        trace.append(incumbent)
    return {
        "task": task_name,
        "sampler": sampler,
        "seed": seed,
        "n": n,
        "build": _samplers.build_of(sampler),
        "seconds": round(runner.seconds, 3),
        "trace": trace,
    }


class Results:
    """What has been run, in a file of JSON lines; of equal runs the last one counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[Run, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._keep(json.loads(line))

    def _keep(self, record: dict[str, Any]) -> None:
        self._runs[record["task"], record["sampler"], record["seed"], record["n"]] = record

    def append(self, record: dict[str, Any]) -> None:
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self._keep(record)

    def is_current(self, key: Run) -> bool:
        return key in self._runs and self._runs[key]["build"] == _samplers.build_of(key[1])

    def stale(self) -> list[str]:
        """Samplers some of whose results were made with another build than today's."""
        return sorted({key[1] for key in self._runs if not self.is_current(key)})

    def loss(self, task: str, sampler: str, seed: int, n: int) -> float:
        """Loss after n evaluations; NaN where no run went so far."""
        lengths = [key[3] for key in self._runs if key[:3] == (task, sampler, seed) and key[3] >= n]
        return self._runs[task, sampler, seed, min(lengths)]["trace"][n - 1] if lengths else math.nan

    def seconds(self, sampler: str, n: int) -> float:
        """Mean CPU time of the sampler in a run of n evaluations."""
        taken = [record["seconds"] for key, record in self._runs.items() if key[1] == sampler and key[3] == n]
        return float(np.mean(taken)) if taken else math.nan

    def least(self, task: str) -> float:
        """Least loss that any run of the task found."""
        return min(
            (record["trace"][-1] for key, record in self._runs.items() if key[0] == task), default=math.inf
        )


def missing(results: Results, arguments: argparse.Namespace) -> Iterator[Run]:
    """Runs that are asked for and not there, seed by seed so that a part of them makes a table."""
    for seed in range(arguments.seeds):
        for task in arguments.tasks:
            for sampler in arguments.samplers:
                # Who does not know the budget has the shorter runs in its longest one.
                told = sampler in _samplers.FAMILIES
                for n in arguments.evaluations if told else [max(arguments.evaluations)]:
                    if not results.is_current((task, sampler, seed, n)):
                        yield task, sampler, seed, n


def regrets(results: Results, task: str, sampler: str, n: int, seeds: int) -> np.ndarray:
    """Regret (seeds,) after n evaluations, NaN where there is no run."""
    optima = [TASKS[task](seed).optimum for seed in range(seeds)]
    if TASKS[task].__module__ == "_models":
        optima = [min(optimum, results.least(task)) for optimum in optima]
    return np.array([results.loss(task, sampler, seed, n) for seed in range(seeds)]) - optima


def print_tables(results: Results, arguments: argparse.Namespace) -> None:
    """Median regrets, and each of ours against its peer."""
    for n in arguments.evaluations:
        table = {
            (task, sampler): regrets(results, task, sampler, n, arguments.seeds)
            for task in arguments.tasks
            for sampler in arguments.samplers
        }
        print(f"\nMedian regret after {n} evaluations, {arguments.seeds} seeds")
        _print_row("task", arguments.samplers)
        for task in arguments.tasks:
            _print_row(task, [_number(_median(table[task, sampler])) for sampler in arguments.samplers])
        _print_row("own seconds", [_number(results.seconds(sampler, n)) for sampler in arguments.samplers])
        if stale := set(results.stale()) & set(arguments.samplers):
            print(f"(some results of {', '.join(sorted(stale))} are older than the source)")
        for ours, peer in _samplers.FAMILIES.items():
            if ours in arguments.samplers and peer in arguments.samplers:
                _print_family(table, arguments.tasks, ours, peer)


def _print_row(head: str, cells: Sequence[str]) -> None:
    print(f"{head:<15}" + "".join(f"{cell:>14}" for cell in cells))


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"


def _median(values: np.ndarray) -> float:
    """Median of the runs that are there."""
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else math.nan


def _print_family(
    table: dict[tuple[str, str], np.ndarray], tasks: Sequence[str], ours: str, peer: str
) -> None:
    """Ratio of median regrets, pairs won, and the p-value that the pairs differ by chance."""
    ratios = []
    for task in tasks:
        both = ~np.isnan(table[task, ours] + table[task, peer])
        if not both.any():
            continue
        a, b = table[task, ours][both], table[task, peer][both]
        # Regrets below the tolerance are rounding.
        ratio = (max(np.median(a), 0.0) + TOLERANCE) / (max(np.median(b), 0.0) + TOLERANCE)
        p = wilcoxon(a, b).pvalue if np.any(a != b) else 1.0
        if not ratios:
            print(f"\n{ours} / {peer}")
            _print_row("task", ["ratio", "won", "p", "seeds", ""])
        ratios.append(ratio)
        won = f"{int((a < b).sum())}/{int((a != b).sum())}"
        verdict = "ok" if ratio <= 1.0 else "WORSE"
        _print_row(task, [f"{ratio:.3f}", won, f"{p:.2f}", str(len(a)), verdict])
    if ratios:
        mean = math.exp(float(np.mean(np.log(np.clip(ratios, 1e-3, 1e3)))))
        no_worse = sum(ratio <= 1.0 for ratio in ratios)
        _print_row("all", [f"{mean:.3f}", "", "", "", f"{no_worse} of {len(ratios)} ok"])


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    names = _samplers.OURS + _samplers.PEERS
    parser.add_argument(
        "--samplers", nargs="+", choices=names, default=list(DEFAULT_SAMPLERS), metavar="SAMPLER"
    )
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument("--evaluations", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of JSON lines")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    arguments = parser.parse_args()
    results = Results(arguments.results)
    if not arguments.table:
        todo = list(missing(results, arguments))
        done = Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")(
            delayed(run)(*key) for key in todo
        )
        for i, record in enumerate(done, 1):
            results.append(record)
            if i % 50 == 0:
                print(f"{i} of {len(todo)} runs", flush=True)
    print_tables(results, arguments)


if __name__ == "__main__":
    main()
