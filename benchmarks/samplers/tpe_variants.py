"""Variants of the TPE that are no options: what each of its parts is worth.

A class here is a variant by its name in ``VARIANTS``, "tpe:variant=univariate". The version of a result is
that of the sampler's source alone: a class that is edited needs a new name.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from skhpo.samplers.tpe import TPESampler
from skhpo.samplers.tpe._bandwidths import leaving_probabilities, ordered_bandwidths
from skhpo.samplers.tpe._parzen import ParzenEstimator
from skhpo.samplers.tpe._sampler import Kernels, estimator_of
from skhpo.space import Column, Real, Space


class Gaps(TPESampler):
    """Each kernel as wide as the farther of the gaps to its neighbours (Bergstra 2011), at least 0.06."""

    def _estimator(self, kernels: Kernels, sigma: np.ndarray) -> ParzenEstimator:
        gaps = np.clip(_neighbour_gaps(kernels.X), 0.06, 1.0)
        b = leaving_probabilities(self.space, kernels.X)
        bandwidths = np.where(_is_categorical(self.space), b, np.where(np.isnan(gaps), 1.0, gaps))
        w = np.append(kernels.w, self.prior_weight)
        return ParzenEstimator(self.space, kernels.X, bandwidths, w / w.sum())


class OwnScott(TPESampler):
    """Scott's rule for the good points and for the bad ones, each for their own kernels."""

    def _estimator(self, kernels: Kernels, sigma: np.ndarray) -> ParzenEstimator:
        own = ordered_bandwidths(kernels.X, kernels.w, self.min_bandwidth_factor, self.magic_clip_exponent)
        return super()._estimator(kernels, own)


class Grouped(TPESampler):
    """Parameters of one branch have joint kernels, and those of different branches are independent."""

    def _groups(self) -> list[list[int]]:
        groups: dict[tuple[object, object], list[int]] = {}
        for j, column in enumerate(self.space.columns):
            groups.setdefault((column.parent, column.branches), []).append(j)
        return list(groups.values())

    def _estimator(self, kernels: Kernels, sigma: np.ndarray) -> ParzenEstimator:
        return _Product(self.space, self._groups(), kernels, sigma, self.prior_weight)


class Univariate(Grouped):
    """Each parameter has kernels of its own."""

    def _groups(self) -> list[list[int]]:
        return [[j] for j in range(self.space.d)]


class SquareRoot(TPESampler):
    """As many good points as hyperopt has: a quarter of the square root."""

    def _n_below(self, n: int) -> int:
        return min(math.ceil(0.25 * math.sqrt(n)), self.max_below)


