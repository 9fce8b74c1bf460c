"""One task of a budgeted search, as a worker does it: take the model up, train it on, score it, put it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skhpo._sklearn import fit_and_score
from skhpo.evaluation._checkpoints import Checkpoint, Checkpoints
from skhpo.evaluation.adapters import Adapter


@dataclass(frozen=True)
class Training:
    """How the model of one trial and fold is brought to a length.

    Attributes
    ----------
    adapter : Adapter
    length, full : int
        How far to train now, and how far at most, in the model's own units.
    way : tuple of int
        Lengths at which the model was put by before. Where a checkpoint is lost, the model is trained again
        in the same stretches: for some models that is not the same as training at once.
    is_last : bool
        Whether nothing can follow, so that nothing need be kept.
    checkpoints : Checkpoints
    trial, fold : int
    seed : int
    """

    adapter: Adapter
    length: int
    way: tuple[int, ...]
    full: int
    is_last: bool
    checkpoints: Checkpoints
    trial: int
    fold: int
    seed: int

    def train(self, model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> Any:
        """Train a model on from its checkpoint, else from the beginning, in place; its memo."""
        checkpoint = self.checkpoints.load(self.trial, self.fold, like=model)
        if checkpoint is None:
            # What the adapter takes for the whole way, of which it goes a part.
            model.set_params(**{self.adapter.resource: self.full})
            way = self.way if self.adapter.can_extend(model, fit_params) else ()
            first, *others = sorted({*way, self.length})
            memo = self.adapter.begin(model, first, X, y, fit_params, self.seed)
            for length in others:
                memo = self.adapter.extend(model, length, X, y, fit_params, memo)
            return memo
        # The model stays the object it is, which scikit-learn is about to score.
        model.__dict__.update(vars(checkpoint.model))
        if checkpoint.length >= self.length:
            # Of a model with few units two rungs may be the same length.
            return checkpoint.memo
        return self.adapter.extend(model, self.length, X, y, fit_params, checkpoint.memo)

    def keep(self, model: Any, memo: Any, fit_params: Mapping[str, Any]) -> None:
        """Put a model by, if it can be trained on and may come to it."""
        if not self.is_last and self.adapter.can_extend(model, fit_params):
            self.checkpoints.save(self.trial, self.fold, Checkpoint(model, memo, self.length))


def train_and_score(estimator: Any, X: Any, y: Any, *, training: Training, **options: Any) -> dict[str, Any]:
    """As ``fit_and_score``, with the model trained on from where it was left.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
    training : Training
    **options : dict
        As for ``fit_and_score``.

    Returns
    -------
    outcome : dict
        As of ``fit_and_score``.
    """
    fitted: list[tuple[Any, Any, Mapping[str, Any]]] = []

    def train(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        fitted.append((model, training.train(model, X, y, fit_params), fit_params))

    outcome = fit_and_score(estimator, X, y, train_model=train, **options)
    # Outside the time that is taken of the fit.
    for model, memo, fit_params in fitted:
        training.keep(model, memo, fit_params)
    return outcome
