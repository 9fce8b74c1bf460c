r"""The Matern-5/2 covariance with a length scale for each column.

Notation
--------
n, m, d, F : numbers of points, of other points, of columns, of features
Phi        : (n, F), features of the points; see ``_embedding``
w          : (F,), inverse squared length scales 1 / l_j^2 of the features' columns
R2         : (n, m), squared scaled distances r^2
s          : signal variance
k(r)       : s (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r), Rasmussen & Williams 2006, eq. 4.17
"""

from __future__ import annotations

import numpy as np


def squared_distances(Phi: np.ndarray, Psi: np.ndarray, w: np.ndarray) -> np.ndarray:
    """R2 (n, m) between features (n, F) and (m, F).

    By the binomial formula, so that the work is a matrix product. What cancels leaves errors of 1e-16 times
    the squared diameter; the covariance is differentiable in r^2, so its errors are of that size too.
    """
    A, B = Phi * w, Psi
    R2 = A @ (-2.0 * B.T)
    R2 += np.einsum("if,if->i", A, Phi)[:, None]
    R2 += (B * B) @ w
    return np.maximum(R2, 0.0, out=R2)


def matern52(R2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation k / s and its derivative by r^2, both of the shape of R2.

    By r^2 and not by r, because the derivative by r^2 is finite at 0: -5/6 (1 + sqrt(5) r) exp(-sqrt(5) r).
    """
    root5_r = np.sqrt(5.0 * R2)
    decay = np.exp(-root5_r)
    slope = (1.0 + root5_r) * decay
    R2_part = R2 * decay
    R2_part *= 5.0 / 3.0
    R2_part += slope
    slope *= -5.0 / 6.0
    return R2_part, slope
