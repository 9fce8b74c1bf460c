"""Estimators of scikit-learn that are trained in epochs, which go on by ``partial_fit``.

``fit`` shuffles the rows at each epoch with one generator; ``partial_fit`` makes a new one of
``random_state`` at each call, so that an integer would give every further epoch the same order. The
generator is therefore handed on, for as long as the extension lasts.

An estimator that ended by its own rule is not trained further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhpo._sklearn import epochs_of_partial_fit, network_has_stopped, validating_once
from skhpo.evaluation.adapters._base import Adapter, parameters


@dataclass(frozen=True)
class ShuffleState:
    """Where the shuffling of a network's rows stands.

    Attributes
    ----------
    generator : dict
        State of the ``RandomState`` that ``fit`` draws from.
    order : array of int (n,) or None
        The rows in the order of the last epoch; None before the first.
    """

    generator: dict[str, Any]
    order: np.ndarray | None


class _Shuffles(np.random.RandomState):
    """A generator that remembers where the shuffles applied to 0, ..., n - 1 have brought the rows.

    Each epoch of ``fit`` shuffles the order of the epoch before. ``partial_fit`` begins with the rows in
    their own order; told that it ``composes``, the generator leads it to the order that ``fit`` would
    have had.
    """

    composes = False
    order: np.ndarray | None = None

    def shuffle(self, x: Any) -> None:
        super().shuffle(x)
        self.order = np.array(x) if self.order is None else self.order[x]
        if self.composes:
            x[:] = self.order


@dataclass(frozen=True)
class Network(Adapter):
    """``MLPClassifier`` and ``MLPRegressor``: the optimizer's state stays, the order of rows goes on.

    Bit for bit the same as one fit. Not with ``solver="lbfgs"``, which has no epochs, and not with
    ``early_stopping``, which ``partial_fit`` refuses.
    """

    resource: str = "max_iter"

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether it is trained by stochastic gradients, to the end."""
        return model.solver in ("sgd", "adam") and not model.early_stopping

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> ShuffleState | None:
        """Fit, and remember where the shuffling stands."""
        if not self.can_extend(model, fit_params):
            super().begin(model, resource, X, y, fit_params, seed)
            return None
        shuffles = _shuffles(model.random_state, seed)
        with parameters(model, random_state=shuffles):
            super().begin(model, resource, X, y, fit_params, seed)
        return ShuffleState(shuffles.get_state(legacy=False), shuffles.order)

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: ShuffleState
    ) -> ShuffleState:
        """Train the missing epochs, or until the network stops by its own rule."""
        shuffles = _Shuffles()
        shuffles.set_state(memo.generator)
        shuffles.order, shuffles.composes = memo.order, True
        with parameters(model, random_state=shuffles), validating_once(model):
            while len(model.loss_curve_) < resource and not network_has_stopped(model):
                model.partial_fit(X, y, **fit_params)
        # partial_fit counts its own epoch only.
        model.n_iter_ = len(model.loss_curve_)
        model.set_params(max_iter=resource)
        return ShuffleState(shuffles.get_state(legacy=False), shuffles.order)


@dataclass(frozen=True)
class StochasticGradient(Adapter):
    """``SGD*``, ``Perceptron`` and ``PassiveAggressive*``: the same in distribution.

    The step size goes on where it stopped, since ``t_`` counts the rows seen; the order of the rows is
    another one. The count of epochs without improvement begins again. Not with ``early_stopping``, whose
    validation set would be another one, and not with ``learning_rate="adaptive"``, whose step size is
    not kept.
    """

    resource: str = "max_iter"

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether the training rows and the step size can go on."""
        params = model.get_params()
        return not params.get("early_stopping") and params.get("learning_rate") != "adaptive"

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> int:
        """Fit, and remember the seed for an estimator that has none."""
        super().begin(model, resource, X, y, fit_params, seed)
        return seed

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: int
    ) -> int:
        """Train the missing epochs, unless the estimator had converged before."""
        reached = model.max_iter
        if model.n_iter_ >= reached:
            start = ("coef_init", "intercept_init")
            going_on = {name: value for name, value in fit_params.items() if name not in start}
            target = () if y is None else (y,)
            shuffles = _generator(model.random_state, memo, reached)
            with parameters(model, random_state=shuffles), epochs_of_partial_fit(model, resource - reached):
                model.partial_fit(X, *target, **going_on)
            model.n_iter_ += reached
        model.set_params(max_iter=resource)
        return memo


def _shuffles(random_state: Any, seed: int) -> _Shuffles:
    """A recording generator in the state in which ``fit`` would find its own."""
    if isinstance(random_state, np.random.RandomState):
        shuffles = _Shuffles()
        shuffles.set_state(random_state.get_state(legacy=False))
        return shuffles
    return _Shuffles(seed if random_state is None else random_state)


def _generator(random_state: Any, seed: int, reached: int) -> np.random.RandomState:
    """A generator for what comes after ``reached`` epochs: the estimator's own, or one keyed by them."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    key = (seed if random_state is None else int(random_state), reached)
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(key)))
