"""Dimensions that follow a distribution: a position is a quantile level.

A user's distribution is a prior. When the position p is uniform on [0, 1], the value is
distributed as the user wrote, because F^-1(p) has the distribution function F.

Notation
--------
p   : position in [0, 1]
F   : distribution function (``cdf``); F^-1 is its quantile function (``ppf``)
eps : probability cut off at an end of a distribution, see ``_EPS``
n   : number of levels of a discrete distribution
w   : (n,) probabilities of the levels, the widths of their cells
"""

from __future__ import annotations

import bisect
import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from skhpo.space._cells import clip
from skhpo.space._dimensions import Categorical, Dimension, Integer, Kind, Listed, Ordinal, Real
from skhpo.space._values import is_number, same_value

_EPS = 1e-6
"""What lies beyond these quantiles is not searched. The ends of an unbounded distribution are
infinite, and the end of a bounded one may be no legal value, as 0 under ``expon``."""

_NARROWEST = 1e-12
"""A level with less probability has no cell: its edges could not be told apart reliably."""

_MOST_TABLED = 2**17
"""A discrete distribution that spreads over more levels than this stands in a table of draws."""

_N_DRAWS = 1024
"""Draws that stand for a distribution that can only be drawn from."""

_MOST_COMPARED = 64
"""Draws that cannot be hashed are compared with so many others."""

_SHARES = 20
"""Where objects are drawn with different probabilities, these are kept as so many equal cells."""


class Float64(Real):
    """A real range whose values are ``numpy.float64``, as those of scipy's distributions are."""

    def decode(self, position: float) -> np.float64:
        return np.float64(super().decode(position))


class Quantile(Dimension):
    """A continuous distribution, searched through its quantile function.

    Parameters
    ----------
    distribution : object
        Has ``ppf`` and ``cdf``, as scipy's frozen distributions do.

    Raises
    ------
    ValueError
        If a quantile that is needed is infinite or NaN.
    """

    kind: Kind = "real"
    n_levels = math.inf

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution
        with np.errstate(over="ignore"):  # an infinite quantile is reported below
            self.low, self.high = (float(end) for end in distribution.ppf([_EPS, 1 - _EPS]))
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(
                f"{self!r} needs finite quantiles at {_EPS} and 1 - {_EPS}, got {self.low} and {self.high}."
            )
        if not self.low < self.high:
            raise ValueError(f"{self!r} has one value only: {self.low}.")

    def __repr__(self) -> str:
        return describe(self.distribution)

    def _definition(self) -> tuple[Any, ...]:
        # The quantile function is the distribution: equal at so many levels is equal.
        return (self.distribution.ppf(np.linspace(_EPS, 1 - _EPS, 65)),)

    def decode(self, position: float) -> np.float64:
        p = _EPS + min(max(position, 0.0), 1.0) * (1 - 2 * _EPS)
        return np.float64(min(max(float(self.distribution.ppf(p)), self.low), self.high))

    def encode(self, value: Any) -> float:
        if not is_number(value):
            raise ValueError(f"{value!r} is no number in {self!r}.")
        if not self.low <= value <= self.high:
            raise ValueError(
                f"{value!r} is outside {self!r}, which is searched from {self.low} to {self.high}."
            )
        p = (float(self.distribution.cdf(value)) - _EPS) / (1 - 2 * _EPS)
        return min(max(p, 0.0), 1.0)

    def snap(self, positions: np.ndarray) -> np.ndarray:
        return clip(positions)

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clipped = self.snap(positions)
        return clipped, clipped


