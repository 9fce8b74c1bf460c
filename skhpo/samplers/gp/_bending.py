r"""Ordered columns bent before distances are taken, by Kumaraswamy's distribution function.

Notation
--------
n, k : numbers of points, of ordered columns
x    : (n, k), positions; NaN where inactive
a, b : (k,), exponents, positive; theta has their logarithms, ``bends`` (2, k)
w(x) : 1 - (1 - x^a)^b, which is x for a = b = 1

A covariance that depends on distances believes that a column matters as much at one end as at the other. Of a
learning rate, a penalty or a depth that is seldom so: from some point on more of it changes nothing, or
everything. A monotone map of the unit interval onto itself, which is fitted like the length scales, stretches
the end at which losses change [1]_. Its two exponents can make it steep at either end, at both, or in the
middle; HEBO has it in this form [2]_.

References
----------
.. [1] J. Snoek, K. Swersky, R. Zemel and R. P. Adams, "Input warping for Bayesian optimization of
   non-stationary functions", ICML 2014, arXiv:1402.0929. It has the distribution function of the beta
   distribution, of which this one is a close relative with a formula.
.. [2] A. I. Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter
   optimisation", JAIR 74, 2022, arXiv:2012.03826.
"""

from __future__ import annotations

import numpy as np

_EDGE = 1e-6
"""How far from 0 and 1 positions are kept: for exponents below 1 the slope at the edge is infinite."""


def bend(x: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """w(x) (n, k)."""
    a, b = np.exp(bends)
    return 1.0 - (1.0 - _inside(x) ** a) ** b


def slope(x: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """Derivative (n, k) of w by x."""
    a, b = np.exp(bends)
    x = _inside(x)
    return a * b * x ** (a - 1.0) * (1.0 - x**a) ** (b - 1.0)


def by_bends(x: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """Derivatives (2, n, k) of w by log a and by log b."""
    a, b = np.exp(bends)
    x = _inside(x)
    power = x**a
    rest = 1.0 - power
    below = rest**b
    return np.stack([a * b * power * np.log(x) * below / rest, -b * below * np.log(rest)])


def _inside(x: np.ndarray) -> np.ndarray:
    return _EDGE + (1.0 - 2.0 * _EDGE) * x
