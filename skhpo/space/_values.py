"""When two values of a user are the same, whatever objects they are."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a real number; ``True`` and ``False`` are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def identical(a: Any, b: Any) -> bool:
    """Whether both are one object."""
    return a is b


def same_value(a: Any, b: Any) -> bool:
    """Equality of values and of their types, also inside containers; NaN equals itself."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and same_value(a.tolist(), b.tolist())
    if is_number(a) and a != a:
        return b != b
    return equal(a, b)


def equal(a: Any, b: Any) -> bool:
    """Equality that keeps True apart from 1 and takes arrays and odd ``__eq__`` in its stride."""
    if isinstance(a, bool | np.bool_) != isinstance(b, bool | np.bool_):
        return False
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False
