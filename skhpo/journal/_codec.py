"""Events as JSON, and back exactly: floats to the last bit, and failures still known as such.

JSON has no NaN, no infinity and no ``FailedScore``. These are objects with one key that begins with
``$``; a key of the user's own that begins so gets a second ``$``. Text is ASCII with escapes, which
carries lone surrogates too. Nothing here can name code, so that reading a file runs none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from skhpo._records import Began, Ended, Evaluation, Event, FailedScore, Job, Trial

LONGEST_REPR = 200


def dumps(value: Any) -> str:
    """JSON text of a value made of dicts, lists, text, numbers, booleans and None.

    Raises
    ------
    TypeError
        If something else is in it.
    """
    return _ENCODER.encode(_pack(value))


def loads(text: str) -> Any:
    """The value of a text that ``dumps`` made.

    Raises
    ------
    ValueError
        If the text is not of that kind.
    """
    try:
        value = _DECODER.decode(text)
        # Most records have nothing to unpack.
        return _unpack(value) if '"$' in text else value
    except RecursionError as error:
        raise ValueError("the JSON text is nested too deeply") from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _pack(value: Any) -> Any:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, FailedScore):
        return {"$failed": _number(float(value))}
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else {"$float": str(number)}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {"$" + key if key.startswith("$") else key: _pack(item) for key, item in value.items()}
        return {"$dict": [[_pack(key), _pack(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_pack(item) for item in value]
    raise TypeError(
        f"A journal keeps numbers, text, booleans, None, and dicts and lists of them; got "
        f"{describe(value)} of type {type(value).__name__}."
    )


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in _TAGS:
            return _TAGS[key](item)
    return {key[1:] if key.startswith("$") else key: _unpack(item) for key, item in value.items()}


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        raise ValueError(f"{describe(value)} is no number")
    return float(value)


def _to_dict(value: Any) -> dict[Any, Any]:
    return {_unpack(key): _unpack(item) for key, item in value}


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$float": _to_float,
    "$failed": lambda value: FailedScore(_to_float(value)),
    "$dict": _to_dict,
    "$repr": str,
}


def describe(value: Any) -> str:
    """A short ``repr`` on one line, whatever the object's own does."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        # Somebody's __repr__ may raise anything, and a search does not end for that.
        text = f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST_REPR else text[: LONGEST_REPR - 3] + "..."


def displayed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for a reader's eye, in JSON: scalars as they are, all else as a short ``repr``."""
    return {
        str(name): {"$repr": describe(value)} if not _is_scalar(value) else _pack(value)
        for name, value in params.items()
    }


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_REPR
    return value is None or isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating)


def encode(event: Event) -> tuple[str, str]:
    """Kind and payload of an event's record.

    Raises
    ------
    TypeError
        If an outcome holds what JSON cannot.
    """
    if isinstance(event, Evaluation):
        body = {"job": _job(event.job), "fold": _pack(event.fold), "outcome": _pack(event.outcome)}
        return "evaluation", _ENCODER.encode(body)
    if isinstance(event, Began):
        trial = event.trial
        new = trial and {
            "number": _pack(trial.number),
            "position": [None if math.isnan(u) else float(u) for u in trial.position],
            "params": displayed(trial.params),
        }
        return "began", _ENCODER.encode({"job": _job(event.job), "trial": new})
    if isinstance(event, Ended):
        return "ended", _ENCODER.encode({"by": event.by})
    raise TypeError(f"An event is a Began, an Evaluation or an Ended; got {type(event).__name__}.")


def _job(job: Job) -> list[int | None]:
    return [_pack(part) for part in (job.trial, job.resource, job.bracket, job.rung)]


def decode(kind: str, payload: str) -> tuple[Event, dict[str, Any]]:
    """The event of a record, and what it displays as parameters.

    Raises
    ------
    ValueError
        If the record is none that ``encode`` makes.
    """
    try:
        body = loads(payload)
        if kind == "evaluation":
            return Evaluation(_to_job(body["job"]), _to_int(body["fold"]), _to_outcome(body["outcome"])), {}
        if kind == "began":
            new = body["trial"]
            if new is None:
                return Began(_to_job(body["job"])), {}
            trial = Trial(_to_int(new["number"]), _to_position(new["position"]), {})
            return Began(_to_job(body["job"]), trial), dict(new["params"])
        if kind == "ended" and body["by"] in ("space", "stop", "run"):
            return Ended(body["by"]), {}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the payload of a record of kind {kind!r} is not understood") from error
    raise ValueError(f"a record of kind {kind!r} is not understood")


def _to_int(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{describe(value)} is no integer")
    return value


def _to_job(value: Any) -> Job:
    trial, resource, bracket, rung = value
    whole = None if resource is None else _to_int(resource)
    return Job(_to_int(trial), whole, _to_int(bracket), _to_int(rung))


def _to_position(value: Any) -> tuple[float, ...]:
    return tuple(math.nan if u is None else _to_float(u) for u in value)


def _to_outcome(value: Any) -> dict[str, Any]:
    for scores in (value["test_scores"], value.get("train_scores")):
        for score in scores.values() if isinstance(scores, dict) else (scores,):
            if not isinstance(score, int | float | None):
                raise ValueError(f"{describe(score)} is no score")
    return value
