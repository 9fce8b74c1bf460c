"""Independent draws from the user's prior: the baseline that every other sampler must beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skhpo.samplers._base import Sampler

_DRAWS = 256
"""Draws to try for a point that is still free, before the space is listed."""


class RandomSampler(Sampler):
    """Uniform draws in the unit cube, that is, draws from the distributions the user wrote.

    In a finite space they are draws without replacement: a point that was told or is pending is
    drawn again.

    References
    ----------
    J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", Journal of Machine
    Learning Research 13, 2012.

    Examples
    --------
    >>> from skhpo.samplers import RandomSampler
    >>> from skhpo.space import Categorical, Column, Integer, Space
    >>> space = Space([Column("depth", Integer(1, 9)), Column("criterion", Categorical(["gini", "entropy"]))])
    >>> sampler = RandomSampler().start(space, seed=0)
    >>> X = sampler.ask(3)
    >>> X.shape
    (3, 2)
    """

    learns: ClassVar[bool] = False

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.random((n, self.space.d))

    def _replacement(self, row: np.ndarray, taken: set[bytes], rng: np.random.Generator) -> np.ndarray:
        # A neighbour would favour what lies beside the points already seen; rejection keeps the prior.
        for point in self.space.canonical(rng.random((_DRAWS, self.space.d))):
            if not self._is_taken(point, taken):
                return point
        return self._nearby_unseen(row, taken, rng)
