"""FLAML: ``tune.run`` with CFO or BlendSearch; conditional axes as hierarchical spaces.

Costs are left out (``cost_attr=None``): budgets here are evaluations, and one that was kept on disk takes
no time, which would mislead an algorithm that learns from times. No low-cost start is known either.
"""

from __future__ import annotations

from typing import Any

from flaml import CFO, BlendSearch, tune

from ..axes import Axis
from . import Evaluate, Job
from ._nested import nest, unnest


def _number(axis: Axis) -> Any:
    if axis.kind == "integer":
        kind = tune.lograndint if axis.log else tune.randint
        return kind(int(axis.low), int(axis.high) + 1)
    return (tune.loguniform if axis.log else tune.uniform)(axis.low, axis.high)


def _choice(axis: Axis, levels: list[dict[str, Any]]) -> Any:
    if any(level["below"] for level in levels):
        return tune.choice(levels)
    return {"level": tune.choice(list(range(len(levels))))}


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    space = nest(job.axes, _number, _choice)
    algorithm = {"CFO": CFO, "BlendSearch": BlendSearch}[option](
        metric="loss", mode="min", space=space, num_samples=job.n, seed=job.seed, cost_attr=None
    )
    tune.run(
        lambda sampled: {"loss": evaluate(unnest(job.axes, sampled))},
        config=space,
        metric="loss",
        mode="min",
        num_samples=job.n,
        search_alg=algorithm,
        verbose=0,
    )
