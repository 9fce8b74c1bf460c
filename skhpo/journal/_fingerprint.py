"""What a search is, part by part, in digests that are the same in every process.

An object's digest is BLAKE2b of a word for its kind and of the digests of its parts, so that it depends on
values alone: not on addresses, on the order of sets, or on which equal objects are one and the same.
"""

from __future__ import annotations

import copyreg
import dataclasses
import datetime
import enum
import functools
import random
import struct
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import numpy as np

from skhpo.journal._referenced import referenced

_BLOCK = 1 << 22
"""Bytes of an array that are brought into C order at a time."""

_PREFIX = "blake2b:"

_LONGEST = 200
"""Characters of a part that is kept as text."""


def fingerprint(**parts: Any) -> dict[str, str]:
    """A digest of each part, or its text where it is short: equal wherever and whenever the part is.

    Parameters
    ----------
    **parts : dict of str to object
        Anything: estimators count by their class and parameters; arrays, sparse matrices, and frames of
        pandas and polars by their contents; functions by their name, code, defaults and closure, those that
        no library has also by the global functions and data that they read, and these by theirs; classes
        by their name, those of a script or of a function by their methods too; random generators by
        their state; frozen distributions by their name and arguments; other objects by their class and
        attributes. Numbers of different types differ. Dicts count in their order, sets without one. What has
        no contents that can be told counts by its type alone.

    Returns
    -------
    digests : dict of str to str
        Numbers, text, booleans and None that take less than 200 characters stand as they are, so that a
        user can be told both values where they differ.

    Examples
    --------
    >>> from skhpo.journal import fingerprint
    >>> one = fingerprint(data=[1, 2], cv=5)
    >>> other = fingerprint(data=[1, 2.0], cv=5)
    >>> [name for name in one if one[name] != other[name]]
    ['data']
    >>> one["cv"]
    '5'
    """
    return {name: _legible(part) or _PREFIX + _digest(part).hex() for name, part in parts.items()}


def _legible(part: Any) -> str | None:
    """The ``repr`` of a short scalar, which is exact and tells types apart."""
    if type(part) not in (str, int, float, bool, types.NoneType):
        return None
    text = repr(part)
    return text if len(text) <= _LONGEST else None


def _digest(part: Any) -> bytes:
    try:
        return _Digester().digest(part)
    except RecursionError:
        return _combine("too deep", _path(type(part)))


def is_digest(text: str) -> bool:
    """Whether a part of a fingerprint is a digest, which says nothing to a reader."""
    return text.startswith(_PREFIX)


def _combine(kind: str, *parts: bytes | str) -> bytes:
    """Digest of a kind and of parts of any length, none of which can be taken for another."""
    digester = blake2b(digest_size=16)
    for part in (kind, *parts):
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digester.update(struct.pack("<Q", len(data)))
        digester.update(data)
    return digester.digest()


