"""What each part of a sampler is worth: ``python -m benchmarks.samplers.ablation --of gp``.

Runs the variants that are missing on development tasks, then prints a table of Markdown for the functions and
one for the real tasks: mean log10 regret of a variant less that of the defaults, on the same tasks and seeds,
with its standard error over seeds. A variant is ours with options, "tpe:gamma=0.2"; what is no option is a
class of ``tpe_variants.py`` or ``gp_variants.py``, "tpe:variant=univariate".
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from . import aggregate
from .__main__ import missing, run_missing
from .peers import base_of
from .report import Report
from .results import Results
from .running import Workers
from .tasks import halves, registry

RESULTS = Path(__file__).parents[1] / "results" / "ablation.jsonl"
CHECKPOINTS = (50, 100)
SLOW = ("neighbours-digits", "noisy-svc-wide")
"""Real tasks that take most of the time, left out here."""


# -- tables -------------------------------------------------------------------------------------


def table(report: Report) -> list[str]:
    """Lines of a table of Markdown; the first of the samplers is what the others are compared with."""
    base = report.samplers[0]
    heads = [f"at {n}" for n in CHECKPOINTS] + ["better on / worse on"]
    lines = [f"| variant | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    regrets = {n: report.regret(n) for n in CHECKPOINTS}
    for s, name in enumerate(report.samplers[1:], 1):
        pairs = [aggregate.compare(r[:, s], r[:, 0], report.floor) for r in regrets.values()]
        if math.isnan(pairs[-1].difference):
            continue
        cells = [f"{pair.difference:+.2f} ± {pair.error:.2f}" for pair in pairs]
        cells.append(f"{pairs[-1].better} / {pairs[-1].worse}")
        lines.append(f"| `{name.removeprefix(f'{base}:')}` | {' | '.join(cells)} |")
    return lines


def _parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.samplers.ablation", description=__doc__)
    parser.add_argument("--of", choices=["tpe", "gp"], default="tpe")
    parser.add_argument("--samplers", nargs="+", help="instead of all rows; the first is the base")
    parser.add_argument("--groups", nargs="+", default=["functions", "structured", "bbob", "real"])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument("--real-seeds", type=int, default=5, help="number of seeds of the real tasks")
    parser.add_argument("--shard", default="0/1", help="part of the work: 0/2 in one process, 1/2 in another")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of JSON lines")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Run what is missing, then print."""
    arguments = _parsed(given)
    half = halves()["development"]
    functions = [task for group in arguments.groups if group != "real" for task in half[group]]
    real = [task for task in half["real"] if task not in SLOW] if "real" in arguments.groups else []
    results = Results(arguments.results)
    part, parts = (int(number) for number in arguments.shard.split("/"))
    n = max(CHECKPOINTS)
    with Workers() as workers:
        there = workers.versions
        rows = import_module(f"benchmarks.samplers.{arguments.of}_variants").ROWS
        wanted = arguments.samplers or [arguments.of, *rows]
        samplers = [name for name in wanted if base_of(name) in there]
        versions = {name: there[base_of(name)] for name in samplers}
        for title, tasks, seeds in (
            ("functions", functions, arguments.seeds),
            ("real tasks", real, arguments.real_seeds),
        ):
            tasks = [task for task in tasks if task in registry()]
            if not tasks:
                continue
            if not arguments.table:
                todo = list(missing(results, tasks, samplers, versions, seeds, [n]))
                run_missing(results, workers, todo[part::parts])
            print(f"\n{title}: {len(tasks)}, seeds: {seeds}; log10 regret less that of the defaults\n")
            print("\n".join(table(Report(results, tasks, samplers, seeds, versions))))


if __name__ == "__main__":
    main()
