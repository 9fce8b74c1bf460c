"""Our own samplers, told their number of evaluations as a search tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

import skhpo
from skhpo.samplers import make_sampler
from skhpo.space import Categorical, Column, Dimension, Integer, Real, Space

from ..axes import Axis
from . import Evaluate, Job


def as_space(axes: Sequence[Axis]) -> Space:
    """The axes as columns."""
    number = {axis.name: j for j, axis in enumerate(axes)}
    columns = []
    for axis in axes:
        if axis.parent is None:
            columns.append(Column(axis.name, _dimension(axis)))
        else:
            parent = number[axis.parent]
            branches = frozenset(axes[parent].choices.index(value) for value in axis.when)
            columns.append(Column(axis.name, _dimension(axis), parent, branches))
    return Space(columns)


def _dimension(axis: Axis) -> Dimension:
    if axis.kind == "categorical":
        return Categorical(axis.choices)
    if axis.kind == "integer":
        return Integer(int(axis.low), int(axis.high), axis.log)
    return Real(axis.low, axis.high, axis.log)


def minimise(name: str, job: Job, evaluate: Evaluate) -> None:
    space = as_space(job.axes)
    sampler = make_sampler(name).start(space, seed=job.seed, n_trials=job.n)
    for _ in range(job.n):
        X = sampler.ask(1)
        loss = evaluate(space.to_params(X[0]))
        sampler.tell(X, np.array([loss]))


@cache
def build_of(name: str) -> str:
    """Hash of the source that a result of this sampler depends on."""
    package = Path(skhpo.__file__).parent
    sources = [package / "samplers" / "_base.py", *sorted((package / "space").glob("_[ds]*.py"))]
    folder = package / "samplers" / name
    sources += sorted(folder.glob("*.py")) if folder.is_dir() else [package / "samplers" / f"_{name}.py"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    return digest.hexdigest()[:12]
