"""Our samplers and their peers behind one pair of verbs: ``ask() -> params`` and ``tell(loss)``.

A peer has its own defaults and the distributions that its user would write for the same space;
conditional parameters are asked for where they are active, as define-by-run does it.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import skhpo
from skhpo.space import Categorical, Integer, Ordinal, Space

FAMILIES = {"tpe": "optuna-tpe", "gp": "optuna-gp", "cmaes": "optuna-cmaes"}
"""Each of our model-based samplers and the peer it is measured against."""

_CLASSES = {
    "random": ("skhpo.samplers", "RandomSampler"),
    "sobol": ("skhpo.samplers", "SobolSampler"),
    "tpe": ("skhpo.samplers.tpe", "TPESampler"),
    "gp": ("skhpo.samplers.gp", "GPSampler"),
    "cmaes": ("skhpo.samplers.cmaes", "CMAESSampler"),
}
OURS = tuple(_CLASSES)
PEERS = (*FAMILIES.values(), "skopt-gp")


class Runner(ABC):
    """A sampler at work on one space, with the CPU time of its own that it took.

    Attributes
    ----------
    seconds : float
        CPU time of all asks and tells so far.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.seconds = 0.0

    def ask(self) -> dict[str, Any]:
        """Parameters to evaluate next."""
        start = time.process_time()
        params = self._ask()
        self.seconds += time.process_time() - start
        return params

    def tell(self, loss: float) -> None:
        """What the parameters asked last were worth."""
        start = time.process_time()
        self._tell(loss)
        self.seconds += time.process_time() - start

    @abstractmethod
    def tell_many(self, points: Sequence[tuple[np.ndarray, float]]) -> None:
        """Losses of points of the unit cube that were not asked for; all columns are ``Real(0, 1)``."""

    @abstractmethod
    def _ask(self) -> dict[str, Any]: ...

    @abstractmethod
    def _tell(self, loss: float) -> None: ...


class _Ours(Runner):
    def __init__(self, name: str, space: Space, seed: int, n_trials: int) -> None:
        super().__init__(space)
        module, sampler = _CLASSES[name]
        self._sampler = getattr(import_module(module), sampler)().start(space, seed=seed, n_trials=n_trials)

    def _ask(self) -> dict[str, Any]:
        self._X = self._sampler.ask(1)
        return self.space.to_params(self._X[0])

    def _tell(self, loss: float) -> None:
        self._sampler.tell(self._X, np.array([loss]))

    def tell_many(self, points: Sequence[tuple[np.ndarray, float]]) -> None:
        for u, loss in points:
            self._sampler.tell(u[None], np.array([loss]))


class _Optuna(Runner):
    def __init__(self, name: str, space: Space, seed: int) -> None:
        super().__init__(space)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        make = {
            "optuna-tpe": optuna.samplers.TPESampler,
            "optuna-gp": optuna.samplers.GPSampler,
            "optuna-cmaes": optuna.samplers.CmaEsSampler,
        }[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study = optuna.create_study(sampler=make(seed=seed))

    def _ask(self) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial = self._study.ask()
            return {name: self._suggest(name, j) for name, j in self._active()}

    def _active(self) -> Iterator[tuple[str, int]]:
        levels: dict[int, int] = {}
        for j, column in enumerate(self.space.columns):
            if column.parent is None or levels.get(column.parent) in column.branches:
                yield str(column.name), j
                if isinstance(column.dimension, Categorical):
                    levels[j] = list(column.dimension.choices).index(self._trial.params[str(column.name)])

    def _suggest(self, name: str, j: int) -> Any:
        dimension = self.space.columns[j].dimension
        if isinstance(dimension, Categorical | Ordinal):
            return self._trial.suggest_categorical(name, list(dimension.choices))
        suggest = self._trial.suggest_int if isinstance(dimension, Integer) else self._trial.suggest_float
        return suggest(name, dimension.low, dimension.high, log=dimension.log)

    def _tell(self, loss: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(self._trial, loss)

    def tell_many(self, points: Sequence[tuple[np.ndarray, float]]) -> None:
        from optuna.distributions import FloatDistribution
        from optuna.trial import create_trial

        names = [str(column.name) for column in self.space.columns]
        axes = {name: FloatDistribution(0.0, 1.0) for name in names}
        for u, loss in points:
            params = dict(zip(names, u.tolist(), strict=True))
            self._study.add_trial(create_trial(params=params, distributions=axes, value=loss))


class _Skopt(Runner):
    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space)
        import skopt

        if space.is_conditional:
            raise ValueError("scikit-optimize has no conditional parameters.")
        axes = []
        for column in space.columns:
            dimension = column.dimension
            if isinstance(dimension, Categorical | Ordinal):
                axes.append(skopt.space.Categorical(list(dimension.choices)))
            else:
                kind = skopt.space.Integer if isinstance(dimension, Integer) else skopt.space.Real
                axes.append(
                    kind(dimension.low, dimension.high, "log-uniform" if dimension.log else "uniform")
                )
        self._optimizer = skopt.Optimizer(axes, random_state=seed)

    def _ask(self) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._x = self._optimizer.ask()
        return {str(column.name): value for column, value in zip(self.space.columns, self._x, strict=True)}

    def _tell(self, loss: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._optimizer.tell(self._x, loss)

    def tell_many(self, points: Sequence[tuple[np.ndarray, float]]) -> None:
        self._optimizer.tell([u.tolist() for u, _ in points], [loss for _, loss in points])


def start(name: str, space: Space, *, seed: int, n_trials: int) -> Runner:
    """A sampler of that name at work; ``ValueError`` if it cannot search the space.

    Parameters
    ----------
    name : str
        One of ``OURS`` or ``PEERS``.
    space : Space
    seed : int
    n_trials : int
        Length of the run. Ours are told it, as a search tells them; Optuna has no place for it.
    """
    if name in OURS:
        return _Ours(name, space, seed, n_trials)
    if name == "skopt-gp":
        return _Skopt(space, seed)
    if name in PEERS:
        return _Optuna(name, space, seed)
    raise ValueError(f"Unknown sampler {name!r}; there are {', '.join(OURS + PEERS)}.")


@cache
def build_of(name: str) -> str:
    """What a result of this sampler depends on: a peer's version, or a hash of our source."""
    if name not in OURS:
        return version("scikit-optimize" if name == "skopt-gp" else "optuna")
    package = Path(skhpo.__file__).parent
    sources = [package / "samplers" / "_base.py", *sorted((package / "space").glob("_[ds]*.py"))]
    folder = package / "samplers" / name
    sources += sorted(folder.glob("*.py")) if folder.is_dir() else [package / "samplers" / f"_{name}.py"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    return digest.hexdigest()[:12]
