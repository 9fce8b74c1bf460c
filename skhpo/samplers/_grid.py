"""Every combination of levels, in the order of scikit-learn's ``ParameterGrid``.

Notation
--------
K          : number of points of the grid
k          : number of one point, 0 <= k < K
levels[j]  : (n_j,), canonical positions of column j in the grid
sizes[j]   : combinations of column j with all that hangs under it
"""

from __future__ import annotations

import math
import numbers
from typing import ClassVar

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.space import Categorical, Dimension, Ordinal, Space


class Lattice:
    """The points of a grid by their numbers, computed when wanted: K may be beyond any memory.

    A point's number is read as digits of mixed radix, one digit for each column on the same
    level of the tree; the alphabetically last name turns fastest. Within a column that others
    hang under, numbers count through its levels, each as wide as the grid below it.

    Parameters
    ----------
    space : Space
    resolution : int
        Number of positions in a range that has more values.
    """

    def __init__(self, space: Space, resolution: int) -> None:
        self._space = space
        self.levels = [_levels(column.dimension, resolution) for column in space.columns]
        self._children: dict[tuple[int | None, int | None], list[int]] = {}
        for j in sorted(range(space.d), key=lambda j: space.columns[j].name or ""):
            column = space.columns[j]
            for branch in column.branches if column.parent is not None else [None]:
                self._children.setdefault((column.parent, branch), []).append(j)
        self._parents = {column.parent for column in space.columns}
        self._sizes = [0] * space.d
        # Children stand after their parents, so what hangs under j is counted before j.
        for j in reversed(range(space.d)):
            self._sizes[j] = (
                sum(self._size_below(j, self._branch(j, position)) for position in self.levels[j])
                if j in self._parents
                else len(self.levels[j])
            )
        self.size = self._size_below(None, None)

    def point(self, k: int) -> np.ndarray:
        """Canonical point (d,) number k."""
        point = np.full(self._space.d, np.nan)
        self._fill(point, None, None, k)
        return point

    def _branch(self, j: int, position: float) -> int:
        return int(self._space.branch(j, np.asarray(position)))

    def _size_below(self, parent: int | None, branch: int | None) -> int:
        return math.prod(self._sizes[j] for j in self._children.get((parent, branch), []))

    def _fill(self, point: np.ndarray, parent: int | None, branch: int | None, k: int) -> None:
        for j in reversed(self._children.get((parent, branch), [])):
            k, digit = divmod(k, self._sizes[j])
            if j not in self._parents:
                point[j] = self.levels[j][digit]
                continue
            for position in self.levels[j]:
                below = self._size_below(j, self._branch(j, position))
                if digit < below:
                    point[j] = position
                    self._fill(point, j, self._branch(j, position), digit)
                    break
                digit -= below


def _levels(dimension: Dimension, resolution: int) -> np.ndarray:
    if isinstance(dimension, Categorical | Ordinal) or dimension.n_levels <= resolution:
        return dimension.levels()
    return np.unique(dimension.snap((np.arange(resolution) + 0.5) / resolution))


class GridSampler(Sampler):
    """Every combination, in the order of scikit-learn's ``ParameterGrid``, each once.

    Points that were told already, such as candidates the user evaluated first, are passed over.
    After the last point there are no more proposals, whether or not the space has other points.

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
    uses_seed: ClassVar[bool] = False

    _lattice: Lattice
    _n_done: int  # points before this number have all been told

    def __init__(self, resolution: int = 10) -> None:
        self.resolution = resolution

    def count_points(self, space: Space) -> float:
        """Number of points of the grid."""
        return Lattice(space, self._checked_resolution()).size

    def _start(self) -> None:
        self._lattice = Lattice(self.space, self._checked_resolution())
        self._n_done = 0

    def _checked_resolution(self) -> int:
        if isinstance(self.resolution, bool) or not isinstance(self.resolution, numbers.Integral):
            raise TypeError(f"resolution must be an integer, got {self.resolution!r}.")
        if self.resolution < 1:
            raise ValueError(f"resolution must be at least 1, got {self.resolution!r}.")
        return int(self.resolution)

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        taken = {row.tobytes() for row in pending}
        points: list[np.ndarray] = []
        k = self._n_done
        while len(points) < n and k < self._lattice.size:
            point = self._lattice.point(k)
            if not self._is_taken(point, taken):
                points.append(point)
            k += 1
        return np.array(points).reshape(-1, self.space.d)

    def _learn(self, n_new: int) -> None:
        while self._n_done < self._lattice.size and self._is_taken(self._lattice.point(self._n_done), set()):
            self._n_done += 1
