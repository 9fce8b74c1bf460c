"""What a net that is trained together with others writes down, as it would alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from skorch.callbacks import EpochScoring, PrintLog
from torch import Tensor


def begin_training(net: Any, X: Any, y: Any) -> None:
    """What skorch tells its callbacks at the beginning of a fit."""
    for _, callback in net.callbacks_:
        callback.on_train_begin(net, X=X, y=y)


def end_training(net: Any, X: Any, y: Any) -> None:
    """What skorch tells its callbacks at the end of a fit."""
    for _, callback in net.callbacks_:
        callback.on_train_end(net, X=X, y=y)


def begin_epoch(net: Any, datasets: dict[str, Any]) -> None:
    """Open an epoch in a net's history."""
    net.history.new_epoch()
    net.history.record("epoch", len(net.history))
    for _, callback in net.callbacks_:
        callback.on_epoch_begin(net, **datasets)


def record_batches(net: Any, prefix: str, losses: Sequence[float], counts: np.ndarray) -> None:
    """Write down the loss and the size of each batch that has rows of this net."""
    epoch = list.__getitem__(net.history, -1)
    seen = [(loss, int(n)) for loss, n in zip(losses, counts, strict=True) if n > 0]
    epoch["batches"] += [{f"{prefix}_loss": loss, f"{prefix}_batch_size": n} for loss, n in seen]
    epoch[f"{prefix}_batch_count"] = len(seen)


def end_epoch(net: Any, datasets: dict[str, Any], seen: tuple[Any, Tensor] | None) -> None:
    """Let the callbacks write what they make of an epoch; nothing is printed.

    Parameters
    ----------
    net : NeuralNet
    datasets : dict
        Of training and validation, by skorch's names.
    seen : pair or None
        Outputs and targets of the validation set, where there is one.
    """
    for _, callback in net.callbacks_:
        if isinstance(callback, PrintLog):
            continue
        if isinstance(callback, EpochScoring) and seen is not None:
            callback.y_preds_, callback.y_trues_ = [seen[0]], [seen[1]]
        callback.on_epoch_end(net, **datasets)


def scores_outputs(net: Any) -> bool:
    """Whether a callback looks at the outputs for the validation set."""
    return any(isinstance(callback, EpochScoring) for _, callback in net.callbacks_)


@contextmanager
def unchanged_on_error(nets: Sequence[Any]) -> Iterator[None]:
    """Nets that are as they were where something is raised, so that each can be trained alone instead."""
    kept = [(net, dict(vars(net)), list(net.history_ or []), _callbacks(net)) for net in nets]
    try:
        yield
    except BaseException:
        for net, attributes, history, callbacks in kept:
            vars(net).clear()
            vars(net).update(attributes)
            if net.history_ is not None:
                net.history_[:] = history
            for callback, state in callbacks:
                vars(callback).clear()
                vars(callback).update(state)
        raise


def _callbacks(net: Any) -> list[tuple[Any, dict[str, Any]]]:
    return [(callback, dict(vars(callback))) for _, callback in getattr(net, "callbacks_", [])]
