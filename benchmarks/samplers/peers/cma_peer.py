"""pycma: ``fmin2`` with restarts, from a random point of the unit cube, integers named as such.

Numbers only. The step is a quarter of the cube, as its documentation advises; with restarts, as a run that
has converged would otherwise leave evaluations unused.
"""

from __future__ import annotations

import cma
import numpy as np

from . import Evaluate, Job


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    # Integers keep their numbers, as pycma rounds by itself; the others are searched in the unit cube.
    d = len(job.axes)
    integers = [j for j, axis in enumerate(job.axes) if axis.kind == "integer" and not axis.log]
    low, width = np.zeros(d), np.ones(d)
    for j in integers:
        low[j] = job.axes[j].low
        width[j] = job.axes[j].high - job.axes[j].low
    rng = np.random.default_rng(job.seed)

    def objective(x: np.ndarray) -> float:
        params = {}
        for j, axis in enumerate(job.axes):
            params[axis.name] = round(float(x[j])) if j in integers else axis.at(float(x[j]))
        return evaluate(params)

    cma.fmin2(
        objective,
        lambda: low + width * rng.random(d),
        0.25,
        {
            "bounds": [low.tolist(), (low + width).tolist()],
            "CMA_stds": width.tolist(),
            "integer_variables": integers,
            "maxfevals": job.n,
            # Zero would mean the clock.
            "seed": job.seed + 1,
            "verbose": -9,
            "verb_log": 0,
        },
        restarts=9,
    )
