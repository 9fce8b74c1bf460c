"""When a run ends, and which one follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from skhpo.samplers.cmaes._restarts import Progress, Regime, Schedule, stop_reason
from skhpo.samplers.cmaes._strategy import State, decompose, make_constants, make_state

C = make_constants(2, 6)  # horizon of equal losses: 10 + 30 x 2 / 6 = 20 generations
LOSS = np.arange(6.0)
REAL = np.array([True, True])


def _reason(
    s: State, n_generations: int = 1, loss: np.ndarray = LOSS, narrowing: np.ndarray = REAL
) -> str | None:
    progress = Progress()
    for g in range(n_generations):
        progress.append(loss - 1e-3 * g)
    return stop_reason(C, s, 0.2, progress, loss, narrowing)


def _state(**changes: object) -> State:
    return decompose(replace(make_state(np.array([0.5, 0.5]), 0.2), **changes))


def test_a_fresh_run_goes_on() -> None:
    assert _reason(_state()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"C": np.diag([1.0, 1.01e14])}, "condition"),
        ({"sigma": 2.1e3}, "tol_x_up"),
        ({"sigma": 1.9e-13}, "tol_x"),
        ({"m": np.array([1e6, 0.5]), "sigma": 1e-10}, "no_effect_coordinate"),
        ({"C": np.diag([1.0, 0.99e14]), "sigma": 1e-5}, None),
    ],
)
def test_criteria_of_the_distribution(changes: dict[str, object], reason: str | None) -> None:
    assert _reason(_state(**changes)) == reason


def test_no_effect_along_an_axis() -> None:
    # Along the short axis (1, -1)/sqrt(2) a tenth of a deviation is lost in rounding, not along the
    # coordinates.
    B = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    s = _state(C=(B * np.array([1.0, 1e-13])) @ B.T, m=np.array([1.0, 1.0]), sigma=1e-9)
    assert [_reason(replace(s, g=g)) for g in (0, 1)] == ["no_effect_axis", None]


def test_discrete_columns_do_not_hide_a_narrow_real_one() -> None:
    s = _state(sigma=1e-14, A=np.array([1.0, 1e14]))
    assert _reason(s, narrowing=np.array([True, False])) == "tol_x"
    assert _reason(s, narrowing=np.array([False, False])) is None


def test_flat_losses() -> None:
    for n, reason in ((19, None), (20, "equal_losses")):
        progress = Progress()
        for _ in range(n):
            progress.append(np.zeros(6))
        assert stop_reason(C, _state(), 0.2, progress, np.zeros(6), REAL) == reason
    progress = Progress()
    for g in range(20):
        progress.append(np.full(6, 1e-14 * g))
    assert stop_reason(C, _state(), 0.2, progress, np.zeros(6), REAL) == "tol_fun"
    assert stop_reason(C, _state(), 0.2, progress, LOSS, REAL) is None


def test_stagnation() -> None:
    # 120 + 30 x 2 / 6 = 130 generations
    rng = np.random.default_rng(0)
    noisy = Progress()
    for g in range(131):
        assert stop_reason(C, _state(), 0.2, noisy, LOSS, REAL) is None or g >= 130
        noisy.append(rng.random(6) + 1e-2 * g)
    assert stop_reason(C, _state(), 0.2, noisy, LOSS, REAL) == "stagnation"
    assert _reason(_state(), n_generations=131) is None  # it still improves


def test_failures_do_not_enter_the_progress() -> None:
    progress = Progress()
    progress.append(np.array([3.0, 1.0, np.nan, 2.0]))
    assert progress.best == [1.0] and progress.median == [2.0]


def test_ipop_doubles_the_population() -> None:
    schedule = Schedule(6, "ipop")
    regime, populations = Regime(6), []
    for _ in range(4):
        regime = schedule.following(regime, 100, np.random.default_rng(0))
        populations.append(regime.lam)
    assert populations == [12, 24, 48, 96]
    assert regime.sigma_share == 1.0


def test_bipop_alternates_by_budget() -> None:
    schedule, rng = Schedule(6, "bipop"), np.random.default_rng(0)
    first = schedule.following(Regime(6), 1000, rng)
    assert (first.lam, first.large) == (12, True)
    large, spent, large_populations = first, {True: 0, False: 0}, [12]
    regime, cost = first, 600
    for _ in range(30):
        spent[regime.large] += cost
        following = schedule.following(regime, cost, rng)
        assert following.large == (spent[False] >= spent[True])
        if following.large:
            large_populations.append(following.lam)
            large, cost = following, 50 * following.lam
        else:
            assert 6 <= following.lam <= large.lam / 2
            assert 0.01 <= following.sigma_share <= 1
            assert following.max_evaluations == (600 if large is first else 50 * large.lam) / 2
            cost = int(following.max_evaluations)
        regime = following
    assert large_populations == [12 * 2**k for k in range(len(large_populations))]
    assert len(large_populations) >= 4
