"""One axis of a search space: values on the user's side, positions in [0, 1] on the samplers'.

A position is a float in the unit interval. Discrete dimensions cut the interval into one
cell for each level; every position in a cell means the same value, and the middle of
the cell is its canonical position. The widths of the cells are the prior: a dimension
whose position is drawn uniformly has values drawn from the distribution the user wrote.

===========  =====================================================================
kind         what the order of positions means
===========  =====================================================================
real         everything
ordinal      everything, but only one value for each cell
categorical  nothing: two levels are equal or they are not; all cells are equally wide
===========  =====================================================================

Notation
--------
p : a position in [0, 1]
n : number of levels
k : number of a level, counted from 0 in the order of positions
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from skhpo.space._cells import LogCells, clip
from skhpo.space._values import equal, identical, is_number, same_but_for_fits, same_value

Kind = Literal["real", "ordinal", "categorical"]

_MOST_LEVELS = 2**50
"""A float tells (k + 1/2) / n from its neighbours, there and back, up to this n with room to spare."""
_MOST_LOG = 2**40
"""The same for k in log(k + 1/2), where rounding is magnified by the logarithm's width."""
_MOST_LISTED = 10**7
"""Longer lists of levels are refused rather than left to exhaust the memory."""


class Dimension(ABC):
    """What every axis of a space can do.

    Attributes
    ----------
    kind : {"real", "ordinal", "categorical"}
        What the order of positions means.
    n_levels : float
        How many values there are: an integer, or ``math.inf``.
    even_cells : bool
        Whether all cells have the width ``1 / n_levels``. Every categorical dimension has such
        cells; ordinal ones may have others.
    log_cells : LogCells or None
        The cells of integers on a logarithmic axis.
    """

    kind: Kind
    n_levels: float
    even_cells: bool = False
    log_cells: LogCells | None = None

    @abstractmethod
    def decode(self, position: float) -> Any:
        """Value at a position in [0, 1]."""

    @abstractmethod
    def encode(self, value: Any) -> float:
        """Canonical position of a value; ``ValueError`` if the dimension does not have it."""

    @abstractmethod
    def snap(self, positions: np.ndarray) -> np.ndarray:
        """Canonical positions: the middle of the cell that holds each one. NaN stays NaN."""

    @abstractmethod
    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper edge of the cell that holds each position.

        A real dimension's cells have no width: both edges are the position itself.
        """

    def levels(self) -> np.ndarray:
        """All canonical positions of a finite dimension, in the user's order."""
        raise ValueError(f"{self!r} has no finite list of levels.")

    def same_as(self, other: Dimension) -> bool:
        """Whether both have the same values, of the same types, at the same positions."""
        return type(self) is type(other) and same_value(self._definition(), other._definition())

    def _definition(self) -> tuple[Any, ...]:
        """All that ``same_as`` has to compare."""
        return (self,)


def _check_bounds(low: Any, high: Any, log: bool, what: str) -> None:
    if not isinstance(log, bool | np.bool_):
        raise TypeError(f"{what}: log must be True or False, got {log!r}.")
    for name, bound in (("low", low), ("high", high)):
        if not is_number(bound):
            raise TypeError(f"{what}: {name} must be a number, got {bound!r}.")
        try:
            finite = math.isfinite(bound)
        except OverflowError:
            finite = False
        if not finite:
            raise ValueError(f"{what}: {name} must be finite, got {bound!r}.")
    if not low < high:
        raise ValueError(f"{what}: low must be less than high, got low={low!r} and high={high!r}.")
    if log and low <= 0:
        raise ValueError(f"{what}: a logarithmic range needs low > 0, got low={low!r}.")


