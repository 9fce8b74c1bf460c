"""nevergrad: ``NGOpt`` with its budget; conditional axes under ``Choice``."""

from __future__ import annotations

from typing import Any

import nevergrad as ng

from ..axes import Axis
from . import Evaluate, Job
from ._nested import nest, unnest


def _number(axis: Axis) -> Any:
    if axis.log:
        number = ng.p.Log(lower=axis.low, upper=axis.high)
    else:
        number = ng.p.Scalar(lower=axis.low, upper=axis.high)
    return number.set_integer_casting() if axis.kind == "integer" else number


def _choice(axis: Axis, levels: list[dict[str, Any]]) -> Any:
    return ng.p.Choice(
        [ng.p.Dict(level=i, below=ng.p.Dict(**level["below"])) for i, level in enumerate(levels)]
    )


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    space = ng.p.Dict(**nest(job.axes, _number, _choice))
    space.random_state.seed(job.seed)
    optimizer = ng.optimizers.NGOpt(parametrization=space, budget=job.n)
    optimizer.minimize(lambda sampled: evaluate(unnest(job.axes, sampled)))
