"""A low-discrepancy sequence: random search without its gaps and clumps."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skhpo.samplers._base import Sampler


class SobolSampler(Sampler):
    """Scrambled Sobol points: the k-th proposal is the k-th point of the sequence fixed by the seed.

    Any stretch of 2^m points from a multiple of 2^m on has the same number of points in each of
    the 2^m equal slices of every dimension, which makes powers of two the natural numbers of
    candidates. In a finite space, a point that was told or is pending gives way to a free one close by.

    References
    ----------
    A. B. Owen, "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skhpo.samplers import SobolSampler
    >>> from skhpo.space import Column, Real, Space
    >>> space = Space([Column("C", Real(1e-3, 1e3, log=True)), Column("gamma", Real(1e-4, 1.0, log=True))])
    >>> X = SobolSampler().start(space, seed=0).ask(4)
    >>> np.sort(np.floor(4 * X[:, 0])).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    learns: ClassVar[bool] = False

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._design.points(self.n_asked, n)
