"""Variants of the Gaussian process that are no options: what each of its parts is worth.

A class here is a variant by its name in ``VARIANTS``, "gp:variant=matern32". The version of a result is that
of the sampler's source alone: a class that is edited needs a new name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from skhpo.samplers.gp import GPSampler, _fit, _posterior, _sampler, _transforms
from skhpo.samplers.gp._acquisition import Acquisition, log_ei
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._fit import LogNormalPrior, MapObjective
from skhpo.samplers.gp._observations import Observations
from skhpo.samplers.gp._posterior import Posterior
from skhpo.samplers.gp._transforms import targets


@dataclass(eq=False)
class Patched(GPSampler):
    """Some functions of the sampler's modules are others while it works."""

    def _patches(self) -> list[tuple[Any, str, Any]]:
        return []

    @contextmanager
    def _patched(self) -> Iterator[None]:
        applied = [mock.patch.object(*patch) for patch in self._patches()]
        for patch in applied:
            patch.start()
        try:
            yield
        finally:
            for patch in reversed(applied):
                patch.stop()

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        with self._patched():
            return super()._propose(n, pending, rng)


def _matern32(R2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rasmussen & Williams 2006, eq. 4.17, and its derivative by r^2."""
    root3_r = np.sqrt(3.0 * R2)
    decay = np.exp(-root3_r)
    return (1.0 + root3_r) * decay, -1.5 * decay


class Matern32(Patched):
    """Matern-3/2, as in HEBO."""

    def _patches(self) -> list[tuple[Any, str, Any]]:
        return [(_fit, "matern52", _matern32), (_posterior, "matern52", _matern32)]


class NoCap(Patched):
    """Bad losses are not drawn in; Yeo-Johnson where it is likelier."""

    def _data(self, n: int) -> Observations:
        with mock.patch("skhpo.samplers.gp._observations.capped", lambda loss, n: loss):
            return super()._data(n)


class CapOnly(Patched):
    """Bad losses are drawn in, and no power is tried."""

    def _patches(self) -> list[tuple[Any, str, Any]]:
        same = lambda z: (z, -np.inf)  # noqa: E731
        return [(_transforms, "power_transformed", same)]


class Prior(GPSampler):
    """Another prior on the hyperparameters."""

    length: tuple[float, float] | None = None
    scaled = True
    noise: tuple[float, float] | None = None
    signal: tuple[float, float] | None = None

    def _model(self, *, budget: bool) -> None:
        super()._model(budget=budget)
        d = self.space.d
        mean, sd = self._prior.mean.copy(), self._prior.sd.copy()
        if self.length is not None:
            mean[:d] = self.length[0] + (0.5 * math.log(d) if self.scaled else 0.0)
            sd[:d] = self.length[1]
        if self.noise is not None:
            mean[-1], sd[-1] = self.noise
        if self.signal is not None:
            mean[-2], sd[-2] = self.signal
        self._prior = LogNormalPrior(mean, sd)
        self._theta = dict.fromkeys((False, True), self._prior.mean)


class NarrowLengths(Prior):
    """The prior that lengths have beside bends, without any: 1 in six dimensions, within a factor of 4."""

    length = (-0.9, 0.7)


class ShortLengths(Prior):
    """Half as long."""

    length = (-0.9 - math.log(2.0), 0.7)


class FlatLengths(Prior):
    """As long in many dimensions as in one."""

    length, scaled = (0.0, 0.7), False


class MoreNoise(Prior):
    """A noise variance of 1e-3, a factor of e^2 either way."""

    noise = (math.log(1e-3), 2.0)


class NoNoise(Prior):
    """Hardly any noise."""

    noise = (math.log(1e-6), 1.0)


class LargeSignal(Prior):
    """A signal of four times the variance."""

    signal = (math.log(4.0), 1.0)


class Drawn(GPSampler):
    """Each proposal is by hyperparameters drawn from Laplace's approximation of their posterior."""

    spread = 1.0

    def _start(self) -> None:
        super()._start()
        self._roots: dict[bool, np.ndarray] = {}

    def _fit(self, seen: Observations, *, afresh: bool) -> None:
        super()._fit(seen, afresh=afresh)
        which = self._transforms
        theta = self._theta[which]
        y, _ = targets(seen.loss, transform=which)
        self._roots[which] = np.zeros((len(theta), len(theta)))
        if np.ptp(y) == 0.0:
            return
        objective = MapObjective(self._embedding, seen.Phi, y, self._prior)
        h = 1e-3
        H = np.array([
            (objective(theta + h * e)[1] - objective(theta - h * e)[1]) / (2 * h) for e in np.eye(len(theta))
        ])  # fmt: skip
        values, vectors = np.linalg.eigh(0.5 * (H + H.T))
        values = np.maximum(np.where(np.isfinite(values), values, 1e6), 1.0 / self._prior.sd.max() ** 2)
        self._roots[which] = vectors / np.sqrt(values)

    def _posterior(self) -> Posterior:
        n = len(self.history)
        self._refit(n)
        which = self._transforms
        root = self._roots[which]
        z = np.random.default_rng([self.seed, self.n_asked, 7]).standard_normal(len(root))
        kept = self._theta[which]
        self._theta[which] = kept + self.spread * root @ z
        try:
            return super()._posterior()
        finally:
            self._theta[which] = kept


class HalfDrawn(Drawn):
    spread = 0.5


class Interleaved(GPSampler):
    """Every fifth proposal is a point of the Sobol sequence."""

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.n_asked >= self.n_startup and self.n_asked % 5 == 4:
            return self.space.canonical(self._design.points(self.n_asked, n))
        return super()._propose(n, pending, rng)


@dataclass(frozen=True)
class _Within(Acquisition):
    """An acquisition function that has next to no value outside of a box of the ordered columns."""

    low: np.ndarray
    high: np.ndarray

    def _outside(self, X: np.ndarray) -> np.ndarray:
        return ((X < self.low) | (X > self.high)).any(axis=1)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return np.where(self._outside(X), -1e30, super().__call__(X))

    def with_gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = super().with_gradient(X)
        outside = self._outside(X)
        return np.where(outside, -1e30, value), np.where(outside[:, None], 0.0, gradient)


class TrustRegion(Patched):
    """A box around the best point that grows with successes and shrinks with failures, as in TuRBO-1.

    Its sides are as long as the length scales among each other; when it has shrunk to nothing it starts anew.
    """

    largest, smallest, n_successes = 0.8, 0.5**7, 3

    def _side(self) -> float:
        side, best, good, bad = self.largest, np.inf, 0, 0
        for i, loss in enumerate(self.history.loss):
            if i < self.n_startup:
                best = np.fmin(best, loss)
                continue
            if loss < best:
                best, good, bad = loss, good + 1, 0
            else:
                good, bad = 0, bad + 1
            if good == self.n_successes:
                side, good = min(2.0 * side, self.largest), 0
            elif bad == max(4, self.space.d):
                side, bad = 0.5 * side, 0
            if side < self.smallest:
                side = self.largest
        return side

    def _patches(self) -> list[tuple[Any, str, Any]]:
        def within(embedding: Embedding, posterior: Posterior, utility: Any) -> Acquisition:
            ordered = np.array(self.space.kinds) != "categorical"
            lengths = np.minimum(posterior.hyper.lengths[: self.space.d], 10.0)
            sides = (
                self._side() * lengths / np.exp(np.log(lengths[ordered]).mean()) if ordered.any() else lengths
            )
            centre = self.history.X[np.nanargmin(self.history.loss)]
            reach = np.where(ordered & ~np.isnan(centre), 0.5 * np.maximum(sides, 1e-3), 2.0)
            centre = np.where(np.isnan(centre), 0.5, centre)
            return _Within(embedding, posterior, utility, centre - reach, centre + reach)

        return [(_sampler, "Acquisition", within)]


class _RawMap(MapObjective):
    """Some hyperparameters have Optuna's priors, and count by their own density, not that of their logarithm.

    Inverse squared length scales exp(-0.1 (x + 1 / x)), signal Gamma(2, 1), noise Gamma(1.1, 30).
    """

    parts: tuple[str, ...] = ("lengths", "signal", "noise")

    def __init__(self, embedding: Embedding, Phi: np.ndarray, y: np.ndarray, prior: LogNormalPrior) -> None:
        sd = prior.sd.copy()
        for part, entries in (("lengths", slice(-2)), ("signal", -2), ("noise", -1)):
            if part in self.parts:
                sd[entries] = np.inf
        super().__init__(embedding, Phi, y, LogNormalPrior(prior.mean, sd))

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = super().__call__(theta)
        gradient = gradient.copy()
        if "lengths" in self.parts:
            x = np.exp(-2.0 * theta[:-2])
            value += 0.1 * (x + 1.0 / x).sum()
            gradient[:-2] += 0.2 * (1.0 / x - x)
        for part, i, shape, rate in (("signal", -2, 2.0, 1.0), ("noise", -1, 1.1, 30.0)):
            if part in self.parts:
                raw = math.exp(theta[i])
                value -= (shape - 1.0) * theta[i] - rate * raw
                gradient[i] -= (shape - 1.0) - rate * raw
        return value, gradient


class OptunaPriors(Patched):
    """The priors of Optuna's Gaussian process."""

    objective: type[MapObjective] = _RawMap

    def _fit(self, seen: Observations, *, afresh: bool) -> None:
        with mock.patch.object(_sampler, "MapObjective", self.objective):
            super()._fit(seen, afresh=afresh)


class _RawLengths(_RawMap):
    parts = ("lengths",)


class OptunaLengths(OptunaPriors):
    """Its prior of the length scales: hardly any opinion from 0.3 to 3, and a wall on either side."""

    objective = _RawLengths


class _RawNoise(_RawMap):
    parts = ("noise",)


class OptunaNoise(OptunaPriors):
    """Its prior of the noise: hardly ever more than a tenth."""

    objective = _RawNoise


class MeanIncumbent(GPSampler):
    """What is to be improved on is the least posterior mean at a point told, not the least target."""

    def _utility(self, posterior: Posterior) -> Any:
        f = self._incumbent(posterior)
        return lambda mu, sigma: log_ei(mu, sigma, f)

    def _incumbent(self, posterior: Posterior) -> np.ndarray:
        told = self._embedding.features(self.history.X[self._observed.rows])
        return posterior(told)[0].min(axis=0)


class HalfwayIncumbent(MeanIncumbent):
    """Halfway between the two."""

    def _incumbent(self, posterior: Posterior) -> np.ndarray:
        return 0.5 * (super()._incumbent(posterior) + posterior.Y[self._observed.m :].min(axis=0))


VARIANTS: dict[str, type[GPSampler]] = {
    "matern32": Matern32,
    "no-cap": NoCap,
    "cap-only": CapOnly,
    "narrow-lengths": NarrowLengths,
    "short-lengths": ShortLengths,
    "flat-lengths": FlatLengths,
    "more-noise": MoreNoise,
    "no-noise": NoNoise,
    "large-signal": LargeSignal,
    "drawn": Drawn,
    "half-drawn": HalfDrawn,
    "interleaved": Interleaved,
    "trust-region": TrustRegion,
    "mean-incumbent": MeanIncumbent,
    "halfway-incumbent": HalfwayIncumbent,
    "optuna-priors": OptunaPriors,
    "optuna-lengths": OptunaLengths,
    "optuna-noise": OptunaNoise,
}
ROWS = (
    "optuna-gp",
    "gp:n_startup=6",
    "gp:n_startup=15",
    "gp:transform=False",
    "gp:warp=True",
    *(f"gp:variant={name}" for name in VARIANTS),
)
