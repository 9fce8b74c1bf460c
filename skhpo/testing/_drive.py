"""Spaces to search, an objective to minimise, and a driver that asks and tells as a search does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skhpo.samplers import Sampler
from skhpo.space import Categorical, Column, Integer, Ordinal, Real, Space


def require(condition: bool, message: str) -> None:
    """Fail a check; unlike ``assert`` also where Python runs optimised.

    Raises
    ------
    AssertionError
        If ``condition`` does not hold.
    """
    if not condition:
        raise AssertionError(message)


def reals(d: int) -> Space:
    """The unit cube itself."""
    return Space([Column(f"x{j:02}", Real(0.0, 1.0)) for j in range(d)])


def mixed() -> Space:
    """Columns of all kinds, side by side."""
    return Space(
        [
            Column("C", Real(1e-3, 1e3, log=True)),
            Column("n", Integer(1, 200, log=True)),
            Column("depth", Ordinal([2, 4, 8, 16])),
            Column("kernel", Categorical(["rbf", "linear", None])),
        ]
    )


def conditional() -> Space:
    """A choice of three branches, one empty and one with a choice inside, beside a common column."""
    return Space(
        [
            Column("model", Categorical(["linear", "forest", "boosting"])),
            Column("scale", Real(0.0, 1.0)),
            Column("depth", Integer(1, 12), parent=0, branches=frozenset({1, 2})),
            Column("loss", Categorical(["squared", "huber"]), parent=0, branches=frozenset({2})),
            Column("delta", Real(0.1, 10.0, log=True), parent=3, branches=frozenset({1})),
        ]
    )


def finite() -> Space:
    """A conditional space of 24 points: five n, two s with three t, or nothing; each with two flags."""
    return Space(
        [
            Column("c", Categorical(["a", "b", "none"])),
            Column("flag", Categorical([False, True])),
            Column("n", Integer(1, 5), parent=0, branches=frozenset({0})),
            Column("s", Ordinal([0.5, 0.1]), parent=0, branches=frozenset({1})),
            Column("t", Categorical(["x", "y", "z"]), parent=0, branches=frozenset({1})),
        ]
    )


def sphere(X: np.ndarray, centre: float = 0.3) -> np.ndarray:
    """Squared distance (n,) to a point off the middle, over the active columns."""
    return np.nansum((X - centre) ** 2, axis=1)


def random_points(space: Space, n: int, seed: int) -> np.ndarray:
    """Canonical points (n, d) drawn from the prior."""
    return space.canonical(np.random.default_rng(seed).random((n, space.d)))


def require_valid(X: np.ndarray, space: Space, n: int, pending: np.ndarray | None = None) -> None:
    """Points are what ``Sampler.ask`` promises.

    Raises
    ------
    AssertionError
        If they are not.
    """
    require(isinstance(X, np.ndarray), f"ask must return an array, got {type(X).__name__}.")
    require(X.dtype == np.float64, f"Points must be float64, got {X.dtype}.")
    require(X.ndim == 2 and X.shape[1] == space.d, f"Points must have shape (n, {space.d}), got {X.shape}.")
    require(len(X) <= n, f"{n} points were asked for, {len(X)} came.")
    require(np.isfinite(X[space.active(X)]).all(), f"An active column has no finite position in {X}.")
    require(same(X, space.canonical(X)), f"Points are not canonical:\n{X}\nshould be\n{space.canonical(X)}")
    keys = [row.tobytes() for row in X]
    require(len(set(keys)) == len(keys), f"A point stands twice among those asked for together:\n{X}")
    if pending is not None:
        require(
            not set(keys) & {row.tobytes() for row in pending},
            f"A pending point was proposed again:\n{X}\npending were\n{pending}",
        )


def same(A: np.ndarray, B: np.ndarray) -> bool:
    """Whether two arrays are equal to the last bit, NaN equal to NaN."""
    return A.shape == B.shape and np.array_equal(A, B, equal_nan=True)


class Drive:
    """A running sampler with candidates in flight, whose results come back out of order.

    Parameters
    ----------
    sampler : Sampler
        As its user built it.
    space : Space
    seed : int, default=0

    Attributes
    ----------
    run : Sampler
    pending : ndarray of shape (m, d)
    asked : list of ndarray
        What each ask gave.
    told : list of tuple of (X, loss)
    """

    _in_flight = 3

    def __init__(self, sampler: Sampler, space: Space, seed: int = 0) -> None:
        self.space = space
        self.run = sampler.start(space, seed=seed, n_trials=60)
        self.pending = np.empty((0, space.d))
        self.asked: list[np.ndarray] = []
        self.told: list[tuple[np.ndarray, np.ndarray]] = []
        self._order = np.random.default_rng(0)

    def ask(self, n: int = 1) -> np.ndarray:
        """Propose n points, which are then pending."""
        X = self.run.ask(n, self.pending.copy())
        self.pending = np.concatenate([self.pending, X])
        self.asked.append(X)
        return X

    def tell_some(self) -> None:
        """Tell any of the pending points until few are left: the last asked may well be the first told."""
        n = max(0, len(self.pending) - self._in_flight)
        if n:
            chosen = self._order.permutation(len(self.pending))[:n]
            self.tell(self.pending[chosen], sphere(self.pending[chosen]))
            self.pending = np.delete(self.pending, chosen, axis=0)

    def tell(self, X: np.ndarray, loss: np.ndarray) -> None:
        """Tell points that need not have been asked for."""
        self.run.tell(X.copy(), loss.copy())
        self.told.append((X, loss))

    def steps(self, n_steps: int) -> Iterator[int]:
        """How many points to ask for next, one and three in turns; after each ask, some results come in."""
        for i in range(n_steps):
            yield 3 if i % 2 else 1
            self.tell_some()

    def go(self, n_steps: int) -> list[np.ndarray]:
        """All that was asked for in so many steps."""
        for n in self.steps(n_steps):
            self.ask(n)
        return self.asked
