"""From what a user writes as ``param_distributions`` to a ``Space``.

The user's form is first read into a tree of nodes, in which all of it is checked, and the tree is
then laid out as columns. A list of dicts and a ``Choice`` become the same thing: a categorical
column with columns below its levels. For a list of dicts that column has no name.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhpo.space._columns import Column
from skhpo.space._dimensions import Categorical, Dimension, Integer, Ordinal, Real
from skhpo.space._quantile import from_distribution
from skhpo.space._space import Space
from skhpo.space._values import is_number

_PRIORS = ("uniform", "log-uniform")


class Choice:
    """Options of which each may bring parameters of its own.

    Parameters
    ----------
    options : sequence of (value, subspace)
        The values that the parameter can take. A subspace is a dict as
        ``param_distributions`` is one, of the parameters that are searched under this value
        only; or None where there are none. It may hold further ``Choice``.

    Raises
    ------
    TypeError
        If an option is not a pair of a value and a dict or None.
    ValueError
        If there is no option.

    Examples
    --------
    >>> from skhpo.space import Choice, Real, as_space
    >>> kernel = Choice([("linear", None), ("rbf", {"gamma": Real(1e-4, 1, log=True)})])
    >>> space = as_space({"kernel": kernel})
    >>> space.to_params(space.to_position({"kernel": "linear"}))
    {'kernel': 'linear'}
    """

    def __init__(self, options: Sequence[tuple[Any, Mapping[str, Any] | None]]) -> None:
        self.options = list(options)
        if not self.options:
            raise ValueError("Choice needs at least one option, got none.")
        for option in self.options:
            if not isinstance(option, list | tuple) or len(option) != 2:
                raise TypeError(f"Choice: an option is a pair (value, subspace), got {option!r}.")
            if option[1] is not None and not isinstance(option[1], Mapping):
                raise TypeError(
                    f"Choice: the subspace of {option[0]!r} must be a dict or None, got {option[1]!r}."
                )

    def __repr__(self) -> str:
        return f"Choice({self.options!r})"


def as_space(param_distributions: Any, *, seed: int = 0) -> Space:
    """The search space that ``param_distributions`` describes.

    Parameters
    ----------
    param_distributions : dict, list of dict, or Space
        For each parameter of the estimator one of

        - a list, array or series: choices, in whose order numbers are searched;
        - a tuple of two numbers, or of two numbers and ``"uniform"`` or ``"log-uniform"``: a
          range that includes both ends, of integers if both are integers. Any other tuple is
          choices;
        - a distribution of scipy, or any object with ``rvs``;
        - ``Real``, ``Integer``, ``Categorical``, ``Ordinal`` or ``Choice``; or a dimension of
          scikit-optimize.

        From a list of dicts one dict is chosen at a time. A parameter that is defined alike in
        several of them is one dimension.
    seed : int, default=0
        For the table of draws that stands for an object which has nothing but ``rvs``.

    Returns
    -------
    space : Space
        A space is returned as it is.

    Raises
    ------
    TypeError, ValueError
        If it is no space, saying of which parameter what was given and what is allowed.

    Examples
    --------
    >>> from skhpo.space import as_space
    >>> as_space([{"C": [0.1, 1, 10]}, {"nu": [0.2, 0.5]}]).size
    5
    """
    if isinstance(param_distributions, Space):
        return param_distributions
    if isinstance(param_distributions, str) or not isinstance(param_distributions, Mapping | Iterable):
        raise TypeError(
            f"Parameter distribution is not a dict or a list, got: {param_distributions!r} of type "
            f"{type(param_distributions).__name__}"
        )
    dicts: list[Any] = (
        [param_distributions] if isinstance(param_distributions, Mapping) else list(param_distributions)
    )
    for entry in dicts:
        if not isinstance(entry, Mapping):
            raise TypeError(f"Parameter distribution is not a dict ({entry!r})")
    if not any(dicts):
        raise ValueError(
            f"The search space is empty, it needs at least one parameter: {param_distributions!r}."
        )

    branches = [_read_dict(entry, seed) for entry in dicts]
    columns: list[Column] = []
    if len(branches) == 1:
        _lay_out(columns, branches, None)
    else:
        columns.append(Column(None, Categorical(range(len(branches)))))
        _lay_out(columns, branches, 0)
    _check_names(columns)
    return Space(columns)


# -- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Node:
    """A dimension, and for each of its levels the parameters that hang under it."""

    dimension: Dimension
    subspaces: tuple[Mapping[str, _Node], ...] = ()

    def same_as(self, other: _Node) -> bool:
        return (
            self.dimension.same_as(other.dimension)
            and len(self.subspaces) == len(other.subspaces)
            and all(
                mine.keys() == theirs.keys() and all(mine[name].same_as(theirs[name]) for name in mine)
                for mine, theirs in zip(self.subspaces, other.subspaces, strict=True)
            )
        )


def _read_dict(params: Mapping[Any, Any], seed: int) -> dict[str, _Node]:
    for name in params:
        if not isinstance(name, str):
            raise TypeError(
                f"Names of parameters must be strings, got {name!r} of type {type(name).__name__}."
            )
    return {name: _read(name, params[name], seed) for name in params}


def _read(name: str, given: Any, seed: int) -> _Node:
    if isinstance(given, Choice):
        values = [value for value, _ in given.options]
        _check_choices(name, values)
        return _Node(
            Categorical(values),
            tuple(_read_dict(subspace or {}, seed) for _, subspace in given.options),
        )
    if isinstance(given, Dimension):
        return _Node(given)
    try:
        foreign = _from_skopt(given)
        if foreign is None and not isinstance(given, type) and hasattr(given, "rvs"):
            foreign = from_distribution(given, seed=seed)
        if foreign is None and isinstance(given, tuple | range):
            foreign = _range(given)
    except TypeError as error:
        raise TypeError(f"Parameter {name!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"Parameter {name!r}: {error}") from error
    return _Node(foreign if foreign is not None else _from_values(name, given))


def _from_skopt(given: Any) -> Dimension | None:
    """A dimension of scikit-optimize, known by its attributes so that the package is not needed."""
    if not hasattr(given, "prior"):
        return None
    if hasattr(given, "categories"):
        return Categorical(list(given.categories))
    if not (hasattr(given, "low") and hasattr(given, "high") and given.prior in _PRIORS):
        return None
    log = given.prior == "log-uniform"
    if np.issubdtype(np.dtype(getattr(given, "dtype", float)), np.integer):
        return Integer(int(given.low), int(given.high), log=log)
    return Real(float(given.low), float(given.high), log=log)


def _range(given: tuple[Any, ...] | range) -> Dimension | None:
    """The range that a tuple or a ``range`` means; None if it means choices."""
    if isinstance(given, range):
        return Integer(given.start, given.stop - 1) if given.step == 1 and len(given) > 1 else None
    if len(given) not in (2, 3) or not all(map(is_number, given[:2])):
        return None
    low, high = given[:2]
    log = False
    if len(given) == 3:
        prior = given[2]
        if not isinstance(prior, str):
            return None
        if prior not in _PRIORS:
            # ``(2, 5, "sqrt")`` is a legal tuple of choices, a misspelt prior should not become one.
            if "uniform" in prior or prior == "log":
                raise ValueError(
                    f"{given!r} has the unknown prior {prior!r}; allowed are 'uniform' and 'log-uniform'."
                )
            return None
        log = prior == "log-uniform"
    if not (low < high and abs(low) < math.inf and abs(high) < math.inf):
        raise ValueError(
            f"{given!r} is a range (low, high), which needs finite low < high. For a choice between these "
            f"values use a list: {list(given)!r}; for the tuple itself as a value, [{given!r}]."
        )
    if isinstance(low, numbers.Integral) and isinstance(high, numbers.Integral):
        return Integer(int(low), int(high), log=log)
    return Real(low, high, log=log)


def _from_values(name: str, given: Any) -> Dimension:
    if (
        isinstance(given, str | bytes | Mapping | AbstractSet | type)
        or not all(hasattr(given, method) for method in ("__iter__", "__len__", "__getitem__"))
        or hasattr(given, "get_params")
        or getattr(given, "ndim", 1) == 0
    ):
        raise TypeError(
            f"Parameter grid for parameter {name!r} needs to be a list or a numpy array, but got {given!r} "
            f"(of type {type(given).__name__}) instead. Single values need to be wrapped in a list with one "
            "element. A tuple (low, high), a distribution with rvs and a dimension of skhpo.space are "
            "allowed too."
        )
    if getattr(given, "ndim", 1) > 1:
        raise ValueError(
            f"Parameter array for {name!r} should be one-dimensional, got: {given!r} with shape {given.shape}"
        )
    if len(given) == 0:
        raise ValueError(
            f"Parameter grid for parameter {name!r} need to be a non-empty sequence, got: {given!r}"
        )
    # Items and not iteration: they have the types that scikit-learn would hand to the estimator.
    items = getattr(given, "iloc", given)
    values = [items[i] for i in range(len(given))]
    _check_choices(name, values)
    if all(is_number(value) and value == value for value in values):
        return Ordinal(values)
    return Categorical(values)


def _check_choices(name: str, values: Sequence[Any]) -> None:
    """Raise if a choice is meant as a range: the estimator would be given the distribution itself."""
    for value in values:
        if isinstance(value, Dimension | Choice) or (hasattr(value, "rvs") and not isinstance(value, type)):
            raise ValueError(
                f"Parameter {name!r}: its choice {value!r} would be handed to the estimator as it is. For a "
                f"value or a range pass a list of dicts, [{{{name!r}: [value]}}, {{{name!r}: range}}]."
            )


# -- laying out -----------------------------------------------------------------------------------


def _lay_out(columns: list[Column], branches: Sequence[Mapping[str, _Node]], parent: int | None) -> None:
    """Append the columns of sibling branches, alike ones once, and those below each right after it.

    Names are sorted, so that the order in which a dict was written does not change a search.
    """
    for name in sorted({name for branch in branches for name in branch}):
        kinds: list[tuple[_Node, set[int]]] = []
        for level, branch in enumerate(branches):
            if name not in branch:
                continue
            levels = next((levels for node, levels in kinds if node.same_as(branch[name])), None)
            if levels is None:
                kinds.append((branch[name], {level}))
            else:
                levels.add(level)
        for node, levels in kinds:
            under = frozenset() if parent is None else frozenset(levels)
            columns.append(Column(name, node.dimension, parent, under))
            if any(node.subspaces):
                _lay_out(columns, node.subspaces, len(columns) - 1)


def _check_names(columns: Sequence[Column]) -> None:
    """Raise if two columns that can be active together set the same parameter."""
    paths: list[dict[int, frozenset[int]]] = []
    by_name: dict[str, list[int]] = {}
    for j, column in enumerate(columns):
        above = {} if column.parent is None else paths[column.parent] | {column.parent: column.branches}
        paths.append(above)
        if column.name is None:
            continue
        for other in by_name.setdefault(column.name, []):
            shared = paths[other].keys() & above.keys()
            if all(paths[other][k] & above[k] for k in shared):
                raise ValueError(
                    f"Parameter {column.name!r} is searched in two places that can be active together: "
                    f"{columns[other].dimension!r} and {column.dimension!r}."
                )
        by_name[column.name].append(j)
