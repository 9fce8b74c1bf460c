r"""Maximising an acquisition function over a mixed, conditional space.

Notation
--------
B, d  : number of searches that run side by side, of columns
U     : (B, d), full points: a position in every column, also in those that are inactive just now
X     : (B, d), canonical points of U
f, g  : (B,), (B, d), minus the acquisition function and its gradient
H     : (B, d, d), inverse Hessian estimates
p, t  : (B, d), (B,), search directions and step lengths

A search alternates two steps until neither moves it: quasi-Newton over the real columns, all searches in one
batch, and an exhaustive (or, over many levels, a line) search over each discrete column in turn. After the
first such sweep only the best searches go on. Points are evaluated at canonical positions only, so that no
optimum is lost to rounding afterwards. Full points remember what an inactive column was, so that a parent's
change wakes children at a sensible position.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skhpo.space import Dimension, Space

Objective = Callable[[np.ndarray], np.ndarray]
ObjectiveWithGradient = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
BatchObjective = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

_MAX_EXHAUSTIVE = 16
"""Levels up to which a discrete column is searched exhaustively."""


def minimise_in_box(
    function: BatchObjective,
    X: np.ndarray,
    scale: np.ndarray,
    movable: np.ndarray,
    max_rounds: int = 60,
    tolerance: float = 1e-2,
    least_gain: float = 1e-4,
) -> tuple[np.ndarray, np.ndarray]:
    """Local minima of B functions in the unit cube, side by side: projected BFGS.

    Two-metric projection [1]_: entries at a bound that the gradient pushes outwards stand still, the others
    take a quasi-Newton step, and the step is projected onto the cube. Each round evaluates one trial point of
    every search, which either takes it and turns, or shortens its own step; none waits for another.

    Parameters
    ----------
    function : callable
        Maps (b, d) points and the (b,) numbers of their searches to values (b,) and gradients (b, d).
    X : ndarray of shape (B, d)
        Starting points.
    scale : ndarray of shape (d,)
        Distances over which the function changes; the first inverse Hessian is their square.
    movable : ndarray of bool, shape (B, d)
        Entries that may change.
    max_rounds : int
    tolerance : float
        A search ends when no entry of its scaled projected gradient is larger.
    least_gain : float
        A search ends when two steps in a row have gained less than this part of its value.

    Returns
    -------
    X : ndarray of shape (B, d)
    f : ndarray of shape (B,)

    References
    ----------
    .. [1] D. P. Bertsekas, "Projected Newton methods for optimization problems with simple constraints",
       SIAM Journal on Control and Optimization 20, 1982.
    """
    X, which = X.copy(), np.arange(len(X))
    f, g = function(X, which)
    values, x = f.copy(), X.copy()
    H = np.repeat(np.diag(scale**2)[None], len(x), axis=0)
    t, n_idle, untried = np.ones(len(x)), np.zeros(len(x)), np.ones(len(x), dtype=bool)
    for _ in range(max_rounds):
        free = movable & ~(((x <= 0.0) & (g > 0.0)) | ((x >= 1.0) & (g < 0.0)))
        free_g = np.where(free, g, 0.0)
        going = ((np.abs(free_g) * scale).max(axis=1, initial=0.0) > tolerance) & (t > 1e-6) & (n_idle < 2)
        if not going.all():
            X[which], values[which] = x, f
            which, x, f, g, H, movable = which[going], x[going], f[going], g[going], H[going], movable[going]
            t, n_idle, untried = t[going], n_idle[going], untried[going]
            free, free_g = free[going], free_g[going]
            if len(which) == 0:
                break
        p = -np.where(free, (H @ free_g[..., None])[..., 0], 0.0)
        # A direction longer than the scale of the function leaves the region its model was learnt in.
        p /= np.maximum(1.0, np.abs(p / scale).max(axis=1))[:, None]
        trial = np.minimum(np.maximum(x + t[:, None] * p, 0.0), 1.0)
        step = trial - x
        f_trial, g_trial = function(trial, which)
        expected = (g * step).sum(axis=1)
        taken = (f_trial <= f + 1e-4 * expected) & (expected < 0.0)

        # The minimiser of the parabola through both values and the slope, safeguarded.
        with np.errstate(divide="ignore", invalid="ignore"):
            shrink = -0.5 * expected / (f_trial - f - expected)
        shrink = np.minimum(np.maximum(np.where(np.isfinite(shrink), shrink, 0.1), 0.1), 0.5)
        t = np.where(taken, 1.0, t * shrink)
        idle = f - f_trial < least_gain * np.abs(f_trial)
        n_idle = np.where(taken, np.where(idle, n_idle + 1, 0), n_idle)

        H, untried = _updated(H, untried, taken, step, np.where(free, g_trial - g, 0.0), scale)
        x, g = np.where(taken[:, None], trial, x), np.where(taken[:, None], g_trial, g)
        f = np.where(taken, f_trial, f)
    X[which], values[which] = x, f
    return X, values


def _updated(
    H: np.ndarray, untried: np.ndarray, taken: np.ndarray, s: np.ndarray, y: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse Hessians after the BFGS update of those who took their step, and which are still untried.

    The update is skipped where curvature is not positive.
    """
    sy = (s * y).sum(axis=1)
    squared = ((s / scale) ** 2).sum(axis=1) * ((y * scale) ** 2).sum(axis=1)
    curved = taken & (sy > 1e-10 * np.sqrt(squared))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Nocedal & Wright 2006, eq. 6.20: the first estimate is given the size of the curvature just seen.
        size = np.where(untried, sy / (y * scale**2 * y).sum(axis=1), 1.0)
        sized = H * size[:, None, None]
        Hy = (sized @ y[..., None])[..., 0]
        # Nocedal & Wright 2006, eq. 6.17, multiplied out.
        a = s / sy[:, None]
        cross = a[:, :, None] * Hy[:, None, :]
        sized += ((sy + (y * Hy).sum(axis=1))[:, None] * a)[:, :, None] * a[:, None, :]
        sized -= cross + cross.transpose(0, 2, 1)
    return np.where(curved[:, None, None], sized, H), untried & ~curved


