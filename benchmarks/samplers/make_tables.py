"""Make the tables of the real tasks: ``python -m benchmarks.samplers.make_tables``.

For each problem, the losses of all folds at random points, evenly drawn, and along a search that is longer
than any run: from the best few of the random points, steps that shrink. The first say what a random point is
worth, the second what the best is. Positions are kept as 16-bit integers and were rounded so before they
were evaluated, so that a row is exactly what was evaluated. What was evaluated once is found on disk, so
that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from .axes import at
from .models import TABLES, TASKS, ModelTask

STEPS = 65535
N_RANDOM, N_SEARCH, N_POLISH, N_STARTS = 500, 500, 250, 4


def _losses(task: ModelTask, u: np.ndarray) -> np.ndarray:
    """Losses (splits, folds) at a point of the unit cube, in steps of 1 / 65535."""
    return task.repeated_fold_losses(at(task.axes, (u / STEPS).tolist()))


def make_table(task: ModelTask, n_random: int, n_search: int, n_polish: int) -> dict[str, np.ndarray]:
    """Positions (n, d) and losses (n, splits, folds): random points, then the search."""
    rng = np.random.default_rng(0)
    d = len(task.axes)
    U = rng.integers(0, STEPS + 1, (n_random, d))
    losses = [_losses(task, u) for u in U]
    means = np.array([loss.mean() for loss in losses])
    rows = list(U)

    def descend(start: int, n_steps: int, widest: float) -> None:
        """Add rows: steps from one of them to whatever is better, ever shorter ones."""
        best, least = rows[start], losses[start].mean()
        for k in range(n_steps):
            width = widest * 0.01 ** (k / n_steps)
            moved = rng.random(d) < max(0.4, 1.0 / d)
            u = np.rint(best + moved * width * STEPS * rng.standard_normal(d))
            rows.append(np.clip(u, 0, STEPS).astype(int))
            losses.append(_losses(task, rows[-1]))
            if losses[-1].mean() <= least:
                best, least = rows[-1], losses[-1].mean()

    # A few starts, as the best of the random points may lie in a valley that is not the deepest; at last
    # from the best of all, closely.
    for start in np.argsort(means, kind="stable")[:N_STARTS]:
        descend(int(start), n_search // N_STARTS, 0.3)
    descend(int(np.argmin([loss.mean() for loss in losses])), n_polish, 0.1)
    return {
        "positions": np.array(rows, dtype=np.uint16),
        "losses": np.array(losses, dtype=np.float32),
        "n_random": np.array(n_random),
    }


def main(given: Sequence[str] | None = None) -> None:
    """Make the tables that are asked for, or those that are not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, metavar="TASK", help="by default those without a table"
    )
    arguments = parser.parse_args(given)
    TABLES.mkdir(exist_ok=True)
    absent = [name for name in TASKS if not (TABLES / f"{name}.npz").exists()]
    for name in arguments.tasks or absent:
        start = time.process_time()
        task = TASKS[name](0)
        table = make_table(task, N_RANDOM, N_SEARCH, N_POLISH)
        np.savez_compressed(
            TABLES / f"{name}.npz",
            positions=table["positions"],
            losses=table["losses"],
            n_random=table["n_random"],
        )
        means = table["losses"].mean(axis=(1, 2))
        centre = float(task.repeated_fold_losses(at(task.axes, [0.5] * len(task.axes))).mean())
        at_random = means[:N_RANDOM]
        taken = 1e3 * (time.process_time() - start) / len(means)
        print(
            f"{name:<22}{taken:6.1f} ms each, least {means.min():.5f}, "
            f"random: least {at_random.min():.5f}, median {np.median(at_random):.5f}, "
            f"better than the centre {100 * (at_random < centre).mean():.0f}%",
            flush=True,
        )


if __name__ == "__main__":
    main()
