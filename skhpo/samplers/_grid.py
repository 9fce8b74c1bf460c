"""Every combination of levels, in the order of scikit-learn's ``ParameterGrid``.

Notation
--------
K : number of points of the grid
n : number of candidates that the search will have, where it is known
k : number of one point, 0 <= k < K
r : place of a number in the sample of the grid that is evaluated first
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.space import Categorical, Dimension, Lattice, Ordinal, Space

_MOST_INT64 = 2**63 - 1


class GridSampler(Sampler):
    """Every combination, in the order of scikit-learn's ``ParameterGrid``, each once.

    Points that were told already, such as candidates the user evaluated first, are passed over.
    After the last point there are no more proposals, whether or not the space has other points.

    Where the grid is known to have more points than the search will have candidates, the first of
    them in order would all lie in one corner. Then a sample of the grid, as large as the search, is
    drawn without replacement and goes first, in the same order. This is the only use of the seed.

    Parameters
    ----------
    resolution : int, default=10
        Number of positions for a range with more values than that: the middles of as many slices
        of equal prior probability. Ends of ranges are left out, since a distribution's
        end may be infinite. Lists are always used in full, since the user chose each value.

    Raises
    ------
    TypeError
        By ``start``, if ``resolution`` is not an integer.
    ValueError
        By ``start``, if ``resolution`` is less than 1.

    Examples
    --------
    >>> from skhpo.samplers import GridSampler
    >>> from skhpo.space import Categorical, Column, Space
    >>> space = Space([Column("b", Categorical(["x", "y"])), Column("a", Categorical(["u", "v"]))])
    >>> sampler = GridSampler().start(space, seed=0)
    >>> [tuple(space.to_params(point).values()) for point in sampler.ask(10)]
    [('x', 'u'), ('y', 'u'), ('x', 'v'), ('y', 'v')]
    """

    learns: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = False  # a full grid, which is what it is meant for, is always the same

    _lattice: Lattice
    _sample: list[int]
    _rank: dict[int, int]  # of each number of the sample the place in it
    _left: _Left  # numbers that were not told
    _left_of_sample: _Left  # places in the sample whose numbers were not told

    def __init__(self, resolution: int = 10) -> None:
        self.resolution = resolution

    def count_points(self, space: Space) -> float:
        """Number of points of the grid."""
        return self._grid_of(space).size

    def _grid_of(self, space: Space) -> Lattice:
        resolution = self._checked_resolution()
        return Lattice(space.columns, [_levels(column.dimension, resolution) for column in space.columns])

    def _start(self) -> None:
        self._lattice = self._grid_of(self.space)
        K, n = int(self._lattice.size), self.n_trials
        self._sample = [] if n is None or n >= K else _draw(n, K, np.random.default_rng(self.seed))
        self._rank = {k: r for r, k in enumerate(self._sample)}
        self._left, self._left_of_sample = _Left(), _Left()

    def _checked_resolution(self) -> int:
        if isinstance(self.resolution, bool) or not isinstance(self.resolution, numbers.Integral):
            raise TypeError(f"resolution must be an integer, got {self.resolution!r}.")
        if self.resolution < 1:
            raise ValueError(f"resolution must be at least 1, got {self.resolution!r}.")
        return int(self.resolution)

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        taken = {self._lattice.number(row) for row in pending}
        points: list[np.ndarray] = []
        for k in self._in_turn():
            if len(points) == n:
                break
            if k not in taken:
                taken.add(k)
                points.append(self._lattice.point(k))
        return np.array(points).reshape(-1, self.space.d)

    def _in_turn(self) -> Iterator[int]:
        """Numbers that were not told, those of the sample first and then all."""
        r = self._left_of_sample.first_from(0)
        while r < len(self._sample):
            yield self._sample[r]
            r = self._left_of_sample.first_from(r + 1)
        k = self._left.first_from(0)
        while k < self._lattice.size:
            yield k
            k = self._left.first_from(k + 1)

    def _learn(self, n_new: int) -> None:
        for row in self.history.X[len(self.history) - n_new :]:
            k = self._lattice.number(row)
            if k is None:
                continue
            self._left.remove(k)
            if k in self._rank:
                self._left_of_sample.remove(self._rank[k])


class _Left:
    """The integers from 0 on but for those removed; to find the next one takes amortised logarithmic time.

    Each removed number points to a greater one, with nothing but removed ones between. Following the
    pointers shortens them, so a long run of removed numbers is walked through only once.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def remove(self, k: int) -> None:
        self._next.setdefault(k, k + 1)

    def first_from(self, k: int) -> int:
        """The least number from k on that is left."""
        walked = []
        while k in self._next:
            walked.append(k)
            k = self._next[k]
        for passed in walked:
            self._next[passed] = k
        return k


def _levels(dimension: Dimension, resolution: int) -> np.ndarray:
    if isinstance(dimension, Categorical | Ordinal) or dimension.n_levels <= resolution:
        return dimension.levels()
    return np.unique(dimension.snap((np.arange(resolution) + 0.5) / resolution))


def _draw(n: int, K: int, rng: np.random.Generator) -> list[int]:
    """So many different integers (n <= K) from 0 to K - 1, ascending; no memory of order K."""
    if K <= _MOST_INT64:
        return sorted(rng.choice(K, size=n, replace=False, shuffle=False).tolist())
    drawn: set[int] = set()
    n_bits = K.bit_length()
    n_bytes = (n_bits + 7) // 8
    while len(drawn) < n:
        k = int.from_bytes(rng.bytes(n_bytes), "little") >> (8 * n_bytes - n_bits)
        if k < K:
            drawn.add(k)
    return sorted(drawn)
