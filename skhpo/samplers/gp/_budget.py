r"""The resource as one more input of the covariance.

Notation
--------
n, d, F : numbers of points, of columns of the space, of features without the resource
r       : (n,), resources as fractions of the full one
t       : (n,), log r / log 1000: zero in full, and the same for a resource whatever else was told

What a longer training changes, it changes by factors: a third of the training differs from the whole as a
ninth differs from a third. On this scale each resource of a ladder is equally far from the next, and the
length scale of t, which is fitted like the others, says how far results carry [1]_.

References
----------
.. [1] K. Kandasamy, G. Dasarathy, J. Schneider and B. Poczos, "Multi-fidelity Bayesian optimisation with
   continuous approximations", ICML 2017, arXiv:1703.06240.
"""

from __future__ import annotations

import math

import numpy as np

from skhpo.samplers.gp._embedding import Embedding
from skhpo.space import Space

_RANGE = math.log(1000.0)


class BudgetEmbedding(Embedding):
    """Features (n, F + 1) of points and their resources; queries are points at the full resource.

    Parameters
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self._own(np.append(self.owner, space.d), space.d + 1)

    def features(self, X: np.ndarray, resource: np.ndarray | float = 1.0) -> np.ndarray:
        """Features of canonical points (n, d) at resources (n,)."""
        Phi = super().features(X)
        Phi[:, -1] = np.log(resource) / _RANGE
        return Phi