def local_search(
    space: Space,
    value: Objective,
    with_gradient: ObjectiveWithGradient,
    U: np.ndarray,
    scale: np.ndarray,
    max_sweeps: int = 8,
    n_refined: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima of an acquisition function from full starting points.

    Parameters
    ----------
    space : Space
    value : callable
        Canonical points (q, d) to values (q,).
    with_gradient : callable
        Canonical points (q, d) to values (q,) and gradients (q, d).
    U : ndarray of shape (B, d)
    scale : ndarray of shape (d,)
        Length scales.
    max_sweeps : int
    n_refined : int
        Searches that go on after the first sweep: the best of those that it has moved.

    Returns
    -------
    X : ndarray of shape (B, d)
        Canonical points.
    values : ndarray of shape (B,)
    """
    U = U.copy()
    real = np.array(space.kinds) == "real"
    discrete = [j for j in range(space.d) if not real[j] and space.columns[j].dimension.n_levels > 1]
    best = value(space.canonical(U))
    going = np.arange(len(U))
    for _ in range(max_sweeps):
        if real.any():
            U[going], best[going] = _climb(space, with_gradient, U[going], real, scale)
        moved = np.zeros(len(U), dtype=bool)
        for j in discrete:
            active = space.active(space.canonical(U[going]))[:, j]
            moved[_search_column(space, value, U, best, going[active], j)] = True
        going = np.flatnonzero(moved)
        going = going[np.argsort(-best[going], kind="stable")[:n_refined]]
        if len(going) == 0:
            break
    return space.canonical(U), best


def _climb(
    space: Space,
    with_gradient: ObjectiveWithGradient,
    U: np.ndarray,
    real: np.ndarray,
    scale: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Quasi-Newton over the real columns; the discrete ones stay."""
    X = space.canonical(U)
    active = ~np.isnan(X)

    def negated(points: np.ndarray, searches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        trial = X[searches]
        trial[:, real] = np.where(active[searches][:, real], points, np.nan)
        f, g = with_gradient(trial)
        return -f, -g[:, real]

    # Length scales beyond the cube say that a column hardly matters, not that steps should leave the cube.
    climbed = U.copy()
    climbed[:, real], f = minimise_in_box(negated, U[:, real], np.minimum(scale[real], 1.0), active[:, real])
    return climbed, -f


def _search_column(
    space: Space, value: Objective, U: np.ndarray, best: np.ndarray, which: np.ndarray, j: int
) -> np.ndarray:
    """Moves searches ``which`` to their best level of column j, in place; returns those that moved."""
    if len(which) == 0:
        return which
    positions = _positions_to_try(space.columns[j].dimension, U[which, j])
    trials = np.repeat(U[which, None, :], positions.shape[1], axis=1)
    trials[:, :, j] = positions
    values = value(space.canonical(trials.reshape(-1, space.d))).reshape(positions.shape)
    choice = values.argmax(axis=1)
    rows = np.arange(len(which))
    better = values[rows, choice] > best[which] + 1e-10 * np.abs(best[which])
    moved = which[better]
    U[moved, j] = positions[rows, choice][better]
    best[moved] = values[rows, choice][better]
    return moved


def _positions_to_try(dimension: Dimension, here: np.ndarray) -> np.ndarray:
    """Canonical positions (b, L) of a discrete dimension to compare with where b searches stand (b,)."""
    if dimension.n_levels <= _MAX_EXHAUSTIVE or dimension.kind == "categorical":
        return np.repeat(dimension.levels()[None], len(here), axis=0)
    # Both neighbours, and steps that double up to the whole range: a line search that cannot be held by a
    # small hill, and whose cost is the logarithm of the number of levels.
    lower, upper = dimension.cells(here)
    width = upper - lower
    doublings = 2.0 ** np.arange(1, np.ceil(np.log2(dimension.n_levels)) + 1)
    reach = np.concatenate([[1e-3], doublings]) * width[:, None]
    return dimension.snap(
        np.clip(np.concatenate([lower[:, None] - reach, upper[:, None] + reach], axis=1), 0, 1)
    )
