"""CMA-ES on its home ground, against the evaluations that the cma package needs."""

import numpy as np
import pytest

from skhpo.samplers import CMAESSampler
from skhpo.space import Column, Real, Space

D, BOX, SIGMA_0 = 5, 5.0, 1.5


def sphere(z):
    return (z**2).sum()


def ellipsoid(z):
    return (10 ** (6 * np.linspace(0, 1, len(z))) * z**2).sum()


def rosenbrock(z):
    z = z + 1
    return (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum()


def evaluations(function, seed, target=1e-8, limit=6000):
    rng = np.random.default_rng([seed, D])
    optimum, start = rng.uniform(-2, 2, D), rng.uniform(-3, 3, D)
    space = Space([Column(f"x{j}", Real(-BOX, BOX)) for j in range(D)])
    options = {"restarts": None, "x0": (start + BOX) / (2 * BOX), "sigma0": SIGMA_0 / (2 * BOX)}
    sampler = CMAESSampler(**options).start(space, seed=seed)
    for k in range(1, limit + 1):
        X = sampler.ask()
        loss = function(2 * BOX * X[0] - BOX - optimum)
        if loss <= target:
            return k
        sampler.tell(X, [loss])
    return limit


# Medians of cma 4.5.0 over ten seeds from the same starts, by benchmarks/cmaes_evaluations.py.
@pytest.mark.slow
@pytest.mark.parametrize(("function", "of_cma"), [(sphere, 661), (ellipsoid, 1462), (rosenbrock, 1777)])
def test_as_few_evaluations_as_cma(function, of_cma):
    assert np.median([evaluations(function, seed) for seed in range(10)]) <= 1.2 * of_cma