class Weighted(Listed):
    """Ordered values in cells as wide as they are probable.

    Parameters
    ----------
    values : sequence of length n
        Ascending.
    w : array-like of shape (n,)
        Positive; need not sum to 1.
    source : object
        The distribution that the values are from, for the repr.
    """

    kind: Kind = "ordinal"
    even_cells = False

    def __init__(self, values: Sequence[Any], w: Any, source: Any) -> None:
        super().__init__(values, range(len(values)))
        w = np.asarray(w, dtype=float)
        F = np.cumsum(w)
        self._edges = np.concatenate([[0.0], F[:-1] / F[-1], [1.0]])
        self._inner = self._edges[1:-1].tolist()
        self._middles = (self._edges[:-1] + self._edges[1:]) / 2
        self._source = source

    def __repr__(self) -> str:
        return describe(self._source)

    def _definition(self) -> tuple[Any, ...]:
        return self._ordered, self._edges

    def index(self, positions: np.ndarray) -> np.ndarray:
        positions = np.asarray(positions, dtype=float)
        k = np.searchsorted(self._edges[1:-1], positions, side="right")
        return np.where(np.isnan(positions), np.nan, k)

    def decode(self, position: float) -> Any:
        return self._ordered[bisect.bisect_right(self._inner, position)]

    def _at(self, table: np.ndarray, k: np.ndarray) -> np.ndarray:
        inactive = np.isnan(k)
        return np.where(inactive, np.nan, table[np.where(inactive, 0, k).astype(np.intp)])

    def _middle(self, k: np.ndarray) -> np.ndarray:
        return self._at(self._middles, k)

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = self.index(positions)
        return self._at(self._edges, k), self._at(self._edges, k + 1)


def describe(distribution: Any) -> str:
    """A distribution as its user would write it, where that can be told."""
    generator = getattr(distribution, "dist", distribution)
    name = getattr(generator, "name", None)
    if not isinstance(name, str):
        return repr(distribution)
    arguments = [repr(value) for value in getattr(distribution, "args", ())]
    arguments += [f"{key}={value!r}" for key, value in getattr(distribution, "kwds", {}).items()]
    return f"{name}({', '.join(arguments)})"


def from_distribution(distribution: Any, *, seed: int) -> Dimension:
    """The dimension of anything that has ``rvs``.

    Parameters
    ----------
    distribution : object
        A distribution of scipy, frozen or without parameters; or any object with ``rvs``. It is
        left as it is.
    seed : int
        For the draws that stand for an object which has nothing but ``rvs``.

    Returns
    -------
    dimension : Dimension
        Its values have the types that ``rvs`` gives.

    Raises
    ------
    TypeError, ValueError
        If the distribution is not a proper one.
    """
    if not (callable(getattr(distribution, "ppf", None)) and callable(getattr(distribution, "cdf", None))):
        return _from_draws(distribution, seed)
    exact = _exact(distribution)
    if exact is not None:
        return exact
    try:
        middle = np.asarray(distribution.ppf(0.5))
    except TypeError as error:
        raise TypeError(
            f"{describe(distribution)} has no quantiles, are parameters missing? {error}"
        ) from error
    if middle.ndim:
        return _from_draws(distribution, seed)
    if np.isnan(middle):
        raise ValueError(f"{describe(distribution)} has no median; its parameters are out of their range.")
    if hasattr(getattr(distribution, "dist", distribution), "xk"):
        return _from_sample(distribution)
    if hasattr(distribution, "pmf"):
        return _from_discrete(distribution, float(middle), seed)
    return Quantile(distribution)


def _exact(distribution: Any) -> Dimension | None:
    """Arithmetic in place of ``ppf`` for the three that nearly every search uses."""
    generator = getattr(distribution, "dist", distribution)
    for known, shapes, build in (
        (stats.uniform, (), _uniform),
        (stats.loguniform, ("a", "b"), _loguniform),
        (stats.randint, ("low", "high"), _randint),
    ):
        if isinstance(generator, type(known)):
            given = _arguments(distribution, shapes)
            if given is not None and given.keys() >= set(shapes):
                return build(distribution, given)
    return None


def _arguments(distribution: Any, shapes: tuple[str, ...]) -> dict[str, Any] | None:
    """Parameters of a frozen distribution by name; None unless all are single numbers."""
    values = dict(zip((*shapes, "loc", "scale"), getattr(distribution, "args", ()), strict=False))
    values = {"loc": 0, "scale": 1} | values | getattr(distribution, "kwds", {})
    if not all(is_number(value) for value in values.values()):
        return None
    return values


def _uniform(distribution: Any, given: Mapping[str, Any]) -> Dimension:
    return _between(distribution, given["loc"], given["loc"] + given["scale"], log=False)


