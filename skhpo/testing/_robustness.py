"""Checks that odd results and odd spaces neither break a sampler nor stop it from proposing."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from skhpo.samplers import Sampler
from skhpo.space import Categorical, Column, Integer, Ordinal, Real, Space
from skhpo.testing._drive import conditional, mixed, random_points, reals, require, require_valid, sphere

Losses = Callable[[np.ndarray], np.ndarray]

_N_BEFORE = 30
"""Results told at once before the first ask, so that a model is in use whatever the initial design."""


def _survives(
    sampler: Sampler,
    space: Space,
    losses: Losses = sphere,
    resources: tuple[float, ...] = (1.0,),
    copies: int = 1,
) -> None:
    """Ask and tell after many odd results; an overflow or a division by zero on the way is an error."""
    run = sampler.start(space, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        X = np.repeat(random_points(space, _N_BEFORE // copies, seed=0), copies, axis=0)
        run.tell(X, losses(X), np.resize(resources, len(X)))
        for n in (1, 3, 1, 8, 1, 3):
            pending = run.ask(2)
            X = run.ask(n, pending)
            require(len(X) == n, f"{n} points were asked for in a space with plenty, {len(X)} came.")
            require_valid(X, space, n, pending)
            X = np.repeat(np.concatenate([pending, X]), copies, axis=0)
            run.tell(X, losses(X), np.resize(resources, len(X)))


def check_constant_scores(sampler: Sampler) -> None:
    """All results equal: no division by a standard deviation of zero.

    Protects searches with a score such as accuracy on a hopeless or a trivial task.
    """
    for space in (reals(2), conditional()):
        _survives(sampler, space, lambda X: np.full(len(X), 0.5))


def check_all_failures(sampler: Sampler) -> None:
    """No evaluation ever succeeds: the sampler goes on proposing.

    Protects a search from dying of its own sampler before it can report why all fits failed.
    """
    for space in (reals(2), conditional()):
        _survives(sampler, space, lambda X: np.full(len(X), np.nan))
        _survives(sampler, space, lambda X: np.resize([np.inf, -np.inf, np.nan], len(X)))


def check_some_failures(sampler: Sampler) -> None:
    """Losses of NaN and of both infinities among good ones are failures, not values.

    Protects against a NaN that reaches the model, and an infinity that wins.
    """
    for space in (reals(2), conditional()):
        _survives(sampler, space, _with_failures)


def _with_failures(X: np.ndarray) -> np.ndarray:
    loss = sphere(X)
    loss[::4], loss[1::8], loss[5::8] = np.nan, np.inf, -np.inf
    return loss


def check_single_success(sampler: Sampler) -> None:
    """One result among failures: a spread cannot be had from it.

    Protects the moment at which a search has its first score.
    """
    _survives(sampler, reals(2), lambda X: np.where(np.arange(len(X)) == 2, 1.0, np.nan))


def check_duplicated_tells(sampler: Sampler) -> None:
    """The same point told several times, with equal or different losses.

    Protects against singular kernel matrices; noisy scores and candidates with several resources
    repeat points.
    """
    noise = np.random.default_rng(0)
    for space in (reals(2), conditional()):
        _survives(sampler, space, sphere, copies=5)
        _survives(sampler, space, lambda X: sphere(X) + noise.standard_normal(len(X)), copies=5)


def check_huge_losses(sampler: Sampler) -> None:
    """Losses up to 1e300, alone and beside ordinary ones: squares of them overflow.

    Protects searches with an unbounded loss that explodes for some candidates.
    """
    _survives(sampler, reals(2), lambda X: 1e300 * (sphere(X) - 0.5))
    _survives(sampler, reals(2), lambda X: np.where(np.arange(len(X)) % 3, sphere(X), 1e300))


def check_tiny_differences(sampler: Sampler) -> None:
    """Losses that differ in the last digits only, or are tiny themselves.

    Protects against cancellation, and squares that underflow to a spread of zero.
    """
    _survives(sampler, reals(2), lambda X: 1.0 + 1e-15 * sphere(X))
    _survives(sampler, reals(2), lambda X: 1e-300 * sphere(X))


def check_mixed_resources(sampler: Sampler) -> None:
    """Results from parts of the full training amount beside full ones, for other points and for the same.

    Protects budgeted searches.
    """
    for space in (reals(2), conditional()):
        _survives(sampler, space, sphere, resources=(1 / 9, 1 / 9, 1 / 3, 1.0))
        _survives(sampler, space, sphere, resources=(1 / 9,))
        _survives(sampler, space, sphere, resources=(1 / 27, 1 / 9, 1.0), copies=3)
        _survives(sampler, space, _with_failures, resources=(1.0, 1 / 3, 1 / 3, 1 / 9), copies=2)


def check_fifty_dimensions(sampler: Sampler) -> None:
    """Fifty columns: a density in them underflows, a grid of them overflows.

    Protects searches over long pipelines.
    """
    _survives(sampler, reals(50))


def check_categorical_only(sampler: Sampler) -> None:
    """A space without any order, in one column and in many.

    Protects against a model of the ordered columns that finds none.
    """
    _survives(sampler, Space([Column(f"c{j}", Categorical(list("abcde"))) for j in range(6)]))
    _survives(sampler, Space([Column("c", Categorical(list(range(200))))]))


def check_ordinal_only(sampler: Sampler) -> None:
    """A space of integers and lists of numbers only.

    Protects against continuous optimisers that end on a plateau, and cells without width.
    """
    columns = [Column("n", Integer(1, 500, log=True)), Column("m", Integer(-(10**6), 10**6))]
    _survives(sampler, Space([*columns, Column("l", Ordinal([0.1, 1.0, 10.0]))]))
    _survives(sampler, Space(columns))


def check_conditional(sampler: Sampler) -> None:
    """Choices within choices, of which whole branches are seldom or never seen.

    Protects lists of dicts and ``Choice``.
    """
    _survives(sampler, conditional())
    rare = Space(
        [
            Column("model", Categorical(list(range(40)))),
            Column("x", Real(0.0, 1.0), parent=0, branches=frozenset({7})),
            Column("y", Categorical(list("abc")), parent=0, branches=frozenset(range(8, 40))),
            Column("z", Real(0.0, 1.0), parent=2, branches=frozenset({1})),
        ]
    )
    _survives(sampler, rare)


def check_constant_columns(sampler: Sampler) -> None:
    """Columns of a single level beside a real one.

    Protects dicts that fix some parameters: ``{"kernel": ["rbf"], "C": uniform(0, 1)}``.
    """
    constant = [Column("kernel", Categorical(["rbf"])), Column("degree", Ordinal([3]))]
    _survives(sampler, Space([*constant, Column("C", Real(0.0, 1.0)), Column("gamma", Real(0.0, 1.0))]))


def check_mixed_space(sampler: Sampler) -> None:
    """Columns of all kinds side by side, with failures.

    Protects ordinary searches.
    """
    _survives(sampler, mixed(), _with_failures)
