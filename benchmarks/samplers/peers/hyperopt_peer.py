"""hyperopt: ``fmin`` with ``tpe.suggest``; conditional axes under ``hp.choice``."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from hyperopt import fmin, hp, tpe

from ..axes import Axis
from . import Evaluate, Job
from ._nested import nest, unnest


def _number(axis: Axis) -> Any:
    if axis.kind == "real":
        if axis.log:
            return hp.loguniform(axis.name, math.log(axis.low), math.log(axis.high))
        return hp.uniform(axis.name, axis.low, axis.high)
    # Cells of equal width also for the first and last integer.
    low, high = axis.low - 0.5, axis.high + 0.5
    if axis.log:
        return hp.qloguniform(axis.name, math.log(low), math.log(high), 1)
    return hp.quniform(axis.name, low, high, 1)


def _choice(axis: Axis, levels: list[dict[str, Any]]) -> Any:
    return hp.choice(axis.name, levels)


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    # A parameter under several branches is one node, not several of one name.
    fmin(
        lambda sampled: evaluate(unnest(job.axes, sampled)),
        nest(job.axes, cache(_number), _choice),
        algo=tpe.suggest,
        max_evals=job.n,
        rstate=np.random.default_rng(job.seed),
        show_progressbar=False,
        verbose=False,
    )
