"""What a task may be asked for, told to every sampler in the same neutral words.

Standard library only: the description travels as JSON to samplers that live in other environments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Params: TypeAlias = Mapping[str, Any]
Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Axis:
    """One parameter.

    Attributes
    ----------
    name : str
        Unique in its task, also across branches.
    kind : {"real", "integer", "categorical"}
    low, high : float
        Bounds of a number, both inclusive.
    log : bool
        Whether ratios count and not differences.
    choices : tuple
        Values of a categorical parameter: plain values of JSON.
    parent : str or None
        Categorical parameter above, which stands earlier in its task.
    when : tuple
        Values of the parent under which the parameter exists.
    """

    name: str
    kind: Literal["real", "integer", "categorical"]
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Value, ...] = ()
    parent: str | None = None
    when: tuple[Value, ...] = ()

    def at(self, u: float) -> Value:
        """The value at position ``u`` between 0 and 1; integers and choices have cells of equal width."""
        u = min(max(u, 0.0), 1.0)
        if self.kind == "categorical":
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        margin = 0.5 if self.kind == "integer" else 0.0
        low, high = self.low - margin, self.high + margin
        value = low * (high / low) ** u if self.log else low + u * (high - low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.kind == "integer" else value

    def position(self, value: Any) -> float:
        """Where a value stands between 0 and 1; a choice in the middle of its cell."""
        if self.kind == "categorical":
            return (self.choices.index(value) + 0.5) / len(self.choices)
        margin = 0.5 if self.kind == "integer" else 0.0
        low, high = self.low - margin, self.high + margin
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)


Axes: TypeAlias = Sequence[Axis]


def real(name: str, low: float, high: float, log: bool = False, **under: Any) -> Axis:
    return Axis(name, "real", low, high, log, **under)


def integer(name: str, low: int, high: int, log: bool = False, **under: Any) -> Axis:
    return Axis(name, "integer", low, high, log, **under)


def categorical(name: str, choices: Sequence[Value], **under: Any) -> Axis:
    return Axis(name, "categorical", choices=tuple(choices), **under)


def unit_cube(d: int) -> list[Axis]:
    """Axes ``x0``, ``x1``, ... from 0 to 1."""
    return [real(f"x{j}", 0.0, 1.0) for j in range(d)]


def walk(axes: Axes, params: Params) -> Iterator[Axis]:
    """The axes that are active, in their order, while the caller fills ``params``."""
    for axis in axes:
        if axis.parent is None or (axis.parent in params and params[axis.parent] in axis.when):
            yield axis


def active(axes: Axes, params: Params) -> dict[str, Any]:
    """Those of the parameters that exist beside each other, in the order of the axes."""
    kept: dict[str, Any] = {}
    for axis in walk(axes, kept):
        kept[axis.name] = params[axis.name]
    return kept


def at(axes: Axes, u: Sequence[float]) -> dict[str, Any]:
    """Parameters at a point of the unit cube with one coordinate for each axis, active or not."""
    return active(axes, {axis.name: axis.at(float(x)) for axis, x in zip(axes, u, strict=True)})


def is_conditional(axes: Axes) -> bool:
    return any(axis.parent is not None for axis in axes)


def to_json(axes: Axes) -> list[dict[str, Any]]:
    return [asdict(axis) for axis in axes]


def from_json(described: Sequence[Mapping[str, Any]]) -> list[Axis]:
    def read(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    return [Axis(**{name: read(value) for name, value in axis.items()}) for axis in described]
