"""What ``warm_start_from`` may be, as results of this search's space."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skhpo._warnings import warn_user
from skhpo.samplers import Earlier
from skhpo.space import Space

_KINDS = "a fitted search, its cv_results_ (a dict or a data frame), or a list of pairs (parameters, score)"


def earlier_results(source: Any, space: Space, metric: str | None = None) -> Earlier:
    """Results of an earlier search as points and losses.

    Parameters
    ----------
    source : fitted search, dict, data frame or sequence of pairs (dict, float)
        A search of this package or of scikit-learn, what its ``cv_results_`` has, or parameters with their
        scores, greater is better. Parameters that the space does not have are passed over. Candidates
        that failed, were given up after some of their folds, or had less than the largest resource are
        left out, and so are, with a warning, those that lie outside the space.
    space : Space
    metric : str, optional
        Which one counts where there are several.

    Raises
    ------
    TypeError
        If the source is something else.
    NotFittedError
        If it is a search that has not been fitted.
    ValueError
        If it has no scores, or no result inside the space.
    """
    pairs = list(_pairs(source, metric))
    known = {column.name for column in space.columns}
    points, losses, complaint = [], [], None
    for params, score in pairs:
        try:
            points.append(space.to_position({name: params[name] for name in params if name in known}))
        except ValueError as error:
            complaint = f"{dict(params)!r}: {error}"
            continue
        losses.append(-score)
    if not points:
        reason = f"The last one: {complaint}" if pairs else "It has none with a score."
        raise ValueError(f"warm_start_from has no result that this search could have had. {reason}")
    if complaint is not None:
        warn_user(
            f"{len(pairs) - len(points)} of {len(pairs)} results of warm_start_from lie outside the space "
            f"and are left out. The last one: {complaint}"
        )
    return Earlier.of(space, np.array(points), np.array(losses))


def _pairs(source: Any, metric: str | None) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Parameters and scores that are numbers."""
    if hasattr(source, "fit") and hasattr(source, "get_params"):
        if not hasattr(source, "cv_results_"):
            raise NotFittedError(
                f"warm_start_from is a {type(source).__name__} that has not been fitted. A clone of a fitted "
                "one is not fitted either: its cv_results_ can be passed instead."
            )
        own = source.refit if isinstance(source.refit, str) else None
        yield from _rows(source.cv_results_, own, metric)
    elif hasattr(source, "keys"):
        yield from _rows({name: source[name] for name in source.keys()}, metric)
    elif isinstance(source, Sequence) and not isinstance(source, str):
        for item in source:
            if not (isinstance(item, Sequence) and len(item) == 2 and isinstance(item[0], Mapping)):
                raise TypeError(f"warm_start_from must be {_KINDS}; a member of the list is {item!r}.")
            params, score = item
            if score is not None and not isinstance(score, numbers.Real):
                raise TypeError(
                    f"warm_start_from: the score of {dict(params)!r} must be a number, or None or NaN where "
                    f"it failed, got {score!r}."
                )
            if score is not None and math.isfinite(score):
                yield params, float(score)
    else:
        raise TypeError(f"warm_start_from must be {_KINDS}, got {source!r}.")


def _rows(results: Mapping[str, Any], *metrics: str | None) -> Iterator[tuple[Mapping[str, Any], float]]:
    """What a table says of the candidates that were evaluated as those of this search will be."""
    scores = [name for name in results if name.startswith("mean_test_")]
    wanted = [f"mean_test_{metric}" for metric in metrics if metric is not None]
    chosen = next((name for name in (*wanted, *scores) if name in scores), None)
    if chosen is None or "params" not in results:
        raise ValueError(
            "warm_start_from must have the columns 'params' and 'mean_test_score' that cv_results_ has, got "
            f"{sorted(results)}."
        )
    params, score = list(results["params"]), np.asarray(results[chosen], dtype=float)
    counts = np.isfinite(score)
    if "n_resources" in results:
        resources = np.asarray(results["n_resources"])
        counts &= resources == resources.max()
    if "dropped" in results:
        counts &= ~np.asarray(results["dropped"], dtype=bool)
    for i in np.flatnonzero(counts):
        yield params[i], float(score[i])
