"""One task of a budgeted search, as a worker does it: take the model up, train it on, score it, put it by."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from skhpo._sklearn import fit_and_score
from skhpo.evaluation._checkpoints import Checkpoint, Checkpoints
from skhpo.evaluation._nets import NetTask, Trained, fault_in, park, unpark
from skhpo.evaluation.adapters import Adapter
from skhpo.evaluation.adapters._base import fit
from skhpo.evaluation.adapters._skorch import Skorch


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

    def train(
        self, model: Any, X: Any, y: Any, fit_params: Mapping[str, Any], device: str | None = None
    ) -> Any:
        """Train a model on from its checkpoint, else from the beginning, in place; its memo.

        Its nets go on at the ``device``, or where they were.
        """
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
        unpark(model, checkpoint.devices if device is None else device)
        if checkpoint.length >= self.length:
            # Of a model with few units two rungs may be the same length.
            return checkpoint.memo
        return self.adapter.extend(model, self.length, X, y, fit_params, checkpoint.memo)

    def keep(self, model: Any, memo: Any, fit_params: Mapping[str, Any]) -> None:
        """Put a model by, if it can be trained on and may come to it."""
        self.discard()
        if not self.is_last and self.adapter.can_extend(model, fit_params):
            devices = park(model)
            self.checkpoints.save(self.trial, self.fold, Checkpoint(model, memo, self.length, devices))

    def discard(self) -> None:
        """Let go of a checkpoint that has been trained on in place: a task that is done again begins anew."""
        self.checkpoints.discard(self.trial, self.fold)

    def take_up(self, net: Any, device: str | None) -> tuple[int, Any, Callable[[Any, Any], Any]] | None:
        """Hand a net over to who trains several together, from where it was left.

        Returns
        -------
        length : int
            To train to.
        start : int or pair of arrays
            Seed to begin with, or states of the generators to go on with.
        memo : callable
            Makes the adapter's memo from the net and the states in the end.
        """
        if not isinstance(self.adapter, Skorch):
            return None
        checkpoint = self.checkpoints.load(self.trial, self.fold, like=net)
        if checkpoint is None:
            is_to_go_again = len(self.way) > 0 and self.adapter.can_extend(net, {})
            return None if is_to_go_again else (self.length, self.seed, self.adapter.taken_back)
        if checkpoint.length >= self.length or not self.adapter.can_hand_over(checkpoint.memo):
            return None
        net.__dict__.update(vars(checkpoint.model))
        unpark(net, checkpoint.devices if device is None else device)
        return self.length, self.adapter.handed_over(net, checkpoint.memo), self.adapter.taken_back


def train_and_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    training: Training | None = None,
    nets: NetTask | None = None,
    trained: Trained | None = None,
    **options: Any,
) -> dict[str, Any]:
    """As ``fit_and_score``, with the model trained on from where it was left, its nets where they belong.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
    training : Training, optional
        By default the model is fitted as it is.
    nets : NetTask, optional
        If there are nets in the model.
    trained : Trained, optional
        The model, if it has been trained already.
    **options : dict
        As for ``fit_and_score``.

    Returns
    -------
    outcome : dict
        As of ``fit_and_score``; and ``"device_fault"``, where the task was given a device.
    """
    fitted: list[tuple[Any, Any, Mapping[str, Any]]] = []
    errors: list[str] = []

    def train(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        if trained is not None:
            model.__dict__.update(vars(trained.net))
            stack.enter_context(trained.answering(model))
            fitted.append((model, trained.memo, fit_params))
            return
        if nets is not None:
            nets.prepare(model)
        if training is not None:
            memo = training.train(model, X, y, fit_params, device=None if nets is None else nets.device)
            fitted.append((model, memo, fit_params))
            return
        fit(model, X, y, fit_params)

    try:
        with ExitStack() as stack:
            if nets is not None:
                # What a scorer draws is the task's own as well.
                stack.enter_context(nets.seeded(estimator, options["parameters"]))
            outcome = fit_and_score(estimator, X, y, train_model=train, errors=errors, **options)
    except BaseException:
        # Whatever ends a task, an interrupt too, ends it in the middle of a training.
        if training is not None:
            training.discard()
        if nets is not None:
            nets.see_to([traceback.format_exc()])
        raise
    if trained is not None:
        outcome["fit_time"] = trained.seconds
    fault = None if nets is None else nets.see_to(errors)
    # Outside the time that is taken of the fit.
    if training is not None:
        try:
            if not fitted or fault in ("device", "context"):
                training.discard()
            else:
                training.keep(*fitted.pop())
        except Exception:
            # Whatever a device raises that has failed by now; of all else the checkpoints tell by themselves.
            if nets is None or fault_in(error := traceback.format_exc()) is None:
                raise
            training.discard()
            fault = nets.see_to([error])
    if nets is not None and nets.device is not None:
        outcome["device_fault"] = fault
    return outcome
