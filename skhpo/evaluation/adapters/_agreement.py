"""Whether two tables are the same up to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

_RTOL = 1e-7
_N_EPS = 64
"""Tolerance relative to a column's scale: ``_RTOL``, or ``_N_EPS`` units of a shorter type's precision."""


def agree(A: Any, B: Any) -> bool:
    """Whether two tables of the same kind hold the same, up to rounding relative to each column's scale.

    Parameters
    ----------
    A, B : array, sparse array, data frame or anything that compares

    Returns
    -------
    agree : bool
        False also where the tables cannot be compared.
    """
    if A is B:
        return True
    if type(A) is not type(B):
        return False
    if isinstance(A, list):
        return bool(A == B)
    if getattr(A, "shape", None) is None or A.shape != B.shape:
        return False
    if hasattr(A, "columns"):
        return _frames_agree(A, B)
    if sp.issparse(A):
        return _sparse_agree(A, B)
    return isinstance(A, np.ndarray) and _arrays_agree(A, B)


def _frames_agree(A: Any, B: Any) -> bool:
    if list(A.columns) != list(B.columns) or list(A.dtypes) != list(B.dtypes):
        return False
    for name in A.columns:
        a, b = np.asarray(A[name]), np.asarray(B[name])
        if a.dtype.kind == "f":
            if not _arrays_agree(a, b):
                return False
        elif not A[name].equals(B[name]):
            return False
    return True


def _sparse_agree(A: Any, B: Any) -> bool:
    if A.dtype != B.dtype or not A.shape[0]:
        return A.dtype == B.dtype
    if A.dtype.kind not in "fiub":
        return False
    difference = abs(A - B).max(axis=0).toarray()
    return bool((difference <= _tolerance(A.dtype) * abs(A).max(axis=0).toarray()).all())


def _arrays_agree(A: np.ndarray, B: np.ndarray) -> bool:
    if A.dtype != B.dtype:
        return False
    if A.dtype.kind != "f" or not len(A):
        return np.array_equal(A, B)
    finite = np.isfinite(A)
    if not np.array_equal(A[~finite], B[~finite], equal_nan=True):
        return False
    scale = np.abs(A, where=finite, out=np.zeros_like(A)).max(axis=0)
    difference = np.subtract(A, B, where=finite, out=np.zeros_like(A))
    return bool((np.abs(difference) <= _tolerance(A.dtype) * scale).all())


def _tolerance(dtype: np.dtype) -> float:
    return max(_RTOL, _N_EPS * float(np.finfo(dtype).eps)) if dtype.kind == "f" else 0.0
