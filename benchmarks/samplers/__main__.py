"""Regret of our samplers and of their peers: ``python -m benchmarks.samplers``.

Runs what is missing, appends it to a file of JSON lines, then prints the tables and draws the curves. A run
that is there, or in ``runs/``, is not repeated; a sampler of ours whose source has changed is another
version, and is run anew.
See README.md in this folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from .peers import PEERS, base_of, peer_of
from .report import Report, draw, print_by_task
from .results import CHECKPOINTS, Key, Results, keep, load_kept
from .running import SamplerFailed, Workers
from .tasks import halves, registry

RESULTS = Path(__file__).parents[1] / "results" / "samplers.jsonl"
DEFAULT = ("random", "tpe", "gp", "cmaes", "optuna-tpe", "optuna-gp", "optuna-cmaes")


def missing(
    results: Results,
    tasks: Sequence[str],
    samplers: Sequence[str],
    versions: dict[str, str],
    seeds: int,
    budgets: Sequence[int],
) -> Iterator[Key]:
    """Runs that are asked for and not there, seed by seed so that a part of them makes a table."""
    for seed in range(seeds):
        for task in tasks:
            axes = registry()[task](seed).axes
            for sampler in samplers:
                peer = peer_of(sampler)
                if not peer.takes_categories and any(axis.kind == "categorical" for axis in axes):
                    continue
                # Who does not know the budget has the shorter runs in the longest one.
                for n in budgets if peer.knows_budget else [max(budgets)]:
                    key = task, sampler, versions[sampler], seed, n
                    if key not in results:
                        yield key


def run_missing(results: Results, workers: Workers, todo: Sequence[Key]) -> None:
    """Run one after the other; a sampler that fails is said and passed over."""
    start = time.monotonic()
    for i, (name, sampler, _, seed, n) in enumerate(todo, 1):
        task = registry()[name](seed)
        try:
            results.append(workers.run(name, task, sampler, n, is_noisy=task.is_noisy))
        except SamplerFailed as failure:
            print(
                f"{sampler} failed on {name}, seed {seed}: {str(failure).strip().splitlines()[-1]}",
                flush=True,
            )
        if i % 50 == 0:
            print(f"{i} of {len(todo)} runs, {time.monotonic() - start:.0f} s", flush=True)


@cache
def _libraries_of(task: str) -> Mapping[str, str]:
    return registry()[task](0).versions if task in registry() else {}


def write_kept(results: Results, samplers: Sequence[str], versions: Mapping[str, str]) -> None:
    """Write the runs of samplers into the folder that the repository keeps, those of one version of each."""
    libraries: dict[str, str] = {}
    for make in registry().values():
        libraries |= make(0).versions
    for sampler in samplers:
        version = results.version_of(sampler, versions.get(sampler))
        found = [record for record in results if (record.sampler, record.version) == (sampler, version)]
        keep(found, libraries)
        print(f"{sampler:<20}{version or 'no runs':<16}{len(found)} runs")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.samplers", description=__doc__)
    parser.add_argument("--half", choices=["development", "held-out"], default="development")
    parser.add_argument(
        "--groups", nargs="+", default=["real", "functions", "structured", "bbob"], metavar="GROUP"
    )
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="instead of a half's groups")
    parser.add_argument(
        "--samplers",
        nargs="+",
        default=list(DEFAULT),
        metavar="SAMPLER",
        help="names of peers, all, or one of ours with options: tpe:gamma=0.2,n_startup=5",
    )
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument(
        "--budgets", type=int, nargs="+", default=[100], help="evaluations that samplers are told"
    )
    parser.add_argument(
        "--python", action="append", default=[], help="interpreter of an environment with more peers"
    )
    parser.add_argument("--shard", default="0/1", help="part of the work: 0/2 in one process, 1/2 in another")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of JSON lines")
    parser.add_argument("--picture", type=Path, help="file for the curves, by default beside the results")
    parser.add_argument("--by-task", action="store_true", help="also print each task")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="write all runs of the samplers into the folder runs/, run nothing",
    )
    return parser.parse_args(arguments)


def _groups(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Names of the tasks by group, without those whose package is not installed."""
    if arguments.tasks:
        groups = {"tasks": list(arguments.tasks)}
    else:
        half = halves()[arguments.half]
        groups = {f"{arguments.half} {name}": half[name] for name in arguments.groups}
    known = {title: [task for task in tasks if task in registry()] for title, tasks in groups.items()}
    for title, tasks in groups.items():
        if lost := sorted(set(tasks) - set(known[title])):
            print(f"not available, is the package installed? {', '.join(lost)}")
    return {title: tasks for title, tasks in known.items() if tasks}


def main(given: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and draw."""
    arguments = _parsed(given)
    groups = _groups(arguments)
    samplers = list(PEERS) if "all" in arguments.samplers else list(dict.fromkeys(arguments.samplers))
    for sampler in samplers:
        peer_of(sampler)
    results = Results(arguments.results, load_kept(_libraries_of))
    with Workers([sys.executable, *arguments.python]) as workers:
        versions = workers.versions
        versions |= {name: versions[base_of(name)] for name in samplers if base_of(name) in versions}
        installed = [sampler for sampler in samplers if sampler in versions]
        if absent := [sampler for sampler in samplers if sampler not in versions]:
            print(f"not installed, skipped: {', '.join(absent)}")
        if arguments.keep:
            write_kept(results, samplers, versions)
            return
        if not arguments.table:
            tasks = list(dict.fromkeys(task for names in groups.values() for task in names))
            part, parts = (int(number) for number in arguments.shard.split("/"))
            todo = list(missing(results, tasks, installed, versions, arguments.seeds, arguments.budgets))
            run_missing(results, workers, todo[part::parts])
    if len(groups) > 1:
        groups["all of these"] = [task for tasks in groups.values() for task in tasks]
    reports = {
        title: Report(results, tasks, samplers, arguments.seeds, versions) for title, tasks in groups.items()
    }
    longest = max(arguments.budgets)
    checkpoints = sorted({n for n in (*CHECKPOINTS, *arguments.budgets) if n <= longest})
    for title, report in reports.items():
        report.print(title, checkpoints)
        if arguments.by_task and title != "all of these":
            print_by_task(report.having(longest), longest)
    name = f"{arguments.results.stem}-{'tasks' if arguments.tasks else arguments.half}.png"
    draw(reports, longest, arguments.picture or arguments.results.with_name(name))


if __name__ == "__main__":
    main()
