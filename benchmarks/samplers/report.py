"""Tables and a picture of what has been run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from . import aggregate
from .peers import OURS, PEERS, base_of, peer_of
from .results import Record, Results
from .tasks import registry


@dataclass
class Report:
    """Figures of some samplers on some tasks.

    Attributes
    ----------
    results : Results
    tasks, samplers : sequence of str
    seeds : int
    versions : mapping
        Today's version of each sampler that is installed.
    """

    results: Results
    tasks: Sequence[str]
    samplers: Sequence[str]
    seeds: int
    versions: Mapping[str, str]

    @cached_property
    def floor(self) -> np.ndarray:
        """Floor (T,) of each task."""
        return np.array([registry()[name](0).floor for name in self.tasks])

    @cached_property
    def _records(self) -> dict[tuple[str, str, int], list[Record]]:
        """Records by (task, sampler, seed), those of one version of each sampler."""
        found: dict[tuple[str, str, int], list[Record]] = {}
        for sampler in self.samplers:
            version = self.results.version_of(sampler, self.versions.get(sampler))
            for record in self.results:
                if (record.sampler, record.version) == (sampler, version):
                    found.setdefault((record.task, sampler, record.seed), []).append(record)
        return found

    @cached_property
    def _scales(self) -> dict[tuple[str, int], tuple[float, float]]:
        """Optimum and median of random points; for a real task the least that anyone ever found."""
        scales = {}
        for name in self.tasks:
            for seed in range(self.seeds):
                task = registry()[name](seed)
                optimum = task.optimum
                if not task.knows_optimum:
                    optimum = min(optimum, self.results.least(name))
                scales[name, seed] = optimum, task.typical
        return scales

    def record(self, task: str, sampler: str, seed: int, n: int) -> Record | None:
        """The shortest run that has n evaluations."""
        there = [record for record in self._records.get((task, sampler, seed), []) if record.n >= n]
        return min(there, key=lambda record: record.n, default=None)

    def curves(self, n: int) -> np.ndarray:
        """Normalised regret (T, S, R, n) after 1 to n evaluations; NaN where there is no run."""
        r = np.full((len(self.tasks), len(self.samplers), self.seeds, n), math.nan)
        for t, task in enumerate(self.tasks):
            for s, sampler in enumerate(self.samplers):
                for seed in range(self.seeds):
                    record = self.record(task, sampler, seed, n)
                    if record is not None:
                        optimum, typical = self._scales[task, seed]
                        r[t, s, seed] = aggregate.normalised(record.trace()[:n], optimum, typical)
        return r

    def regret(self, n: int) -> np.ndarray:
        """Normalised regret (T, S, R) after n evaluations."""
        return self.curves(n)[..., -1]

    def log_regret(self, r: np.ndarray) -> np.ndarray:
        return np.log10(aggregate.floored(r, self.floor))

    def own_time(self, n: int) -> np.ndarray:
        """Mean CPU milliseconds (S,) for each of the first n suggestions."""
        means = []
        for sampler in self.samplers:
            found = [self.record(task, sampler, seed, n) for task in self.tasks for seed in range(self.seeds)]
            taken = [1e3 * record.seconds[n] / n for record in found if record and n in record.seconds]
            means.append(float(np.mean(taken)) if taken else math.nan)
        return np.array(means)

    def having(self, n: int) -> Report:
        """The same for the samplers alone that have a seed with all of the tasks after n evaluations."""
        has = np.isfinite(self.regret(n)).all(axis=0).any(axis=1)
        kept = [sampler for sampler, there in zip(self.samplers, has, strict=True) if there]
        return Report(self.results, self.tasks, kept, self.seeds, self.versions)

    def print(self, title: str, checkpoints: Sequence[int]) -> None:
        """One table for each checkpoint, and each of ours against its family."""
        for n in checkpoints:
            report = self.having(n)
            if not report.samplers:
                continue
            _print_table(report, f"{title}, {len(self.tasks)} tasks, after {n} evaluations", n)
            left_out = [sampler for sampler in self.samplers if sampler not in report.samplers]
            if left_out:
                print(f"  no seed with all of the tasks: {', '.join(left_out)}")
            report.print_families(n)

    def print_families(self, n: int) -> None:
        """Each of ours less the peers of its family, and what has options of its own less what has none."""
        r = self.regret(n)
        lines = []
        for a, first in enumerate(self.samplers):
            for b, second in enumerate(self.samplers):
                is_family = first in OURS and second not in OURS and peer_of(second).family == first
                if is_family or (first != second and second == base_of(first)):
                    pair = aggregate.compare(r[:, a], r[:, b], self.floor)
                    lines.append(
                        f"  {f'{first} less {second}':<40}{pair.difference:>8.2f} ±{pair.error:>5.2f}"
                        f"   better on {pair.better}, worse on {pair.worse}"
                    )
        if lines:
            print("  log10 regret, same tasks and seeds:")
            print("\n".join(lines))


def _print_table(report: Report, title: str, n: int) -> None:
    r = report.regret(n)
    mean, error = aggregate.mean_over_tasks(r)
    log_mean, log_error = aggregate.mean_over_tasks(report.log_regret(r))
    seeds = np.isfinite(r).all(axis=0).sum(axis=1)
    ranks, wins = aggregate.mean_ranks(r, report.floor), aggregate.wins(r, report.floor)
    times = report.own_time(n)
    shared = int(aggregate.complete(r).sum())
    print(f"\n{title} (ranks and wins: {shared} seeds that all have)")
    heads = f"{'regret':>10}{'±':>9}{'log10':>8}{'±':>6}{'rank':>7}{'wins':>6}{'ms':>9}"
    width = max(18, *map(len, report.samplers))
    print(f"  {'sampler':<{width}}{'seeds':>6}{heads}")
    for s in np.argsort(log_mean):
        print(
            f"  {report.samplers[s]:<{width}}{seeds[s]:>6}{mean[s]:>10.4f}{error[s]:>9.4f}{log_mean[s]:>8.2f}"
            f"{log_error[s]:>6.2f}{ranks[s]:>7.2f}{wins[s]:>6.1f}{times[s]:>9.2f}"
        )


def print_by_task(report: Report, n: int) -> None:
    """Mean log10 regret and its error for each task."""
    value = report.log_regret(report.regret(n))
    print(f"\nlog10 regret after {n} evaluations")
    print(f"  {'task':<24}" + "".join(f"{name[:13]:>14}" for name in report.samplers))
    for t, task in enumerate(report.tasks):
        cells = []
        for row in value[t]:
            row = row[np.isfinite(row)]
            error = row.std(ddof=1) / math.sqrt(len(row)) if len(row) > 1 else math.nan
            cells.append(f"{row.mean():.2f} ±{error:.2f}" if len(row) else "-")
        print(f"  {task:<24}" + "".join(f"{cell:>14}" for cell in cells))


def draw(reports: Mapping[str, Report], n: int, path: Path) -> None:
    """Mean log10 regret against evaluations, one panel for each group, bands of one standard error."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    reports = {title: report.having(n) for title, report in reports.items()}
    reports = {title: report for title, report in reports.items() if report.samplers}
    if not reports:
        return
    figure, panels = plt.subplots(
        1, len(reports), figsize=(4.2 * len(reports), 4.2), squeeze=False, layout="constrained"
    )
    names = dict.fromkeys([*PEERS, *(name for report in reports.values() for name in report.samplers)])
    colours = {name: plt.get_cmap("tab20")(i % 20) for i, name in enumerate(names)}
    for panel, (title, report) in zip(panels[0], reports.items(), strict=True):
        value = report.log_regret(report.curves(n))
        k = np.arange(1, n + 1)
        for s, name in enumerate(report.samplers):
            seeds = value[:, s].mean(axis=0)
            seeds = seeds[np.isfinite(seeds).all(axis=1)]
            mean = seeds.mean(axis=0)
            line = "-" if name in OURS else "--"
            panel.plot(k, mean, line, color=colours[name], linewidth=1.4, label=name)
            if len(seeds) > 1:
                error = seeds.std(axis=0, ddof=1) / math.sqrt(len(seeds))
                panel.fill_between(
                    k, mean - error, mean + error, color=colours[name], alpha=0.15, linewidth=0
                )
        panel.set(title=f"{title} ({len(report.tasks)} tasks)", xlabel="evaluations")
        panel.legend(fontsize=7)
    panels[0][0].set_ylabel("mean log10 of normalised regret")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
    plt.close(figure)
