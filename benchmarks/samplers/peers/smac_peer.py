"""SMAC3: ``HyperparameterOptimizationFacade`` (random forest, log EI); conditions in the space."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    Configuration,
    ConfigurationSpace,
    InCondition,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from smac import HyperparameterOptimizationFacade, Scenario

from ..axes import Axes, Axis
from . import Evaluate, Job
from ._nested import plain


def _hyperparameter(axis: Axis) -> Any:
    if axis.kind == "categorical":
        return CategoricalHyperparameter(axis.name, [str(i) for i in range(len(axis.choices))])
    if axis.kind == "integer":
        return UniformIntegerHyperparameter(axis.name, int(axis.low), int(axis.high), log=axis.log)
    return UniformFloatHyperparameter(axis.name, axis.low, axis.high, log=axis.log)


def _space(axes: Axes, seed: int) -> ConfigurationSpace:
    space = ConfigurationSpace(seed=seed)
    made = {axis.name: _hyperparameter(axis) for axis in axes}
    space.add(*made.values())
    by_name = {axis.name: axis for axis in axes}
    for axis in axes:
        if axis.parent is not None:
            levels = [str(by_name[axis.parent].choices.index(value)) for value in axis.when]
            space.add(InCondition(made[axis.name], made[axis.parent], levels))
    return space


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    by_name = {axis.name: axis for axis in job.axes}

    def target(config: Configuration, seed: int = 0) -> float:
        params: dict[str, Any] = {}
        for name, value in dict(config).items():
            axis = by_name[name]
            params[name] = axis.choices[int(value)] if axis.kind == "categorical" else plain(axis, value)
        return evaluate({axis.name: params[axis.name] for axis in job.axes if axis.name in params})

    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            _space(job.axes, job.seed),
            deterministic=not job.noisy,
            n_trials=job.n,
            seed=job.seed,
            output_directory=Path(folder),
        )
        HyperparameterOptimizationFacade(scenario, target, overwrite=True, logging_level=False).optimize()
