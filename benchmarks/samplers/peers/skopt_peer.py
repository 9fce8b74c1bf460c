"""scikit-optimize: ``gp_minimize`` with its defaults; conditional axes are always there."""

from __future__ import annotations

from typing import Any

from skopt import gp_minimize
from skopt.space import Categorical, Integer, Real

from ..axes import Axis, active
from . import Evaluate, Job
from ._nested import plain


def _dimension(axis: Axis) -> Any:
    if axis.kind == "categorical":
        # By number: its own choices may be of several types, which scikit-optimize would make one.
        return Categorical([str(i) for i in range(len(axis.choices))], name=axis.name)
    prior = "log-uniform" if axis.log else "uniform"
    if axis.kind == "integer":
        return Integer(int(axis.low), int(axis.high), prior, name=axis.name)
    return Real(axis.low, axis.high, prior, name=axis.name)


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    def objective(x: list[Any]) -> float:
        params = {
            axis.name: axis.choices[int(value)] if axis.kind == "categorical" else plain(axis, value)
            for axis, value in zip(job.axes, x, strict=True)
        }
        return evaluate(active(job.axes, params))

    gp_minimize(objective, [_dimension(axis) for axis in job.axes], n_calls=job.n, random_state=job.seed)
