"""CMAESSampler: generations, restarts, replay, failures and mixed spaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skhpo.samplers import CMAESSampler
from skhpo.space import Categorical, Column, Integer, Real, Space
from skhpo.testing import check_sampler

REAL_2 = Space([Column("a", Real(0.0, 1.0)), Column("b", Real(0.0, 1.0))])
MIXED = Space(
    [
        Column("x", Real(0.0, 1.0)),
        Column("i", Integer(1, 9)),
        Column("c", Categorical(["u", "v", "w"])),
        Column("flag", Integer(0, 1)),
    ]
)
CONDITIONAL = Space(
    [
        Column("model", Categorical(["a", "b"])),
        Column("x", Real(0.0, 1.0)),
        Column("a", Real(0.0, 1.0), 0, frozenset([0])),
        Column("b", Integer(1, 50), 0, frozenset([1])),
        Column("kind", Categorical(["p", "q"]), 0, frozenset([1])),
    ]
)
CATEGORICAL = Space([Column(f"c{j}", Categorical(list("abcdef"))) for j in range(4)])
SPACES = {"real": REAL_2, "mixed": MIXED, "conditional": CONDITIONAL, "categorical": CATEGORICAL}


def _bowl(X: np.ndarray) -> np.ndarray:
    return np.nansum((X - 0.3) ** 2, axis=1)


def _drive(
    sampler: CMAESSampler, n: int, loss: Callable[[np.ndarray], np.ndarray] = _bowl, batch: int = 1
) -> CMAESSampler:
    for _ in range(n // batch):
        X = sampler.ask(batch)
        sampler.tell(X, loss(X))
    return sampler


def test_contract_with_other_options() -> None:
    check_sampler(CMAESSampler(restarts="bipop", population_size=5))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("batch", [1, 7])
def test_replay_gives_the_same_next_point(name: str, batch: int) -> None:
    original = _drive(CMAESSampler().start(SPACES[name], seed=4), 210, batch=batch)
    replayed = CMAESSampler().start(SPACES[name], seed=4)
    replayed.tell(original.history.X, original.history.loss)
    replayed.n_asked = original.n_asked
    np.testing.assert_array_equal(replayed.ask(3), original.ask(3))


def test_the_seed_decides() -> None:
    a, b, c = (_drive(CMAESSampler().start(MIXED, seed=s), 50).history.X for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_results_in_any_order_with_more_pending_than_a_generation() -> None:
    rng = np.random.default_rng(0)
    sampler = CMAESSampler().start(REAL_2, seed=0)
    pending = sampler.ask(20)
    for _ in range(300):
        i = rng.integers(len(pending))
        sampler.tell(pending[i : i + 1], _bowl(pending[i : i + 1]))
        pending = np.delete(pending, i, axis=0)
        pending = np.vstack([pending, sampler.ask(1, pending)])
    assert sampler.history.loss.min() < 1e-4


def test_the_state_changes_once_in_a_generation() -> None:
    sampler = CMAESSampler(population_size=6, n_startup=0).start(REAL_2, seed=0)
    seen = [sampler._s]
    for _ in range(18):
        _drive(sampler, 1)
        if sampler._s is not seen[-1]:
            seen.append(sampler._s)
    assert [s.g for s in seen] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("n_trials", "lam"), [(None, 10), (1000, 10), (200, 10), (150, 7), (100, 5), (10, 5)]
)
def test_a_known_budget_allows_for_twenty_generations(n_trials: int | None, lam: int) -> None:
    space = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(10)])  # 4 + floor(3 ln 10) = 10
    sampler = CMAESSampler().start(space, seed=0, n_trials=n_trials)
    _drive(sampler, 10)
    assert sampler._c.lam == lam


def test_the_first_mean_comes_from_the_best_of_the_design() -> None:
    sampler = CMAESSampler(n_startup=5).start(REAL_2, seed=0)
    X = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [0.8, 0.1]])
    sampler.tell(X, np.array([0.0, 1, 2, 3, np.nan]))
    # Weights ln 3.5 - ln i of the best three: 1.252763, 0.559616, 0.154151, of 1.966530.
    np.testing.assert_allclose(sampler._s.m, [0.144135, 0.855865], atol=1e-6)
    assert sampler._s.sigma == 0.15


@pytest.mark.parametrize(("n_trials", "sigma0"), [(119, 0.1), (120, 0.15), (None, 0.15)])
def test_a_short_search_begins_with_a_small_step(n_trials: int | None, sigma0: float) -> None:
    # 20 generations of 4 + floor(3 ln 2) = 6
    sampler = CMAESSampler(n_startup=0).start(REAL_2, seed=0, n_trials=n_trials)
    assert sampler._s.sigma == sigma0


def test_x0_begins_there_without_a_design() -> None:
    sampler = CMAESSampler(x0=[0.2, np.nan], sigma0=0.01).start(REAL_2, seed=0)
    X = sampler.ask(8)
    np.testing.assert_allclose(X, np.tile([0.2, 0.5], (8, 1)), atol=0.05)


def test_equal_losses_restart_with_growing_populations() -> None:
    sampler = CMAESSampler(n_startup=0).start(REAL_2, seed=0)
    populations = []
    for _ in range(1000):
        _drive(sampler, 1, lambda X: np.zeros(len(X)))
        populations.append(sampler._c.lam)
    # 10 + ceil(60 / lam) equal generations: 20 of 6, then 15 of 12, 13 of 24, ...
    changes = np.flatnonzero(np.diff(populations)) + 1
    assert [populations[0], *(populations[i] for i in changes)] == [6, 12, 24, 48]
    assert list(changes + 1) == [120, 300, 612]


def test_without_restarts_it_stays() -> None:
    sampler = _drive(
        CMAESSampler(restarts=None, n_startup=0).start(REAL_2, seed=0), 500, lambda X: np.zeros(len(X))
    )
    assert sampler._c.lam == 6 and sampler._s.g == 500 // 6


def test_failures_push_away() -> None:
    def loss(X: np.ndarray) -> np.ndarray:
        return np.where(X[:, 0] < 0.5, np.nan, 1.0)

    sampler = _drive(CMAESSampler().start(REAL_2, seed=0), 90, loss)
    assert np.isnan(sampler.history.loss[:30]).mean() > 2 * np.isnan(sampler.history.loss[-30:]).mean()


@pytest.mark.parametrize("name", SPACES)
def test_only_failures_never_break_it(name: str) -> None:
    sampler = _drive(CMAESSampler().start(SPACES[name], seed=0), 60, lambda X: np.full(len(X), np.nan))
    assert sampler._c.lam == sampler._schedule.lam_0  # no growth: nothing has converged
    assert len(sampler.ask(3)) == 3


def test_points_never_asked_for_are_learned_from_with_a_clipped_step() -> None:
    sampler = CMAESSampler(population_size=6, n_startup=0, sigma0=0.01).start(REAL_2, seed=0)
    X = np.full((6, 2), 0.5)
    X[0] = [0.9, 0.5]
    sampler.tell(X, np.array([0.0, 1, 1, 1, 1, 1]))
    # w_1 = 0.637043 of a step of c_y = 2.414214 standard deviations of 0.01, not of 40 of them
    np.testing.assert_allclose(sampler._s.m, [0.5 + 0.637043 * 0.02414214, 0.5], atol=1e-7)


def test_a_mixed_optimum_is_found() -> None:
    best = MIXED.to_position({"x": 0.2, "i": 7, "c": "w", "flag": 1})

    def loss(X: np.ndarray) -> np.ndarray:
        return (
            (X[:, 0] - best[0]) ** 2 + np.abs(X[:, 1] - best[1]) + (X[:, 2] != best[2]) + (X[:, 3] != best[3])
        )

    regrets = [_drive(CMAESSampler().start(MIXED, seed=s), 150, loss).history.loss.min() for s in range(5)]
    assert np.median(regrets) < 1e-2


def test_the_margin_keeps_a_flag_alive() -> None:
    # 300 evaluations that favour flag 0: alpha = 1 / (lam n) still tries flag 1.
    sampler = _drive(
        CMAESSampler(restarts=None).start(MIXED, seed=0), 600, lambda X: X[:, 3] + (X[:, 0] - 0.5) ** 2
    )
    share = (sampler.history.X[300:, 3] > 0.5).mean()
    assert 0.005 < share < 0.3


def test_inactive_columns_do_not_collapse() -> None:
    # Model a is always best, so b stays without selection: its step must not shrink with that of x.
    def loss(X: np.ndarray) -> np.ndarray:
        return 10 * (X[:, 0] > 0.5) + (X[:, 1] - 0.5) ** 2

    space = Space([*CONDITIONAL.columns[:3], Column("b", Real(0.0, 1.0), 0, frozenset([1]))])
    sampler = _drive(CMAESSampler(restarts=None).start(space, seed=0), 300, loss)
    deviations = sampler._s.sigma * np.sqrt(np.diag(sampler._s.C))
    assert deviations[2] > 10 * deviations[0]


def test_a_categorical_optimum_is_found() -> None:
    # 200 of 1,296 points at random would find it in 15 of 100 runs.
    def loss(X: np.ndarray) -> np.ndarray:
        return (np.floor(X * 6) != [1, 2, 3, 4]).sum(axis=1)

    for seed in range(3):
        assert _drive(CMAESSampler().start(CATEGORICAL, seed=seed), 200, loss).history.loss.min() == 0


def test_fifty_dimensions_stay_inside_without_clumping_at_the_border() -> None:
    space = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(50)])
    X = _drive(CMAESSampler(sigma0=0.5, n_startup=0).start(space, seed=0), 60).history.X
    assert ((X > 0) & (X < 1)).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"restarts": "ipopo"}, ValueError, "'ipop', 'bipop' or None, got 'ipopo'"),
        ({"population_size": 1}, ValueError, "population_size must be at least 2, got 1"),
        ({"population_size": 6.0}, TypeError, "population_size must be an integer"),
        ({"population_size": True}, TypeError, "population_size must be an integer"),
        ({"n_startup": -1}, ValueError, "n_startup must be at least 0, got -1"),
        ({"sigma0": 0.0}, ValueError, "sigma0 must be greater than 0"),
        ({"sigma0": float("nan")}, ValueError, "sigma0"),
        ({"sigma0": "0.1"}, TypeError, "sigma0 must be a number"),
        ({"x0": [0.5, 1.5]}, ValueError, r"positions in \[0, 1\]"),
    ],
)
def test_bad_options(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CMAESSampler(**options)


def test_x0_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="each of the 2 columns"):
        CMAESSampler(x0=[0.5] * 3).start(REAL_2, seed=0)


@pytest.mark.parametrize(
    ("losses", "parents"),
    [
        ([5, 4, 1, 2, 6, 8, 9, 7], [2, 7]),  # 1 takes the place of 9
        ([5, 4, 3, 2, 6, 8, 1, 7], [6, 7]),  # the generation itself is the best
        ([5, 4, 3, 2, 6, 8, 2, 7], [6, 7]),  # or as good
        ([5, 4, 3, 2, 6, 8, 9, np.nan], [6, 3]),  # a failure is the worst
        ([np.nan, np.nan, 9, 9, 9, 9, 7, 8], [6, 7]),
        ([0, 9, 9, 9, 9, 9, 9, 9, 3, 4], [8, 0]),  # four generations ago
        ([0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 4], [10, 11]),  # five
    ],
)
def test_the_best_of_four_generations_is_a_parent_again(losses: list[float], parents: list[int]) -> None:
    sampler = CMAESSampler(population_size=2, n_startup=0, restarts=None).start(REAL_2, seed=0)
    x = np.linspace(0.4, 0.6, len(losses))
    sampler.tell(np.column_stack([x, x]), np.array(losses))
    last = np.array([len(x) - 2, len(x) - 1])
    np.testing.assert_array_equal(sampler._with_elite(last, sampler.history.loss), parents)


def test_no_parent_comes_from_before_a_restart() -> None:
    sampler = CMAESSampler(population_size=5, n_startup=0).start(REAL_2, seed=0, n_trials=100)
    while sampler._c.lam == 5:
        _drive(sampler, 1, lambda X: np.zeros(len(X)))
    _drive(sampler, 9, lambda X: np.ones(len(X)))
    m = sampler._s.m
    _drive(sampler, 1, lambda X: np.ones(len(X)))
    # Ten equal losses: each of the new points has the same weight.
    weight = np.maximum(sampler._c.w, 0).sum() / 10
    np.testing.assert_allclose(
        sampler._s.m - m, weight * (sampler.history.X[-10:] - m).sum(axis=0), atol=1e-9
    )