def _loguniform(distribution: Any, given: Mapping[str, Any]) -> Dimension | None:
    if given["loc"] != 0:
        return None
    return _between(distribution, given["a"] * given["scale"], given["b"] * given["scale"], log=True)


def _between(distribution: Any, low: float, high: float, *, log: bool) -> Dimension:
    try:
        return Float64(low, high, log=log)
    except ValueError as error:
        raise ValueError(f"{describe(distribution)} is no range: {error}") from error


def _randint(distribution: Any, given: Mapping[str, Any]) -> Dimension:
    low, end = given["low"] + given["loc"], given["high"] + given["loc"]
    if low % 1 != 0 or end % 1 != 0 or not low < end:
        raise ValueError(f"{describe(distribution)} needs integers low < high, of which high is excluded.")
    low, high = int(low), int(end) - 1
    return Integer(low, high) if low < high else Ordinal([low])


def _from_sample(distribution: Any) -> Dimension:
    """``scipy.stats.rv_discrete(values=(xk, pk))``, whose values need not be integers."""
    generator = getattr(distribution, "dist", distribution)
    given = _arguments(distribution, ()) or {"loc": 0}
    xk = np.ravel(generator.xk)
    order = np.argsort(xk)
    values, w = xk[order] + given["loc"], np.ravel(generator.pk)[order]
    kept = w > _NARROWEST
    return Weighted(list(values[kept]), w[kept], distribution)


def _from_discrete(distribution: Any, median: float, seed: int) -> Dimension:
    """A distribution on the integers, each in the cell from F(k - 1) to F(k)."""
    low, high = (float(end) for end in distribution.support())
    if not high - low < _MOST_TABLED:
        # Whether the quantiles are near has to be known before they are asked for: without a
        # closed form, scipy walks to them step by step, for hours where a tail is heavy.
        reach = _MOST_TABLED // 2 - 1
        if distribution.cdf(median - reach) > _EPS or distribution.sf(median + reach) > _EPS:
            return _from_draws(distribution, seed)
        tail_low, tail_high = distribution.ppf([_EPS, 1 - _EPS])
        low, high = max(low, float(tail_low)), min(high, float(tail_high))
    k = np.arange(low, high + 1)
    w = distribution.pmf(k)
    if not np.isfinite(w).all():
        raise ValueError(f"{describe(distribution)} has probabilities that are not finite.")
    kept = w > _NARROWEST
    return Weighted([int(value) for value in k[kept]], w[kept], distribution)


def _from_draws(distribution: Any, seed: int) -> Dimension:
    """A table of draws in place of a distribution that can do nothing else."""
    source = copy.deepcopy(distribution)
    # scikit-learn hands a RandomState to rvs, so that is what its authors are prepared for.
    random_state = np.random.RandomState(seed)
    draws = [source.rvs(random_state=random_state) for _ in range(_N_DRAWS)]
    if all(is_number(draw) and draw == draw for draw in draws):
        counts: dict[Any, int] = {}
        for draw in draws:
            counts[draw] = counts.get(draw, 0) + 1
        values = sorted(counts)
        return Weighted(values, [counts[value] for value in values], distribution)
    distinct, frequencies = _tally(draws)
    if stats.chisquare(frequencies).pvalue > 0.001:
        return Categorical(distinct)
    # Cells of a categorical dimension are equally wide: a likelier object gets more of them.
    shares = [max(1, round(_SHARES * frequency / _N_DRAWS)) for frequency in frequencies]
    common = math.gcd(*shares)
    return Categorical([v for v, share in zip(distinct, shares, strict=True) for _ in range(share // common)])


def _tally(draws: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Different objects among the draws, in the order of their first appearance, and their counts."""
    distinct: list[Any] = []
    counts: list[int] = []
    seen: dict[Any, int] = {}
    for draw in draws:
        try:
            i = seen.setdefault((type(draw), draw), len(distinct))
        except TypeError:  # unhashable; with many different ones the next is taken to be new too
            few = enumerate(distinct[:_MOST_COMPARED])
            i = next((k for k, known in few if same_value(known, draw)), len(distinct))
        if i == len(distinct):
            distinct.append(draw)
            counts.append(0)
        counts[i] += 1
    return distinct, counts
