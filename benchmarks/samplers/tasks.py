"""What a task is, and all of them by name.

Notation
--------
truth : what a point is worth, without noise; to be minimised
loss  : what a sampler is told of it, the same for every sampler that asks the same at the same time
k     : number of the evaluation in its run, from 0
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from .axes import Axis, Params, at

SPLIT = Path(__file__).parent / "split.json"
Half = Literal["development", "held-out"]


class Task(ABC):
    """One instance of a minimisation problem.

    Attributes
    ----------
    axes : list of Axis
    seed : int
        Number of the instance; runs with it have the same instance and the same noise.
    optimum : float
        Least possible truth; for a real task the least that is known.
    typical : float
        Median truth of random points: a normalised regret of 1.
    is_noisy : bool
        Whether a loss may differ from the truth.
    knows_optimum : bool
        Whether the optimum is a theorem and not a finding.
    floor : float
        Normalised regrets below it are called equal to it.
    """

    axes: list[Axis]
    seed: int
    knows_optimum: ClassVar[bool] = True
    floor: ClassVar[float] = 1e-4

    @property
    @abstractmethod
    def optimum(self) -> float: ...

    @property
    @abstractmethod
    def typical(self) -> float: ...

    @property
    @abstractmethod
    def is_noisy(self) -> bool: ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries that a truth depends on."""
        return {}

    @abstractmethod
    def truth(self, params: Params) -> float: ...

    def loss(self, k: int, params: Params) -> float:
        """What the sampler sees of the k-th evaluation."""
        return self.truth(params)

    def folds(self, k: int, params: Params) -> list[float] | None:
        """The losses that the k-th evaluation's is the mean of, if it is a mean."""
        return None


@dataclass
class FunctionTask(Task):
    """A function that is given by a formula.

    Attributes
    ----------
    noise : callable, optional
        Standard deviation of what is added to a loss, as a function of the parameters.
    """

    axes: list[Axis]
    function: Callable[[Params], float]
    least: float
    seed: int
    noise: Callable[[Params], float] | None = None
    _typical: float = field(default=math.nan, repr=False)

    @property
    def optimum(self) -> float:
        return self.least

    @property
    def is_noisy(self) -> bool:
        return self.noise is not None

    @property
    def typical(self) -> float:
        if math.isnan(self._typical):
            self._typical = float(np.median([self.truth(params) for params in random_points(self.axes)]))
        return self._typical

    def truth(self, params: Params) -> float:
        return self.function(params)

    def loss(self, k: int, params: Params) -> float:
        if self.noise is None:
            return self.truth(params)
        # Keyed by the number of the evaluation: every sampler has the same luck.
        z = float(np.random.default_rng([2027, self.seed, k]).standard_normal())
        return self.truth(params) + self.noise(params) * z


def random_points(axes: list[Axis], n: int = 1000) -> list[Params]:
    """Points drawn evenly from the space, always the same."""
    rng = np.random.default_rng(2025)
    return [at(axes, u) for u in rng.random((n, len(axes)))]


def generator(seed: int, name: str) -> np.random.Generator:
    """What an instance is drawn from; keyed apart from the samplers, which have the same seeds."""
    return np.random.default_rng([2026, seed, *name.encode()])


@cache
def registry() -> dict[str, Callable[[int], Task]]:
    """Maker of each task, by name; those of BBOB only where ``ioh`` is installed."""
    from . import bbob, functions, models, structured

    made: dict[str, Callable[[int], Task]] = {}
    for room in (functions, structured, bbob, models):
        made |= room.TASKS
    return made


@cache
def halves() -> dict[Half, dict[str, list[str]]]:
    """Names of the tasks, by half and then by group, as the file ``split.json`` has fixed them."""
    return json.loads(SPLIT.read_text())
