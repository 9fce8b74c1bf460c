"""What can be refused before any model is trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import get_scorer_names

from skhpo.execution import InitialCandidate
from skhpo.space import Space


def check_names(estimator: BaseEstimator, space: Space) -> None:
    """Refuse parameters that the estimator does not have.

    Each column is tried where it is active, and each estimator among the choices with the parameters
    that go with it, so that a step that is searched itself is checked in all its forms.

    Parameters
    ----------
    estimator : estimator
    space : Space

    Raises
    ------
    ValueError
        From the estimator, naming the wrong parameter and the valid ones.
    """
    for params in representatives(space):
        clone(estimator).set_params(**clone(params, safe=False))


def representatives(space: Space) -> Iterator[dict[str, Any]]:
    """Candidates among which each parameter is there, and each choice that changes names is made."""
    first = np.array([column.dimension.snap(np.zeros(1))[0] for column in space.columns])
    parents = {column.parent for column in space.columns}
    seen: set[bytes] = set()
    for j, column in enumerate(space.columns):
        levels = [first[j]]
        if column.dimension.kind == "categorical":
            options = [(u, column.dimension.decode(u)) for u in column.dimension.levels()]
            if j in parents or any(hasattr(value, "get_params") for _, value in options):
                levels = [u for u, _ in options]
        for level, branch in itertools.product(levels, sorted(column.branches) or [0]):
            point = first.copy()
            point[j] = level
            _reach(space, j, branch, point)
            point = space.canonical(point[None])[0]
            if point.tobytes() not in seen:
                seen.add(point.tobytes())
                yield space.to_params(point)


def _reach(space: Space, j: int, branch: int, point: np.ndarray) -> None:
    """Set the ancestors of column j in ``point`` so that it is active, under this level of its parent."""
    column = space.columns[j]
    if column.parent is not None:
        parent = space.columns[column.parent]
        point[column.parent] = (branch + 0.5) / parent.dimension.n_levels
        _reach(space, column.parent, min(parent.branches, default=0), point)


def check_refit(refit: Any, scoring: Any) -> None:
    """Refuse a name that is no metric where there is only one metric.

    As in scikit-learn, the name of another known metric means True there: programs loop over metrics.
    Several metrics are scikit-learn's to check, and those of a callable are known when it is called.

    Raises
    ------
    ValueError
        If ``refit`` names no metric.
    """
    if isinstance(refit, str) and (scoring is None or isinstance(scoring, str)):
        names = ["score", *get_scorer_names()]
        if refit not in names:
            raise ValueError(
                f"refit={refit!r} is no metric; with scoring={scoring!r} it can be True, False, a callable, "
                f"or one of {names}."
            )


def check_initial_candidates(
    candidates: Sequence[Mapping[str, Any]] | None,
    space: Space,
    n_iter: int | None,
    passed_over: Set[str] = frozenset(),
) -> list[InitialCandidate]:
    """The user's own candidates with their positions, without the parameters that are passed over.

    Raises
    ------
    TypeError
        If they are no sequence of dicts.
    ValueError
        If one lies outside the space, or there are more than ``n_iter``.
    """
    if candidates is None:
        return []
    if isinstance(candidates, Mapping) or not all(isinstance(params, Mapping) for params in candidates):
        raise TypeError(f"initial_candidates must be a list of dicts, got {candidates!r}.")
    if n_iter is not None and len(candidates) > n_iter:
        raise ValueError(
            f"initial_candidates holds {len(candidates)} candidates, more than n_iter={n_iter} allows."
        )
    kept = [{name: params[name] for name in params if name not in passed_over} for params in candidates]
    return [InitialCandidate(space.to_partial_position(params), params) for params in kept]
