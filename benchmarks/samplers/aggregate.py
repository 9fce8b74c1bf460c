"""From truths to figures; arrays in, arrays out.

Notation
--------
T, S, R : number of tasks, of samplers and of seeds
r       : (T, S, R), normalised regret = (truth - optimum) / (median of random points - optimum);
          0 is the best that is known, 1 a random point; NaN where a run is missing
floor   : (T,) or a number; regrets of a task below it are called equal to it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.stats import rankdata

Floor: TypeAlias = float | np.ndarray


def normalised(truth: np.ndarray, optimum: float, typical: float) -> np.ndarray:
    """Regret in units of what a random point has, never negative."""
    if not typical > optimum:
        raise ValueError(f"A random point must be worse than the optimum, got {typical} and {optimum}.")
    return np.maximum(np.asarray(truth) - optimum, 0.0) / (typical - optimum)


def floored(r: np.ndarray, floor: Floor) -> np.ndarray:
    """Regrets (T, ...) that are no less than their task's floor."""
    return np.maximum(r, np.reshape(floor, (-1, *[1] * (r.ndim - 1))))


def mean_over_tasks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (S,) over tasks and seeds of values (T, S, R), and the standard error of it.

    The tasks are given and the seeds are drawn: a seed's mean over all tasks is one draw, and the error
    is that of their mean. Only seeds with all tasks count; NaN where there is none, or one for the error.
    """
    by_seed = values.mean(axis=0)
    n = np.isfinite(by_seed).sum(axis=1)
    mean, error = np.full(len(by_seed), np.nan), np.full(len(by_seed), np.nan)
    for s, row in enumerate(by_seed):
        row = row[np.isfinite(row)]
        if n[s]:
            mean[s] = row.mean()
        if n[s] > 1:
            error[s] = row.std(ddof=1) / np.sqrt(n[s])
    return mean, error


def complete(r: np.ndarray) -> np.ndarray:
    """Seeds (R,) at which every sampler has run every task."""
    return np.isfinite(r).all(axis=(0, 1))


def mean_ranks(r: np.ndarray, floor: Floor) -> np.ndarray:
    """Mean rank (S,), 1 for the best, over tasks and complete seeds; equals share their ranks."""
    r = floored(r[:, :, complete(r)], floor)
    if r.size == 0:
        return np.full(r.shape[1], np.nan)
    return rankdata(r, axis=1).mean(axis=(0, 2))


def wins(r: np.ndarray, floor: Floor) -> np.ndarray:
    """Number of tasks (S,) at which a sampler's mean over complete seeds is the least; equals share one."""
    r = r[:, :, complete(r)]
    if r.size == 0:
        return np.full(r.shape[1], np.nan)
    means = floored(r.mean(axis=2), floor)
    best = means == means.min(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True)).sum(axis=0)


@dataclass(frozen=True)
class Pair:
    """One sampler against another on the same tasks and seeds.

    Attributes
    ----------
    difference, error : float
        Mean of log10 regret, first less second, over tasks and seeds; its standard error over seeds.
    better, worse : int
        Tasks at which the first's mean is the lower, or the higher.
    """

    difference: float
    error: float
    better: int
    worse: int


def compare(a: np.ndarray, b: np.ndarray, floor: Floor) -> Pair:
    """Regrets (T, R) of two samplers, seed by seed."""
    both = np.isfinite(a + b).all(axis=0)
    gap = np.log10(floored(a[:, both], floor)) - np.log10(floored(b[:, both], floor))
    mean, error = mean_over_tasks(gap[:, None, :])
    by_task = gap.mean(axis=1) if both.any() else np.zeros(0)
    return Pair(float(mean[0]), float(error[0]), int((by_task < 0).sum()), int((by_task > 0).sum()))
