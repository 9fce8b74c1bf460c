"""Estimators of scikit-learn whose ``partial_fit`` takes a single batch.

The batches are drawn as ``fit`` draws them, from the generator that ``fit`` left behind, so that the
continued fit is the same bit for bit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import gen_even_slices

from skhpo._sklearn import KMEANS_DRAWS_BY_WEIGHT, n_samples, take_rows
from skhpo.evaluation.adapters._base import Adapter, parameters


class _Batches(Adapter):
    """Estimators that are trained on batches drawn from one generator."""

    _attribute: str
    """Where ``partial_fit`` looks for its generator."""

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> dict[str, Any]:
        """Fit, and remember the state of the generator."""
        generator = np.random.RandomState()
        if isinstance(model.random_state, np.random.RandomState):
            generator.set_state(model.random_state.get_state(legacy=False))
        else:
            generator.seed(seed if model.random_state is None else model.random_state)
        with parameters(model, random_state=generator):
            super().begin(model, resource, X, y, fit_params, seed)
        return dict(generator.get_state(legacy=False))

    def extend(
        self,
        model: Any,
        resource: int,
        X: Any,
        y: Any,
        fit_params: Mapping[str, Any],
        memo: dict[str, Any],
    ) -> dict[str, Any]:
        """Train on further batches."""
        generator = np.random.RandomState()
        generator.set_state(memo)
        reached = getattr(model, self.resource)
        with self._drawing_from(model, generator):
            self._train(model, reached, resource, X, fit_params, generator)
        model.set_params(**{self.resource: resource})
        return dict(generator.get_state(legacy=False))

    @contextmanager
    def _drawing_from(self, model: Any, generator: np.random.RandomState) -> Iterator[None]:
        """Let ``partial_fit`` draw from a generator for a while."""
        setattr(model, self._attribute, generator)
        try:
            yield
        finally:
            delattr(model, self._attribute)

    @abstractmethod
    def _train(
        self,
        model: Any,
        reached: int,
        resource: int,
        X: Any,
        fit_params: Mapping[str, Any],
        generator: np.random.RandomState,
    ) -> None:
        """Train from one length to the other."""


@dataclass(frozen=True)
class BoltzmannMachine(_Batches):
    """``BernoulliRBM``, whose batches are slices of the rows as they come.

    ``partial_fit`` computes in double precision where ``fit`` would keep single.
    """

    resource: str = "n_iter"
    _attribute = "random_state_"

    def _train(
        self,
        model: Any,
        reached: int,
        resource: int,
        X: Any,
        fit_params: Mapping[str, Any],
        generator: np.random.RandomState,
    ) -> None:
        n = n_samples(X)
        n_batches = -(-n // model.batch_size)
        slices = gen_even_slices(n_batches * model.batch_size, n_batches, n_samples=n)
        batches = [take_rows(X, rows) for rows in slices]
        for _ in range(resource - reached):
            for batch in batches:
                model.partial_fit(batch)


@dataclass(frozen=True)
class MiniBatchMeans(_Batches):
    """``MiniBatchKMeans``, whose batches are drawn with replacement and by weight.

    Only without its stopping rules, which ``partial_fit`` does not follow, and from scikit-learn 1.9 on,
    which draws otherwise than the releases before.
    """

    resource: str = "max_iter"
    _attribute = "_random_state"

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Whether it trains to the end."""
        return KMEANS_DRAWS_BY_WEIGHT and model.max_no_improvement is None and model.tol == 0

    def _train(
        self,
        model: Any,
        reached: int,
        resource: int,
        X: Any,
        fit_params: Mapping[str, Any],
        generator: np.random.RandomState,
    ) -> None:
        n = n_samples(X)
        weight = fit_params.get("sample_weight")
        weight = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
        batch_size = min(model.batch_size, n)
        n_steps = resource * n // batch_size - reached * n // batch_size
        # Labels are computed once, at the end and of all rows.
        with parameters(model, compute_labels=False):
            for _ in range(n_steps):
                rows = generator.choice(n, batch_size, p=weight / weight.sum(), replace=True)
                model.partial_fit(take_rows(X, rows))
        model.n_iter_ = -(-model.n_steps_ * batch_size // n)
        if model.compute_labels:
            model.labels_ = model.predict(X)
            model.inertia_ = -model.score(X, sample_weight=weight)
