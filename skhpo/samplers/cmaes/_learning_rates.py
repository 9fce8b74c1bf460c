r"""Learning rates that follow the ratio of signal to noise: LRA-CMA-ES.

Of each generation's change of the distribution a share ``eta`` is made, one share for the mean and one for
the covariance matrix. Changes that point to the same side again and again are signal and may be made in
full; where noise or ruggedness turns them about, the shares shrink until what is made of ``1 / eta``
generations together has the ratio that is aimed at [1]_.

The functions are named after the steps of the paper's Algorithm 1. Changes are measured in the local
coordinates of the distribution that they change, in which the length of a step is that of the Fisher metric.

Notation
--------
n             : dimension of the normal distribution
theta         : m or Sigma, the parameter that a share belongs to
Delta         : change of theta in a generation, in local coordinates: (n,) for m, (n, n) for Sigma
E             : like Delta, its moving average
V             : moving average of its squared length
beta          : weight of the newest generation in both
snr           : ||E[Delta]||^2 / Tr(Cov[Delta]), signal over noise, estimated
alpha, gamma  : the ratio aimed at, as a multiple of eta; how fast eta follows
Sigma         : (n, n), sigma^2 C; the scaling A of discrete columns cancels in local coordinates

References
----------
.. [1] M. Nomura, Y. Akimoto, I. Ono, "CMA-ES with learning rate adaptation: can CMA-ES with default
   population size solve multimodal and noisy problems?", GECCO 2023, arXiv 2304.03473.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from skhpo.samplers.cmaes._strategy import State, decompose

ALPHA = 1.4
BETA_M = 0.1
BETA_SIGMA = 0.03
GAMMA = 0.1


@dataclass(frozen=True)
class Rate:
    """The share of one parameter, and what is known of its changes."""

    beta: float
    E: np.ndarray
    V: float = 0.0
    eta: float = 1.0


@dataclass(frozen=True)
class Rates:
    """Those of the mean and of the covariance matrix; each generation makes new ones."""

    m: Rate
    Sigma: Rate


def make_rates(n: int) -> Rates:
    """What a run begins with: changes are made in full."""
    return Rates(Rate(BETA_M, np.zeros(n)), Rate(BETA_SIGMA, np.zeros((n, n))))


def adapt(rates: Rates, old: State, new: State) -> tuple[Rates, State]:
    """Shares after a generation, and the distribution that is left when only they are made.

    Parameters
    ----------
    rates : Rates
    old, new : State
        Before and after the update with fixed rates; both have the same ``A``.

    Returns
    -------
    rates : Rates
    state : State
        ``new``, but for mean, step size and covariance matrix.
    """
    root = (old.B / old.D) @ old.B.T  # C^(-1/2)
    Delta_m = root @ ((new.m - old.m) / (old.sigma * old.A))
    # In units of the old sigma^2, as all that follows.
    change = (new.sigma / old.sigma) ** 2 * new.C - old.C
    Delta_Sigma = root @ change @ root / math.sqrt(2)

    rates_new = Rates(follow(rates.m, Delta_m), follow(rates.Sigma, Delta_Sigma))
    m = old.m + rates_new.m.eta * (new.m - old.m)
    Sigma = old.C + rates_new.Sigma.eta * change
    # det C = 1 from here on: the step size is all of the distribution's volume.
    scale = math.exp(np.linalg.slogdet(Sigma)[1] / (2 * max(len(m), 1)))
    # The best step size of recombination is proportional to 1 / eta_m.
    sigma = old.sigma * scale * (rates.m.eta / rates_new.m.eta)
    return rates_new, decompose(replace(new, m=m, sigma=sigma, C=Sigma / scale**2))


def follow(rate: Rate, Delta: np.ndarray) -> Rate:
    """The share of a parameter after one more change of it."""
    beta, eta = rate.beta, rate.eta
    E = (1 - beta) * rate.E + beta * Delta
    V = (1 - beta) * rate.V + beta * float((Delta**2).sum())
    relative = signal_to_noise(E, V, beta) / (ALPHA * eta) - 1
    step = min(GAMMA * eta, beta) * min(max(relative, -1.0), 1.0)
    return Rate(beta, E, V, min(eta * math.exp(step), 1.0))


def signal_to_noise(E: np.ndarray, V: float, beta: float) -> float:
    """Estimate of the ratio from the two moving averages; infinite if no change differs from the others."""
    square = float((E**2).sum())
    noise = V - square
    signal = square - beta / (2 - beta) * V
    return signal / noise if noise > 0 else math.inf
