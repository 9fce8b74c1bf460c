"""WS-CMA-ES: the promising distribution against the cmaes package and by hand, and what it saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skhpo.samplers import CMAESSampler
from skhpo.samplers._history import Earlier
from skhpo.samplers.cmaes import _warm_start
from skhpo.space import Categorical, Column, Integer, Real, Space

CUBE_5 = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(5)])
CONDITIONAL = Space(
    [
        Column("model", Categorical(["a", "b", "c"])),
        Column("x", Real(0.0, 1.0)),
        Column("a", Real(0.0, 1.0), 0, frozenset([0])),
        Column("b", Integer(1, 50), 0, frozenset([1])),
        Column("c", Real(0.0, 1.0), 0, frozenset([2])),
    ]
)


def _results(space: Space, m: int, seed: int) -> Earlier:
    rng = np.random.default_rng(seed)
    X = space.canonical(rng.random((m, space.d)))
    return Earlier.of(space, X, np.nansum((X - 0.3) ** 2, axis=1))


@pytest.mark.parametrize("m", [30, 57, 400])
def test_the_promising_distribution_is_that_of_the_cmaes_package(m: int) -> None:
    cmaes = pytest.importorskip("cmaes")
    earlier = _results(CUBE_5, m, seed=m)
    expected = cmaes.get_warm_start_mgd(list(zip(earlier.X, earlier.loss, strict=True)))
    found = _warm_start.promising(earlier.X[: _warm_start.n_good(m)], 0.15)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("m", "N"), [(1, 1), (2, 2), (3, 3), (29, 3), (39, 3), (40, 4), (300, 30)])
def test_a_tenth_is_good_and_at_least_three_are(m: int, N: int) -> None:
    assert _warm_start.n_good(m) == N


def test_inactive_entries_have_the_spread_of_ignorance() -> None:
    x = np.array([[0.2, np.nan, 0.1], [0.4, np.nan, np.nan]])
    m, sigma, C = _warm_start.promising(x, 0.3)
    np.testing.assert_allclose(m, [0.3, 0.5, 0.1])
    # alpha^2 = 0.01 and variances of 0.1^2, none and none; 0.3^2 for none, both and one of two points.
    np.testing.assert_allclose(sigma**2 * C, np.diag([0.02, 0.10, 0.055]), atol=1e-15)
    np.testing.assert_allclose(np.linalg.det(C), 1.0)


def test_choices_are_counted_with_one_point_of_doubt() -> None:
    # 3 of a, 1 of c, 1 unknown: with the doubt two points are shared by the three choices.
    q = _warm_start.probabilities(np.array([0.0, 0, 2, np.nan, 0]), 3)
    np.testing.assert_allclose(q, np.array([3 + 2 / 3, 2 / 3, 1 + 2 / 3]) / 6)


def test_the_first_generation_follows_the_distribution() -> None:
    rng = np.random.default_rng(0)
    # So tight that no point is near a border, and 0.1 longer along the diagonal of two columns.
    X = 0.5 + 0.01 * rng.standard_normal((100, 5))
    X[:, :2] += 0.1 * rng.standard_normal((100, 1))
    earlier = Earlier.of(CUBE_5, X, np.zeros(100))
    sampler = CMAESSampler().start(CUBE_5, seed=0, earlier=earlier)
    X = sampler.ask(1024)
    m, sigma, C = _warm_start.promising(earlier.X[:10], 0.15)
    np.testing.assert_allclose(X.mean(axis=0), m, atol=0.01)
    np.testing.assert_allclose(np.cov(X.T), sigma**2 * C, atol=0.1 * 0.1**2)


@pytest.mark.parametrize("m", [1, 5, 100])
def test_conditional_spaces_begin_where_the_good_points_were(m: int) -> None:
    earlier = _results(CONDITIONAL, m, seed=2)
    sampler = CMAESSampler().start(CONDITIONAL, seed=0, earlier=earlier)
    for _ in range(40):
        X = sampler.ask(1)
        sampler.tell(X, np.nansum((X - 0.3) ** 2, axis=1))
    assert sampler._s.g > 0
    replayed = CMAESSampler().start(CONDITIONAL, seed=0, earlier=earlier)
    replayed.tell(sampler.history.X, sampler.history.loss)
    replayed.n_asked = sampler.n_asked
    np.testing.assert_array_equal(replayed.ask(3), sampler.ask(3))


def test_only_categorical_columns() -> None:
    space = Space([Column(f"c{j}", Categorical(list("abcd"))) for j in range(3)])
    X = space.canonical(np.full((1, 3), 0.9))
    sampler = CMAESSampler().start(space, seed=0, earlier=Earlier.of(space, X, np.zeros(1)))
    for q in sampler._q:
        np.testing.assert_allclose(q, [0.125, 0.125, 0.125, 0.625])
    assert sampler.ask(5).shape == (5, 3)


def test_x0_is_stronger_than_the_mean_of_the_good_points() -> None:
    earlier = _results(CUBE_5, 100, seed=3)
    x0 = [0.9, np.nan, np.nan, np.nan, 0.1]
    m = CMAESSampler(x0=x0).start(CUBE_5, seed=0, earlier=earlier)._s.m
    np.testing.assert_allclose(m, [0.9, *earlier.X[:10, 1:4].mean(axis=0), 0.1])


def test_a_restart_is_cold() -> None:
    sampler = CMAESSampler().start(CUBE_5, seed=0, earlier=_results(CUBE_5, 100, seed=3))
    lam = sampler._c.lam
    while sampler._c.lam == lam:
        sampler.tell(sampler.ask(), np.zeros(1))
    assert sampler._s.sigma == 0.15
    np.testing.assert_array_equal(sampler._s.C, np.eye(5))


def _sphere(x: np.ndarray) -> np.ndarray:
    return (x**2).sum(axis=1)


def _rotated_ellipsoid(x: np.ndarray) -> np.ndarray:
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    return ((x @ Q) ** 2 * 10.0 ** np.linspace(0, 2, 5)).sum(axis=1)


def _evaluations_until(target: float, f: Callable[[np.ndarray], np.ndarray], sampler: CMAESSampler) -> int:
    while True:
        X = sampler.ask()
        loss = f(X - 0.62)
        sampler.tell(X, loss)
        if loss[0] <= target:
            return len(sampler.history)


@pytest.mark.parametrize("f", [_sphere, _rotated_ellipsoid])
def test_it_saves_evaluations_on_a_shifted_task(f: Callable[[np.ndarray], np.ndarray]) -> None:
    # The earlier task's optimum was at 0.6 in each column, that of the new one is at 0.62.
    n_cold = n_warm = 0
    for seed in range(6):
        source = CMAESSampler().start(CUBE_5, seed=100 + seed)
        for _ in range(200):
            X = source.ask()
            source.tell(X, f(X - 0.6))
        earlier = Earlier.of(CUBE_5, source.history.X, source.history.loss)
        n_cold += _evaluations_until(1e-2, f, CMAESSampler().start(CUBE_5, seed=seed))
        n_warm += _evaluations_until(1e-2, f, CMAESSampler().start(CUBE_5, seed=seed, earlier=earlier))
    # Over fifteen seeds the sphere takes 0.3 of the evaluations, the ellipsoid 0.55 to 0.65.
    assert n_warm < 0.8 * n_cold