class RandomDesign(TPESampler):
    """Begins with points drawn at random."""

    def _initial(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.random((n, self.space.d))


class Continuous(TPESampler):
    """Integers and ordered choices count as real numbers in the densities."""

    def _estimator(self, kernels: Kernels, sigma: np.ndarray) -> ParzenEstimator:
        columns = [
            replace(column, dimension=Real(0.0, 1.0)) if column.dimension.kind == "ordinal" else column
            for column in self.space.columns
        ]
        return estimator_of(Space(columns), kernels, sigma, self.prior_weight)

    def _candidates(self, below: ParzenEstimator, rng: np.random.Generator) -> np.ndarray:
        return self.space.canonical(super()._candidates(below, rng))


class MixedColumns(TPESampler):
    """Half of the candidates have each of their values from one of two kernels."""

    def _candidates(self, below: ParzenEstimator, rng: np.random.Generator) -> np.ndarray:
        first, second = (super(MixedColumns, self)._candidates(below, rng) for _ in range(2))
        swap = (rng.random(first.shape) < 0.5) & ~np.isnan(second)
        swap[len(first) // 2 :] = False
        return self.space.canonical(np.where(swap, second, np.where(np.isnan(first), 0.5, first)))


class Local(TPESampler):
    """A quarter of the candidates are from a kernel 0.02 wide around the best point."""

    def _candidates(self, below: ParzenEstimator, rng: np.random.Generator) -> np.ndarray:
        drawn = super()._candidates(below, rng)
        n = len(drawn) // 4
        near = below.X[0] + np.where(_is_categorical(self.space), 0.0, 0.02) * rng.standard_normal(
            (n, self.space.d)
        )
        drawn[:n] = np.where(np.isnan(near), drawn[:n], np.clip(near, 0.0, 1.0))
        return self.space.canonical(np.where(np.isnan(drawn), 0.5, drawn))


class Differences(TPESampler):
    """Half of the candidates are a good point, moved by a part of the difference of two others."""

    def _candidates(self, below: ParzenEstimator, rng: np.random.Generator) -> np.ndarray:
        drawn, good = super()._candidates(below, rng), below.X
        if len(good) < 3:
            return drawn
        n = len(drawn) // 2
        start, end, at = (good[rng.integers(len(good), size=n)] for _ in range(3))
        step = np.where(_is_categorical(self.space), 0.0, rng.uniform(0.3, 1.0, (n, 1)) * (end - start))
        moved = np.clip(at + step, 0.0, 1.0)
        drawn[:n] = np.where(np.isnan(moved), drawn[:n], moved)
        return self.space.canonical(np.where(np.isnan(drawn), 0.5, drawn))


class _Product(ParzenEstimator):
    """A product of estimators for groups of columns, each of the kernels that are active there."""

    def __init__(
        self, space: Space, groups: list[list[int]], kernels: Kernels, sigma: np.ndarray, prior_weight: float
    ) -> None:
        self.space, self.X, self._groups, self._parts = space, kernels.X, groups, []
        for group in groups:
            there = ~np.isnan(kernels.X[:, group[0]])
            columns = [Column(space.columns[j].name, space.columns[j].dimension) for j in group]
            part = Kernels(kernels.X[there][:, group], kernels.w[there])
            self._parts.append(estimator_of(Space(columns), part, sigma[group], prior_weight))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        X = np.empty((n, self.space.d))
        for group, part in zip(self._groups, self._parts, strict=True):
            X[:, group] = part.sample(n, rng)
        return self.space.canonical(X)

    def log_density(self, X: np.ndarray) -> np.ndarray:
        total = np.zeros(len(X))
        for group, part in zip(self._groups, self._parts, strict=True):
            there = ~np.isnan(X[:, group[0]])
            total[there] += part.log_density(X[there][:, group])
        return total


def _is_categorical(space: Space) -> np.ndarray:
    return np.array(space.kinds) == "categorical"


def _neighbour_gaps(X: np.ndarray) -> np.ndarray:
    """Distance (m, d) to the neighbour on the same axis, the farther of the two; NaN if inactive."""
    order = np.argsort(X, axis=0, kind="stable")  # NaN last
    at = (order, np.arange(X.shape[1]))
    ordered = X[at]
    gap = np.full((len(X) + 1, X.shape[1]), np.nan)
    gap[1:-1] = np.diff(ordered, axis=0)
    farther = np.fmax(gap[:-1], gap[1:])
    gaps = np.empty(X.shape)
    # A point alone on its axis reaches to the farther edge.
    gaps[at] = np.where(np.isnan(farther), np.maximum(ordered, 1 - ordered), farther)
    return gaps


VARIANTS: dict[str, type[TPESampler]] = {
    "gaps": Gaps,
    "own-scott": OwnScott,
    "grouped": Grouped,
    "univariate": Univariate,
    "square-root": SquareRoot,
    "random-design": RandomDesign,
    "continuous": Continuous,
    "mixed-columns": MixedColumns,
    "local": Local,
    "differences": Differences,
}
FORMER = "tpe:variant=gaps,gamma=0.1,weights='equal'"
ROWS = (
    "optuna-tpe",
    FORMER,
    "tpe:variant=gaps",
    "tpe:variant=own-scott",
    "tpe:min_bandwidth_factor=0.03",
    "tpe:magic_clip_exponent=1.0",
    "tpe:magic_clip_exponent=3.0",
    "tpe:gamma=0.05",
    "tpe:gamma=0.1",
    "tpe:gamma=0.15",
    "tpe:gamma=0.2",
    "tpe:variant=square-root",
    "tpe:max_below=4",
    "tpe:weights='equal'",
    "tpe:weights='improvement'",
    "tpe:variant=univariate",
    "tpe:variant=grouped",
    "tpe:variant=continuous",
    "tpe:n_ei_candidates=12",
    "tpe:n_ei_candidates=64",
    "tpe:n_startup=5",
    "tpe:n_startup=20",
    "tpe:variant=random-design",
    "tpe:variant=mixed-columns",
    "tpe:variant=local",
    "tpe:variant=differences",
    "tpe:prior_weight=0.5",
    "tpe:prior_weight=2.0",
)
