r"""What an evaluation differs in beside its point, as more inputs of the covariance.

Notation
--------
n, d, F : numbers of points, of columns of the space, of features of the points alone
r       : (n,), resources as fractions of the full one
t       : (n,), log r / log 1000: zero in full, and the same for a resource whatever else was told
s       : (n,), the search: 0 for this one and 1 for the earlier one

What a longer training changes, it changes by factors: a third of the training differs from the whole as a
ninth differs from a third. On this scale each resource of a ladder is equally far from the next, and the
length scale of t, which is fitted like the others, says how far results carry [1]_.

Two searches are at distance 1, so that the length scale l of s says how far results carry from one to the
other: at the same point they correlate with the Matern function of 1 / l. It is positive, and close to none
for a small l. This is the covariance over data sets of [2]_ for two of them.

References
----------
.. [1] K. Kandasamy, G. Dasarathy, J. Schneider and B. Poczos, "Multi-fidelity Bayesian optimisation with
   continuous approximations", ICML 2017, arXiv:1703.06240.
.. [2] K. Swersky, J. Snoek and R. P. Adams, "Multi-task Bayesian optimization", NeurIPS 2013.
"""

from __future__ import annotations

import math

import numpy as np

from skhpo.samplers.gp._embedding import Embedding
from skhpo.space import Space

_RANGE = math.log(1000.0)


class ContextEmbedding(Embedding):
    """Features (n, F + 1) or (n, F + 2) of points and where their losses are from.

    Queries are points at the full resource in this search.

    Parameters
    ----------
    space : Space
    budget : bool
        Whether there is an input for the resource.
    earlier : bool
        Whether there is an input for the search.
    """

    def __init__(self, space: Space, *, budget: bool, earlier: bool) -> None:
        super().__init__(space)
        self._has_budget, self._has_earlier = budget, earlier
        added = budget + earlier
        self._own(np.append(self.owner, space.d + np.arange(added)), space.d + added)

    def features(
        self, X: np.ndarray, resource: np.ndarray | float = 1.0, *, earlier: bool = False
    ) -> np.ndarray:
        """Features of canonical points (n, d) at resources (n,), all from one of the two searches."""
        Phi = super().features(X)
        if self._has_budget:
            Phi[:, -1 - self._has_earlier] = np.log(resource) / _RANGE
        if self._has_earlier:
            Phi[:, -1] = float(earlier)
        return Phi
