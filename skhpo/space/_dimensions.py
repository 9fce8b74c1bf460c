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
categorical  nothing: two levels are equal or they are not
===========  =====================================================================
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Kind = Literal["real", "ordinal", "categorical"]


class Dimension(ABC):
    """What every axis of a space can do.

    Attributes
    ----------
    kind : {"real", "ordinal", "categorical"}
        What the order of positions means.
    n_levels : float
        How many values there are: an integer, or ``math.inf``.
    """

    kind: Kind
    n_levels: float

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


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check_bounds(low: Any, high: Any, log: bool, what: str) -> None:
    for name, bound in (("low", low), ("high", high)):
        if not _is_number(bound):
            raise TypeError(f"{what}: {name} must be a number, got {bound!r}.")
        if not math.isfinite(bound):
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
        self.low, self.high, self.log = low, high, log
        if log:
            self._start, self._width = math.log(low), math.log(high) - math.log(low)
        else:
            self._start, self._width = float(low), float(high) - float(low)
        if not math.isfinite(self._width):
            raise ValueError(f"{self!r}: high - low overflows a float.")

    def __repr__(self) -> str:
        return f"Real({self.low!r}, {self.high!r}{', log=True' if self.log else ''})"

    def decode(self, position: float) -> float:
        warped = self._start + float(position) * self._width
        value = math.exp(warped) if self.log else warped
        return float(min(max(value, self.low), self.high))

    def encode(self, value: Any) -> float:
        if not _is_number(value):
            raise ValueError(f"{value!r} is no number in {self!r}.")
        if not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is outside {self!r}.")
        warped = math.log(value) if self.log else float(value)
        return min(max((warped - self._start) / self._width, 0.0), 1.0)

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return np.clip(positions, 0.0, 1.0)

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clipped = np.clip(positions, 0.0, 1.0)
        return clipped, clipped


class Integer(Dimension):
    """A range of integers, both ends included.

    Parameters
    ----------
    low, high : int
        Ends of the range.
    log : bool, default=False
        Search the logarithm of the value; needs ``low >= 1``. Each integer k then owns
        the interval from log(k - 1/2) to log(k + 1/2).

    Raises
    ------
    TypeError
        If a bound is not an integer.
    ValueError
        If ``low >= high``, or ``log`` with ``low <= 0``.

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
        self.low, self.high, self.log = int(low), int(high), log
        self.n_levels = self.high - self.low + 1
        if log:
            self._start = math.log(self.low - 0.5)
            self._width = math.log(self.high + 0.5) - self._start
        else:
            self._start, self._width = self.low - 0.5, float(self.n_levels)

    def __repr__(self) -> str:
        return f"Integer({self.low}, {self.high}{', log=True' if self.log else ''})"

    def _values(self, positions: np.ndarray) -> np.ndarray:
        warped = self._start + np.clip(positions, 0.0, 1.0) * self._width
        values = np.exp(warped) if self.log else warped
        return np.clip(np.floor(values + 0.5), self.low, self.high)

    def _positions(self, values: np.ndarray) -> np.ndarray:
        warped = np.log(values) if self.log else values
        return np.clip((warped - self._start) / self._width, 0.0, 1.0)

    def decode(self, position: float) -> int:
        return int(self._values(np.asarray(position)))

    def encode(self, value: Any) -> float:
        if not _is_number(value) or value % 1 != 0:
            raise ValueError(f"{value!r} is no integer in {self!r}.")
        if not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is outside {self!r}.")
        return float(self._middle(np.asarray(float(value))))

    def _middle(self, values: np.ndarray) -> np.ndarray:
        return (self._positions(values - 0.5) + self._positions(values + 0.5)) / 2

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return self._middle(self._values(positions))

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = self._values(positions)
        return self._positions(values - 0.5), self._positions(values + 0.5)

    def levels(self) -> np.ndarray:
        return self._middle(np.arange(self.low, self.high + 1, dtype=float))


class _Listed(Dimension):
    """Finitely many values in cells of equal width, in the order of ``_ordered``."""

    def __init__(self, choices: Sequence[Any], order: Sequence[int]) -> None:
        self._ordered = [choices[i] for i in order]
        self._order = order
        self.n_levels = len(self._ordered)

    def __len__(self) -> int:
        return len(self._ordered)

    def index(self, positions: np.ndarray) -> np.ndarray:
        """Number of the level at each position; NaN stays NaN."""
        n = len(self._ordered)
        return np.clip(np.floor(np.asarray(positions) * n), 0, n - 1)

    def decode(self, position: float) -> Any:
        n = len(self._ordered)
        return self._ordered[min(max(int(position * n), 0), n - 1)]

    def encode(self, value: Any) -> float:
        for same in (_identical, _equal):
            for i, choice in enumerate(self._ordered):
                if same(choice, value):
                    return (i + 0.5) / len(self._ordered)
        raise ValueError(f"{value!r} is none of the choices of {self!r}.")

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return (self.index(positions) + 0.5) / len(self._ordered)

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = self.index(positions)
        return index / len(self._ordered), (index + 1) / len(self._ordered)

    def levels(self) -> np.ndarray:
        positions = np.empty(len(self._ordered))
        positions[np.asarray(self._order)] = (np.arange(len(self._ordered)) + 0.5) / len(self)
        return positions


def _identical(a: Any, b: Any) -> bool:
    return a is b


def _equal(a: Any, b: Any) -> bool:
    """Equality that keeps True apart from 1 and takes arrays and odd ``__eq__`` in its stride."""
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False


class Categorical(_Listed):
    """Choices without an order; any objects, passed through untouched.

    Parameters
    ----------
    choices : sequence of length >= 1
        The values. They need be neither hashable nor comparable.

    Raises
    ------
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
        self.choices = choices
        choices = list(choices)
        if not choices:
            raise ValueError("Categorical needs at least one choice, got none.")
        super().__init__(choices, range(len(choices)))

    def __repr__(self) -> str:
        return f"Categorical({self.choices!r})"


class Ordinal(_Listed):
    """Numbers given as a list: their order is used, their distances are not."""

    kind: Kind = "ordinal"

    def __init__(self, choices: Sequence[Any]) -> None:
        choices = list(choices)
        if not choices:
            raise ValueError("Ordinal needs at least one choice, got none.")
        self.choices = choices
        super().__init__(choices, sorted(range(len(choices)), key=lambda i: choices[i]))

    def __repr__(self) -> str:
        return f"Ordinal({self.choices!r})"
