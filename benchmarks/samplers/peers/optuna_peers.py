"""Optuna: ``study.optimize`` with define-by-run parameters and the sampler's defaults."""

from __future__ import annotations

from typing import Any

import optuna

from ..axes import walk
from . import Evaluate, Job

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _sampler(option: str, seed: int) -> optuna.samplers.BaseSampler:
    if option == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if option == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    if option == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=seed)
    import optunahub

    # Fetched from the hub's repository on the web, and kept by optunahub for the next time.
    return optunahub.load_module("samplers/auto_sampler").AutoSampler(seed=seed)


def minimise(option: str, job: Job, evaluate: Evaluate) -> None:
    def objective(trial: optuna.Trial) -> float:
        params: dict[str, Any] = {}
        for axis in walk(job.axes, params):
            if axis.kind == "categorical":
                params[axis.name] = trial.suggest_categorical(axis.name, list(axis.choices))
            elif axis.kind == "integer":
                params[axis.name] = trial.suggest_int(axis.name, int(axis.low), int(axis.high), log=axis.log)
            else:
                params[axis.name] = trial.suggest_float(axis.name, axis.low, axis.high, log=axis.log)
        return evaluate(params)

    study = optuna.create_study(sampler=_sampler(option, job.seed))
    study.optimize(objective, n_trials=job.n)
