"""Several tasks done as one: their nets trained and applied as one batched model, and scored apart."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from typing import Any

import numpy as np
from sklearn.base import clone

from skhpo._sklearn import take_rows
from skhpo.evaluation._cross_validation import Call
from skhpo.evaluation._nets import NetTask, Trained, fault_in, free_memory, nets_in
from skhpo.evaluation._training import Training


def gathered(calls: Sequence[Call]) -> Call:
    """One call that does the work of several, each of which trains a net."""
    return do_together, (list(calls),), {"nets": replace(calls[0][2]["nets"], name="together")}


def do_together(calls: Sequence[Call], *, nets: NetTask) -> dict[str, Any]:
    """Train the nets of several tasks together, as far as that can be, and finish each task by itself.

    Parameters
    ----------
    calls : sequence of Call
    nets : NetTask
        With the device.

    Returns
    -------
    bundle : dict
        ``"outcomes"``, in the order of the calls, with None for those to be done again by themselves;
        ``"reasons"`` why nets were trained one by one; ``"device_fault"``; ``"one_by_one"``, if it is a
        task's own doing and is not to be tried again in halves.
    """
    calls = [_with_device(call, nets) for call in calls]
    outcomes: list[dict[str, Any] | None] = []
    bundle = _Bundle(calls)
    try:
        bundle.train()
        for i, (function, args, options) in enumerate(calls):
            more = {"trained": bundle.trained.pop(i)} if i in bundle.trained else {}
            outcome = function(*args, **options, **more)
            fault = outcome.pop("device_fault", None)
            if len(calls) == 1:
                return {"outcomes": [outcome], "reasons": [], "device_fault": fault}
            if fault in ("device", "context"):
                bundle.discard(len(outcomes))
                return {
                    "outcomes": [None] * len(calls),
                    "reasons": bundle.reasons,
                    "device_fault": fault,
                    "one_by_one": fault == "context",
                }
            outcomes.append(None if fault == "memory" else outcome)
    except BaseException:
        # An interrupt too: whoever catches it may fit again in this process.
        bundle.discard(len(outcomes))
        nets.see_to([traceback.format_exc()])
        raise
    return {"outcomes": outcomes, "reasons": bundle.reasons, "device_fault": None}


def _with_device(call: Call, nets: NetTask) -> Call:
    function, args, options = call
    own = replace(options["nets"], device=nets.device, is_shared=nets.is_shared, may_exit=nets.may_exit)
    return function, args, {**options, "nets": own}


class _Bundle:
    """Tasks whose nets are to be trained together.

    Attributes
    ----------
    trained : dict of int to Trained
        By the place of the call.
    reasons : list of str
        Why some were not.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self._participants: dict[int, _Participant] = {}
        self.trained: dict[int, Trained] = {}
        self.reasons: list[str] = []
        tests: dict[int, tuple[np.ndarray, Any]] = {}
        for i, call in enumerate(calls if len(calls) > 1 else ()):
            try:
                participant, reason = _participant(call, tests)
            except Exception:
                # Whatever a model makes of its parameters comes out when it is trained alone.
                continue
            if participant is None:
                self.reasons.append(reason)
            else:
                self._participants[i] = participant

    def discard(self, n_done: int) -> None:
        """Let go of the checkpoints of tasks after the first so many: who is done again begins anew.

        What is trained in place is not what was kept any more.
        """
        for i, participant in self._participants.items():
            if i >= n_done and participant.training is not None:
                participant.training.discard()

    def train(self) -> None:
        """Train each group of nets that are of one architecture."""
        from skhpo.torch import group

        numbers = list(self._participants)
        for places in group([self._participants[i].member for i in numbers]):
            self._train([numbers[place] for place in places])

    def _train(self, numbers: Sequence[int]) -> None:
        """Train a group as one; its halves, where it does not fit into the device's memory."""
        from skhpo.torch import CannotTogether, train_together

        if len(numbers) < 2:
            return
        own = [self._participants[i] for i in numbers]
        start = time.perf_counter()
        try:
            states = train_together([participant.member for participant in own])
        except CannotTogether as error:
            self.reasons.append(str(error))
            return
        except Exception:
            # Whatever torch raises; the nets are as they were, and what is wrong with one of them comes out
            # when it is trained alone.
            fault = fault_in(traceback.format_exc())
            if fault in ("device", "context"):
                raise
            if fault is None:
                return
            states = None
        if states is None:
            free_memory()
            middle = len(numbers) // 2
            self._train(numbers[:middle])
            self._train(numbers[middle:])
            return
        seconds = (time.perf_counter() - start) / len(own)
        for i, participant, state, output in zip(numbers, own, states, _outputs(own), strict=True):
            net = participant.member.net
            memo = participant.memo(net, state)
            self.trained[i] = Trained(net, memo, seconds, participant.X_test, output)


def _outputs(participants: Sequence[_Participant]) -> list[Any]:
    """What the nets make of their test data; None for each where they have to be asked one by one."""
    from skhpo.torch import outputs_together

    try:
        return outputs_together(
            [participant.member.net for participant in participants],
            [participant.member.X for participant in participants],
            [participant.test for participant in participants],
        )
    except Exception:
        # Whatever torch raises comes again, and is dealt with, where each is scored.
        return [None] * len(participants)


@dataclass(frozen=True)
class _Participant:
    """A net that may be trained with others.

    Attributes
    ----------
    member : skhpo.torch.Member
    test : array of int
        Rows of its test data, and
    X_test : array
        these themselves.
    memo : callable
        Makes the memo of its adapter from the net and the states of its generators.
    training : Training or None
    """

    member: Any
    test: np.ndarray
    X_test: Any
    memo: Callable[[Any, Any], Any]
    training: Training | None


def _participant(call: Call, tests: dict[int, tuple[np.ndarray, Any]]) -> tuple[_Participant | None, str]:
    """The net of a task; None with the reason where it has to be trained alone.

    ``tests`` has the test data of folds, once for all that share them.
    """
    from skorch import NeuralNet

    from skhpo.torch import Member, reason_against

    _, (estimator, X, y), options = call
    nets: NetTask = options["nets"]
    training: Training | None = options.get("training")
    net = clone(estimator).set_params(**clone(options["parameters"], safe=False))
    if not isinstance(net, NeuralNet) or len(nets_in(net)) > 1:
        return None, f"a {type(net).__name__} is no net by itself"
    if options["fit_params"]:
        return None, f"fit is given {', '.join(options['fit_params'])}"
    if y is None and signature(net.fit).parameters["y"].default is Parameter.empty:
        return None, "there is no target"
    nets.prepare(net)
    epochs, start = net.max_epochs, nets.seed
    memo: Callable[[Any, Any], Any] = _no_memo
    if training is not None:
        taken_up = training.take_up(net, nets.device)
        if taken_up is None:
            return (
                None,
                "a checkpoint is gone, a training has ended by itself, or a validation set is drawn anew",
            )
        epochs, start, memo = taken_up
    if (reason := reason_against(net)) is not None:
        return None, reason
    positions, fold = np.arange(len(X)), id(options["test"])
    if fold not in tests:
        tests[fold] = positions[options["test"]], take_rows(X, options["test"])
    member = Member(net, X, y, epochs, start, positions[options["train"]])
    return _Participant(member, *tests[fold], memo, training), ""


def _no_memo(net: Any, states: Any) -> None:
    return None
