"""When two values of a user are the same, whatever objects they are."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a real number; ``True`` and ``False`` are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def identical(a: Any, b: Any) -> bool:
    """Whether both are one object."""
    return a is b


def same_value(a: Any, b: Any) -> bool:
    """Whether one may stand for the other, as a copy stands for its original.

    Both have the same type, and so has all that is in them. NaN is the same as NaN, estimators are the
    same by their parameters and by what they have learnt, and other objects that do not say when they
    are equal by their attributes.
    """
    return _same(a, b, learnt=True)


def same_but_for_fits(a: Any, b: Any) -> bool:
    """The same where estimators are compared by their parameters alone."""
    return _same(a, b, learnt=False)


def _same(a: Any, b: Any, learnt: bool) -> bool:
    # A list of what is left to compare and no recursion: objects may be deep, and hold themselves.
    # A pair that was met before adds nothing. Its objects are kept alive, lest others get their ids.
    met: dict[tuple[int, int], tuple[Any, Any]] = {}
    left = [(a, b)]
    while left:
        a, b = left.pop()
        if a is b or (id(a), id(b)) in met:
            continue
        met[id(a), id(b)] = a, b
        parts = _parts(a, b, learnt)
        if parts is None:
            return False
        left.extend(parts)
    return True


def _parts(a: Any, b: Any, learnt: bool) -> Iterable[tuple[Any, Any]] | None:
    """The pairs that have to be the same for a and b to be; None if these differ by themselves."""
    if type(a) is not type(b):
        return None
    if isinstance(a, list | tuple):
        return zip(a, b, strict=True) if len(a) == len(b) else None
    if isinstance(a, dict):
        return [(a[key], b[key]) for key in a] if a.keys() == b.keys() else None
    if isinstance(a, np.ndarray):
        return [(a.tolist(), b.tolist())] if a.dtype == b.dtype and a.shape == b.shape else None
    if isinstance(a, functools.partial):
        return [(a.func, b.func), (a.args, b.args), (a.keywords, b.keywords)]
    if isinstance(a, MethodType):
        return [(a.__func__, b.__func__), (a.__self__, b.__self__)]
    if is_number(a) and a != a:
        return [] if b != b else None
    if isinstance(a, type | FunctionType | ModuleType):  # copies of these are themselves
        return None
    comparison: Any = type(a).__eq__
    if comparison is not object.__eq__ and not hasattr(a, "get_params"):
        return [] if equal(a, b) else None
    state, other = _state(a, learnt), _state(b, learnt)
    return None if state is None or other is None else [(state, other)]


def _state(value: Any, learnt: bool) -> Any:
    """What tells an object from others of its type; None if that cannot be known."""
    if hasattr(value, "get_params"):
        try:
            params = value.get_params(deep=False)
        except (AttributeError, RuntimeError, TypeError):  # not what scikit-learn means by that name
            return None
        own = getattr(value, "__dict__", {}) if learnt else {}
        fitted = {name: part for name, part in own.items() if name.endswith("_")}
        return params, fitted
    if hasattr(value, "__dict__"):
        return vars(value)
    try:
        return value.__getstate__()
    except TypeError:  # what cannot be pickled
        return None


def equal(a: Any, b: Any) -> bool:
    """Equality that keeps True apart from 1 and takes arrays and odd ``__eq__`` in its stride."""
    if isinstance(a, bool | np.bool_) != isinstance(b, bool | np.bool_):
        return False
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    try:
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):  # the last is how torch says that an array is no bool
        return False
