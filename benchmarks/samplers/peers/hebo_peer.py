"""HEBO: ``suggest`` and ``observe``, one at a time; conditional axes are always there."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from ..axes import Axis, active
from . import Evaluate, Job
from ._nested import plain


def _parameter(axis: Axis) -> dict[str, Any]:
    if axis.kind == "categorical":
        return {"name": axis.name, "type": "cat", "categories": [str(i) for i in range(len(axis.choices))]}
    if axis.kind == "integer":
        kind = "pow_int" if axis.log else "int"
        return {"name": axis.name, "type": kind, "lb": int(axis.low), "ub": int(axis.high), "base": 10}
    return {
        "name": axis.name,
        "type": "pow" if axis.log else "num",
        "lb": axis.low,
        "ub": axis.high,
        "base": 10,
    }


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    # It has no seed but for its first points, and draws from the global generators.
    np.random.seed(job.seed)  # noqa: NPY002
    torch.manual_seed(job.seed)
    optimizer = HEBO(DesignSpace().parse([_parameter(axis) for axis in job.axes]), scramble_seed=job.seed)
    for _ in range(job.n):
        suggested = optimizer.suggest(n_suggestions=1)
        row = suggested.iloc[0]
        params = {
            axis.name: axis.choices[int(row[axis.name])]
            if axis.kind == "categorical"
            else plain(axis, row[axis.name])
            for axis in job.axes
        }
        optimizer.observe(suggested, np.array([[evaluate(active(job.axes, params))]]))