class Real(Dimension):
    """A range of real numbers, both ends included.

    Parameters
    ----------
    low, high : float
        Ends of the range.
    log : bool, default=False
        Search the logarithm of the value; needs ``low > 0``.

    Raises
    ------
    TypeError
        If a bound is not a number.
    ValueError
        If a bound is not finite, ``low >= high``, or ``log`` with ``low <= 0``.

    Examples
    --------
    >>> from skhpo.space import Real
    >>> Real(1e-3, 1e3, log=True).decode(0.5)
    1.0
    """

    kind: Kind = "real"
    n_levels = math.inf

    def __init__(self, low: float, high: float, log: bool = False) -> None:
        _check_bounds(low, high, log, f"Real({low!r}, {high!r}, log={log!r})")
        self.low, self.high, self.log = low, high, bool(log)
        if log:
            self._start, self._width = math.log(low), math.log(high) - math.log(low)
        else:
            self._start, self._width = float(low), float(high) - float(low)
        if not math.isfinite(self._width):
            raise ValueError(f"{self!r}: high - low overflows a float.")

    def __repr__(self) -> str:
        return f"Real({self.low!r}, {self.high!r}{', log=True' if self.log else ''})"

    def decode(self, position: float) -> float:
        if position <= 0 or position >= 1:  # the bounds themselves, not exp(log(bound))
            return float(self.low if position <= 0 else self.high)
        warped = self._start + position * self._width
        value = math.exp(warped) if self.log else warped
        return float(min(max(value, self.low), self.high))

    def encode(self, value: Any) -> float:
        if not is_number(value):
            raise ValueError(f"{value!r} is no number in {self!r}.")
        if not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is outside {self!r}.")
        warped = math.log(value) if self.log else float(value)
        return min(max((warped - self._start) / self._width, 0.0), 1.0)

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return clip(positions)

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clipped = clip(positions)
        return clipped, clipped

    def _definition(self) -> tuple[Any, ...]:
        return self.low, self.high, self.log


class Integer(Dimension):
    """A range of integers, both ends included.

    Parameters
    ----------
    low, high : int
        Ends of the range, which may hold up to 2**50 integers.
    log : bool, default=False
        Search the logarithm of the value; needs ``low >= 1`` and ``high <= 2**40``. Each
        integer k then owns the interval from log(k - 1/2) to log(k + 1/2).

    Raises
    ------
    TypeError
        If a bound is not an integer.
    ValueError
        If ``low >= high``, ``log`` with ``low <= 0``, or there are too many integers for a float
        to tell their positions apart.

    Examples
    --------
    >>> from skhpo.space import Integer
    >>> Integer(1, 10).decode(0.999)
    10
    """

    kind: Kind = "ordinal"

    def __init__(self, low: int, high: int, log: bool = False) -> None:
        what = f"Integer({low!r}, {high!r}, log={log!r})"
        _check_bounds(low, high, log, what)
        bounds: dict[str, Any] = {"low": low, "high": high}
        for name, bound in bounds.items():
            if not isinstance(bound, numbers.Integral):
                raise TypeError(f"{what}: {name} must be an integer, got {bound!r}.")
        self.low, self.high, self.log = int(low), int(high), bool(log)
        n = self.high - self.low + 1
        if n > _MOST_LEVELS or (log and self.high > _MOST_LOG):
            most = "an end of at most 2**40" if log else "at most 2**50 integers"
            raise ValueError(f"{what}: a range of integers may have {most}; use Real for a wider one.")
        self.n_levels = n
        self.even_cells = not log
        if log:
            self.log_cells = LogCells(float(low), float(high))
            self._start, self._width = float(self.log_cells.start), float(self.log_cells.width)

    def __repr__(self) -> str:
        return f"Integer({self.low}, {self.high}{', log=True' if self.log else ''})"

    def _definition(self) -> tuple[Any, ...]:
        return self.low, self.high, self.log

    def _edge(self, k: np.ndarray) -> np.ndarray:
        """Lower edge of the k-th cell, which is the upper one of the cell before it."""
        return k / self.n_levels if self.log_cells is None else self.log_cells.edge(k)

    def _index(self, positions: np.ndarray) -> np.ndarray:
        if self.log_cells is not None:
            return self.log_cells.index(positions)
        return np.minimum(np.floor(clip(positions) * self.n_levels), self.n_levels - 1)

    def _middle(self, k: np.ndarray) -> np.ndarray:
        return (k + 0.5) / self.n_levels if self.log_cells is None else self.log_cells.middle(k)

    def decode(self, position: float) -> int:
        if self.log:
            k = math.floor(math.exp(self._start + position * self._width) + 0.5) - self.low
        else:
            k = math.floor(position * self.n_levels)
        return self.low + min(max(k, 0), self.high - self.low)

    def encode(self, value: Any) -> float:
        if not is_number(value) or value % 1 != 0:
            raise ValueError(f"{value!r} is no integer in {self!r}.")
        if not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is outside {self!r}.")
        return float(self._middle(np.asarray(float(int(value) - self.low))))

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return self._middle(self._index(positions))

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = self._index(positions)
        return self._edge(k), self._edge(k + 1)

    def levels(self) -> np.ndarray:
        if self.n_levels > _MOST_LISTED:
            raise ValueError(f"{self!r} has too many levels to list: {self.n_levels}.")
        return self._middle(np.arange(self.n_levels, dtype=float))