def _path(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


class _Digester:
    """Digests of objects, each of which is gone through once."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}
        self._kept: list[Any] = []
        self._open: dict[int, int] = {}

    def digest(self, x: Any) -> bytes:
        """16 bytes that stand for the value."""
        scalar = _scalar(x)
        if scalar is not None:
            return scalar
        if id(x) in self._known:
            return self._known[id(x)]
        if id(x) in self._open:
            return _combine("cycle", str(len(self._open) - self._open[id(x)]))
        self._open[id(x)] = len(self._open)
        try:
            result = self._composite(x)
        finally:
            del self._open[id(x)]
        # Kept alive, since the address of a temporary may become another object's.
        self._known[id(x)] = result
        self._kept.append(x)
        return result

    def _all(self, items: Iterable[Any]) -> list[bytes]:
        return [self.digest(item) for item in items]

    def _composite(self, x: Any) -> bytes:
        for is_kind, describe in _KINDS:
            if is_kind(x):
                try:
                    return describe(self, x)
                except RecursionError:
                    raise
                except Exception:
                    # What only looks like an estimator or a frame may raise anything.
                    break
        return self._object(x)

    def _mapping(self, x: Mapping[Any, Any]) -> bytes:
        pairs = [part for key, value in x.items() for part in (self.digest(key), self.digest(value))]
        return _combine("mapping", _path(type(x)), *pairs)

    def _sequence(self, x: Any) -> bytes:
        return _combine("sequence", _path(type(x)), *self._all(x))

    def _set(self, x: Any) -> bytes:
        return _combine("set", _path(type(x)), *sorted(self._all(x)))

    def _array(self, x: np.ndarray) -> bytes:
        if isinstance(x, np.ma.MaskedArray):
            return _combine("masked", self._array(np.ma.getdata(x)), self._array(np.ma.getmaskarray(x)))
        shape = " ".join(map(str, x.shape))
        if x.dtype.hasobject:
            return _combine("objects", str(x.dtype), shape, self._values(x.ravel().tolist()))
        contents = blake2b(digest_size=16)
        for block in _blocks(x):
            contents.update(block)
        return _combine("array", str(np.dtype(x.dtype).descr), shape, contents.digest())

    def _values(self, values: list[Any]) -> bytes:
        """Digest of many values; quick where all are text."""
        if all(type(value) is str for value in values):
            lengths = " ".join(map(str, map(len, values)))
            return _combine("texts", lengths, "".join(values))
        return _combine("values", *self._all(values))

    def _sparse(self, x: Any) -> bytes:
        kind = _path(type(x))
        if x.format not in ("csr", "csc"):
            x = x.tocoo()
            parts = (x.data, *(x.coords if hasattr(x, "coords") else (x.row, x.col)))
        else:
            parts = (x.data, x.indices, x.indptr)
        return _combine("sparse", kind, str(x.shape), *map(self._array, parts))

    def _pandas(self, x: Any) -> bytes:
        kind = type(x).__name__
        if hasattr(x, "columns"):
            columns = [self._pandas_values(x.iloc[:, i]) for i in range(x.shape[1])]
            return _combine("pandas", kind, self.digest(x.columns), self.digest(x.index), *columns)
        if hasattr(x, "index"):
            return _combine("pandas", kind, self.digest(x.name), self.digest(x.index), self._pandas_values(x))
        return _combine("pandas", kind, self.digest(list(getattr(x, "names", ()))), self._pandas_values(x))

    def _pandas_values(self, x: Any) -> bytes:
        if isinstance(x.dtype, np.dtype):
            return self._array(x.to_numpy())
        dtype = str(x.dtype)
        if dtype == "category":
            coded = x.cat if hasattr(x, "cat") else x
            parts = self.digest(coded.categories), self._array(np.asarray(coded.codes))
            return _combine("category", str(coded.ordered), *parts)
        if dtype.startswith("Sparse"):
            return _combine("extension", dtype, self._array(np.asarray(x)))
        numpy_dtype = getattr(x.dtype, "numpy_dtype", None)
        if numpy_dtype is not None and numpy_dtype.kind in "iufb":
            # Nullable numbers, which as objects would take a hundred times as long.
            values = x.to_numpy(dtype=numpy_dtype, na_value=0)
            return _combine("nullable", dtype, self._array(values), self._array(np.asarray(x.isna())))
        return _combine("extension", dtype, self._array(x.to_numpy(dtype=object)))

    def _polars(self, x: Any) -> bytes:
        if hasattr(x, "get_columns"):
            return _combine("polars", *map(self._polars, x.get_columns()))
        numeric = x.dtype.is_numeric() and x.null_count() == 0 and not x.dtype.is_decimal()
        values = self._array(x.to_numpy()) if numeric else self._values(x.to_list())
        return _combine("polars", x.name, str(x.dtype), values)

    def _function(self, x: types.FunctionType) -> bytes:
        cells = [_contents(cell) for cell in x.__closure__ or ()]
        # Loggers, locks and generators change from call to call, and are not what was edited.
        reads = {
            name: value if _has_lasting_contents(value) else type(value)
            for name, value in referenced(x).items()
        }
        parts = self._all((x.__code__, x.__defaults__, x.__kwdefaults__, cells, reads))
        return _combine("function", _path(x), *parts)

    def _code(self, x: types.CodeType) -> bytes:
        names = (x.co_names, x.co_varnames, x.co_freevars, x.co_consts)
        counts = f"{x.co_argcount} {x.co_posonlyargcount} {x.co_kwonlyargcount} {x.co_flags}"
        return _combine("code", x.co_name, counts, x.co_code, *self._all(names))

    def _class(self, x: type) -> bytes:
        if x.__module__ != "__main__" and "<locals>" not in x.__qualname__:
            return _combine("class", _path(x))
        # A name from a script or a function does not say which class it is; an edited one is another.
        members = [
            (name, getattr(value, "__func__", value))
            for name, value in sorted(vars(x).items())
            if isinstance(value, types.FunctionType | classmethod | staticmethod | property)
        ]
        return _combine("class", _path(x), *self._all((*x.__bases__, *members)))

    def _property(self, x: property) -> bytes:
        return _combine("property", *self._all((x.fget, x.fset, x.fdel)))

    def _method(self, x: types.MethodType) -> bytes:
        return _combine("method", self.digest(x.__self__), self.digest(x.__func__))

    def _partial(self, x: functools.partial) -> bytes:
        return _combine("partial", *self._all((x.func, x.args, x.keywords)))

    def _generator(self, x: Any) -> bytes:
        if x is getattr(np.random.get_state, "__self__", None):
            # numpy's own changes with everything that is drawn, and no search draws from it.
            return _combine("global generator")
        if isinstance(x, np.random.Generator):
            x = x.bit_generator
        if isinstance(x, random.Random):
            return _combine("generator", _path(type(x)), self.digest(x.getstate()))
        state = x.get_state() if isinstance(x, np.random.RandomState) else x.state
        return _combine("generator", _path(type(x)), self.digest(state))

    def _frozen(self, x: Any) -> bytes:
        parts = [_path(type(x.dist)), str(getattr(x.dist, "name", ""))]
        try:
            # Tells distributions of one name apart that hold data of their own, as histograms do.
            quartiles = self.digest(np.asarray(x.ppf([0.25, 0.5, 0.75]), dtype=float))
        except Exception:
            # Somebody's distribution may have no quantile function, or one that fails.
            quartiles = b""
        return _combine("frozen", *parts, self.digest(x.args), self.digest(x.kwds), quartiles)

    def _estimator(self, x: Any) -> bytes:
        params = x.get_params(deep=False)
        parts = [part for name in sorted(params) for part in (self.digest(name), self.digest(params[name]))]
        return _combine("estimator", self.digest(type(x)), *parts)

    def _tensor(self, x: Any) -> bytes:
        return _combine("tensor", self._array(x.detach().cpu().numpy()))

    def _object(self, x: Any) -> bytes:
        """By class and attributes; without attributes by what a pickle of it would hold; else by class."""
        cls = self.digest(type(x))
        try:
            attributes = dict(vars(x))
        except TypeError:
            attributes = {}
        try:
            registered = copyreg.dispatch_table.get(type(x))
            reduced = None if attributes else registered(x) if registered else x.__reduce_ex__(4)
        except Exception:
            # Whatever an object that cannot be pickled raises.
            reduced = None
        if isinstance(reduced, tuple):
            function, args, *rest = reduced
            state = rest[0] if rest else None
            items = [list(part) for part in rest[1:3] if part is not None]
            return _combine("reduced", cls, *self._all((function, args, state, items)))
        if isinstance(reduced, str):
            return _combine("global", cls, reduced)
        names = sorted(attributes, key=str)
        values = [part for name in names for part in (self.digest(name), self.digest(attributes[name]))]
        return _combine("object", cls, *values)


def _scalar(x: Any) -> bytes | None:
    """Digest of what has no parts, or None."""
    kind = type(x)
    if kind is str:
        return _combine("str", x)
    if kind in (int, float, complex, bool, types.NoneType, types.EllipsisType, types.NotImplementedType):
        # repr of a float is exact.
        return _combine(kind.__name__, repr(x))
    if kind in (bytes, bytearray):
        return _combine(kind.__name__, bytes(x))
    if isinstance(x, enum.Enum):
        return _combine("enum", _path(kind), x.name if x.name is not None else str(x.value))
    if isinstance(x, np.generic) and not x.dtype.hasobject:
        return _combine("scalar", str(x.dtype), x.tobytes())
    if isinstance(x, PurePath):
        return _combine("path", str(x))
    if isinstance(x, datetime.date | datetime.time):
        return _combine("time", _path(kind), x.isoformat(), str(getattr(x, "tzinfo", None)))
    if isinstance(x, types.ModuleType):
        return _combine("module", x.__name__)
    if isinstance(x, types.BuiltinFunctionType) and not _is_bound(x):
        return _combine("builtin", _path(x))
    if isinstance(x, np.ufunc):
        return _combine("ufunc", x.__name__)
    return None


def _is_bound(x: types.BuiltinFunctionType) -> bool:
    return x.__self__ is not None and not isinstance(x.__self__, types.ModuleType)


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # A name that has no value yet.
        return ...


def _has_lasting_contents(x: Any) -> bool:
    """Whether a global is described by what it holds: data, functions, estimators and the like."""
    if isinstance(x, _GENERATORS):
        return False
    return _scalar(x) is not None or dataclasses.is_dataclass(x) or any(is_kind(x) for is_kind, _ in _KINDS)


def _blocks(x: np.ndarray) -> Iterable[memoryview | bytes]:
    """The array's bytes in C order; all at once where they lie so, else block by block."""
    if x.flags.c_contiguous or x.ndim == 0 or not x.size:
        yield np.ascontiguousarray(x).reshape(-1).view(np.uint8).data
        return
    step = max(1, _BLOCK * len(x) // max(1, x.nbytes))
    for start in range(0, len(x), step):
        yield np.ascontiguousarray(x[start : start + step]).reshape(-1).view(np.uint8).data


def _is_from(package: str, *attributes: str) -> Callable[[Any], bool]:
    """A test for objects of a package's classes, which asks nobody to have the package."""

    def is_from(x: Any) -> bool:
        return (
            package in sys.modules
            and any(cls.__module__.split(".")[0] == package for cls in type(x).__mro__)
            and all(hasattr(x, name) for name in attributes)
        )

    return is_from


def _is_frozen(x: Any) -> bool:
    return all(hasattr(x, name) for name in ("dist", "args", "kwds", "rvs"))


_GENERATORS = (np.random.RandomState, np.random.Generator, np.random.BitGenerator, random.Random)

_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[_Digester, Any], bytes]], ...] = (
    (lambda x: isinstance(x, type), _Digester._class),
    (lambda x: isinstance(x, np.ndarray), _Digester._array),
    (_is_from("pandas", "dtype", "to_numpy"), _Digester._pandas),
    (_is_from("pandas", "columns", "iloc"), _Digester._pandas),
    (_is_from("polars", "get_columns"), _Digester._polars),
    (_is_from("polars", "null_count", "to_list"), _Digester._polars),
    (_is_from("scipy", "format", "tocoo"), _Digester._sparse),
    (_is_from("torch", "detach", "numpy"), _Digester._tensor),
    (lambda x: isinstance(x, _GENERATORS), _Digester._generator),
    (lambda x: isinstance(x, types.FunctionType), _Digester._function),
    (lambda x: isinstance(x, types.CodeType), _Digester._code),
    (lambda x: isinstance(x, types.MethodType), _Digester._method),
    (lambda x: isinstance(x, functools.partial), _Digester._partial),
    (lambda x: isinstance(x, property), _Digester._property),
    (lambda x: callable(getattr(x, "get_params", None)), _Digester._estimator),
    (_is_frozen, _Digester._frozen),
    (lambda x: isinstance(x, Mapping), _Digester._mapping),
    (lambda x: isinstance(x, list | tuple), _Digester._sequence),
    (lambda x: isinstance(x, set | frozenset), _Digester._set),
)
"""What is described otherwise than by its class and attributes; the first that fits."""
