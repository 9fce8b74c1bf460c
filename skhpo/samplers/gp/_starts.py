"""Where the searches for the acquisition's maximum start.

Notation
--------
N, d : number of candidates, of columns
U    : (N, d), full points: a position in every column, also in those that are inactive

Far from all data the acquisition function is broad and a quasi-random sample finds its hills. Close to the
incumbent, late in a search, its hills are too narrow for any sample of the whole cube: there, candidates are
drawn around the best observations at all scales from the length scale down.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from skhpo.space import Space

_N_SCATTERED = 512
_N_NEARBY = 128
_N_CENTRES = 4
_N_STARTS = 8
"""Candidates all over the cube and near the best observations, how many of those, and searches started."""


class Starts:
    """Candidates for starting points, and a choice among them.

    Parameters
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        self._lattice = qmc.Sobol(space.d, scramble=False).random(_N_SCATTERED)
        self._categorical = np.array(space.kinds) == "categorical"

    def candidates(
        self, X: np.ndarray, believed: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Full points all over the cube and around the best observations.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observations, canonical.
        believed : ndarray of shape (n,)
            What they are believed to be worth; less is better.
        lengths : ndarray of shape (d,)
            Length scales.
        rng : numpy.random.Generator

        Returns
        -------
        scattered : ndarray of shape (N, d)
        nearby : ndarray of shape (N', d)
        """
        d = X.shape[1]
        # A random shift modulo 1 keeps the evenness of the points and makes each call's different; scrambling
        # anew would take longer than all the rest.
        scattered = (self._lattice + rng.random(d)) % 1.0
        best = np.argsort(believed, kind="stable")[:_N_CENTRES]
        centres = X[np.repeat(best, _N_NEARBY // _N_CENTRES)]
        N = len(centres)
        inside = np.where(np.isnan(centres), rng.random((N, d)), centres)
        size = np.minimum(lengths, 1.0) * 10.0 ** rng.uniform(-3.0, 0.0, (N, 1))
        ordered = _reflected(inside + size * rng.standard_normal((N, d)))
        redrawn = rng.random((N, d)) < 0.5 / max(1, self._categorical.sum())
        unordered = np.where(redrawn, rng.random((N, d)), inside)
        return scattered, np.where(self._categorical, unordered, ordered)

    @staticmethod
    def choose(groups: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator) -> np.ndarray:
        """Starting points (B, d): of each group (U, log values) the best and a draw of others by value.

        The draw is without replacement with probabilities proportional to exp(values), by Gumbel's keys.
        Where the values are logarithms, what the acquisition function calls equal is then drawn equally.
        """
        chosen = []
        for U, values in groups:
            if len(U):
                keys = values + rng.gumbel(size=len(values))
                keys[np.argmax(values)] = np.inf
                chosen.append(U[np.argsort(-keys, kind="stable")[: _N_STARTS // len(groups)]])
        return np.concatenate(chosen)


def _reflected(U: np.ndarray) -> np.ndarray:
    """Positions folded back into the cube; clipping would pile candidates up on its faces."""
    U = np.abs(U) % 2.0
    return np.where(U > 1.0, 2.0 - U, U)