class Listed(Dimension):
    """Finitely many values in cells of equal width, in the order of ``_ordered``.

    Parameters
    ----------
    choices : sequence
        As the user wrote them; one that stands there k times has k cells.
    order : sequence of int
        The choices from position 0 to position 1.
    """

    even_cells = True

    def __init__(self, choices: Sequence[Any], order: Sequence[int]) -> None:
        self._ordered = [choices[i] for i in order]
        self._order = order
        self.n_levels = len(self._ordered)

    def __len__(self) -> int:
        return len(self._ordered)

    def _definition(self) -> tuple[Any, ...]:
        return self._ordered, list(self._order)

    def index(self, positions: np.ndarray) -> np.ndarray:
        """Number of the level at each position (a float); NaN stays NaN."""
        n = len(self._ordered)
        return np.minimum(np.floor(clip(positions) * n), n - 1)

    def decode(self, position: float) -> Any:
        n = len(self._ordered)
        return self._ordered[min(max(int(position * n), 0), n - 1)]

    def encode(self, value: Any) -> float:
        return float(self._middle(np.asarray(float(self._find(value)))))

    def _find(self, value: Any) -> int:
        for same in (identical, same_value, same_but_for_fits, equal):
            for k, choice in enumerate(self._ordered):
                if same(choice, value):
                    return k
        raise ValueError(f"{value!r} is none of the choices of {self!r}.")

    def _middle(self, k: np.ndarray) -> np.ndarray:
        return (k + 0.5) / len(self._ordered)

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return self._middle(self.index(positions))

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = self.index(positions)
        return k / len(self._ordered), (k + 1) / len(self._ordered)

    def levels(self) -> np.ndarray:
        positions = np.empty(len(self._ordered))
        positions[np.asarray(self._order)] = self._middle(np.arange(len(self._ordered), dtype=float))
        return positions


def _listed(choices: Any, what: str) -> list[Any]:
    if isinstance(choices, str | bytes):
        raise TypeError(f"{what} needs a list of choices, got the string {choices!r}.")
    choices = list(choices)
    if not choices:
        raise ValueError(f"{what} needs at least one choice, got none.")
    return choices


class Categorical(Listed):
    """Choices without an order; any objects, passed through untouched.

    Parameters
    ----------
    choices : sequence of length >= 1
        The values. They need be neither hashable nor comparable. All are equally probable in the
        prior; one that is listed twice is twice as probable.

    Raises
    ------
    TypeError
        If the choices are a single string.
    ValueError
        If there is no choice.

    Examples
    --------
    >>> from skhpo.space import Categorical
    >>> Categorical(["rbf", "linear", None]).decode(0.9) is None
    True
    """

    kind: Kind = "categorical"

    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = _listed(choices, "Categorical")
        super().__init__(self.choices, range(len(self.choices)))

    def __repr__(self) -> str:
        return f"Categorical({self.choices!r})"


class Ordinal(Listed):
    """Choices whose order is used and whose distances are not.

    Parameters
    ----------
    choices : sequence of length >= 1
        Numbers, in any order: they are sorted. Or other objects, which are taken to be listed
        from the least to the greatest.

    Raises
    ------
    TypeError
        If the choices are a single string.
    ValueError
        If there is no choice, or one is NaN, which has no place in an order.

    Examples
    --------
    >>> from skhpo.space import Ordinal
    >>> size = Ordinal(["small", "medium", "large"])
    >>> size.decode(0.0), size.decode(1.0)
    ('small', 'large')
    """

    kind: Kind = "ordinal"

    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = _listed(choices, "Ordinal")
        order = range(len(self.choices))
        if all(map(is_number, self.choices)):
            if any(choice != choice for choice in self.choices):
                raise ValueError(f"Ordinal({self.choices!r}): NaN has no place in an order.")
            super().__init__(self.choices, sorted(order, key=lambda i: self.choices[i]))
        else:
            super().__init__(self.choices, order)

    def __repr__(self) -> str:
        return f"Ordinal({self.choices!r})"

    def _find(self, value: Any) -> int:
        # A number that somebody typed, 0.3, is the one that linspace made, 0.30000000000000004.
        try:
            return super()._find(value)
        except ValueError:
            for k, choice in enumerate(self._ordered):
                if is_number(value) and is_number(choice) and math.isclose(choice, value, rel_tol=1e-12):
                    return k
            raise
