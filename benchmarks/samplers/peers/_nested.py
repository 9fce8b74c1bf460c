"""Conditional spaces as nested choices, which hyperopt, FLAML and nevergrad have, and as flat ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..axes import Axes, Axis, Value


def nest(
    axes: Axes,
    number: Callable[[Axis], Any],
    choice: Callable[[Axis, list[dict[str, Any]]], Any],
    parent: str | None = None,
    value: Value = None,
) -> dict[str, Any]:
    """A library's own tree of the axes below one value of a parent.

    Parameters
    ----------
    axes : sequence of Axis
    number : callable
        The library's parameter for a numerical axis.
    choice : callable
        The library's choice among dicts, one for each value of a categorical axis: ``"level"`` is the
        number of the value, ``"below"`` what hangs under it.
    """
    tree: dict[str, Any] = {}
    for axis in axes:
        if axis.parent != parent or (parent is not None and value not in axis.when):
            continue
        if axis.kind == "categorical":
            levels = [
                {"level": i, "below": nest(axes, number, choice, axis.name, chosen)}
                for i, chosen in enumerate(axis.choices)
            ]
            tree[axis.name] = choice(axis, levels)
        else:
            tree[axis.name] = number(axis)
    return tree


def unnest(axes: Axes, sampled: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of what a library made of the tree."""
    by_name = {axis.name: axis for axis in axes}
    found: dict[str, Any] = {}

    def read(tree: Mapping[str, Any]) -> None:
        for name, value in tree.items():
            axis = by_name[name]
            if axis.kind == "categorical":
                found[name] = axis.choices[int(value["level"])]
                read(value.get("below", {}))
            else:
                found[name] = plain(axis, value)

    read(sampled)
    return {axis.name: found[axis.name] for axis in axes if axis.name in found}


def plain(axis: Axis, value: Any) -> Value:
    """A number of a library as Python's own, inside its bounds where rounding left them."""
    number = min(max(float(value), axis.low), axis.high)
    return round(number) if axis.kind == "integer" else number
