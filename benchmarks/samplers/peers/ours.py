"""Our own samplers, told their number of evaluations as a search tells them."""

from __future__ import annotations

import ast
import hashlib
from ast import literal_eval
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

import skhpo
from skhpo.samplers import Sampler, make_sampler
from skhpo.space import Categorical, Column, Dimension, Integer, Real, Space

from ..axes import Axis
from . import Evaluate, Job

SHARED = ("_base", "_history", "_resources")
MADE_OF = {"auto": ("auto", "gp", "tpe", "cmaes")}
"""Folders of a sampler that hands over to others."""


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
    sampler = _sampler_of(name).start(space, seed=job.seed, n_trials=job.n)
    for _ in range(job.n):
        X = sampler.ask(1)
        loss = evaluate(space.to_params(X[0]))
        folds = None if evaluate.folds is None else np.array([evaluate.folds])
        sampler.tell(X, np.array([loss]), folds=folds)


def _sampler_of(name: str) -> Sampler:
    """The sampler, with the options that stand behind its name: "tpe:gamma=0.2,n_startup=5".

    What the option ``variant`` names is a class of the ablation.
    """
    base, _, options = name.partition(":")
    given = dict(option.split("=") for option in options.split(",")) if options else {}
    kind = type(make_sampler(base))
    if variant := given.pop("variant", None):
        kind = import_module(f"benchmarks.samplers.{base}_variants").VARIANTS[variant]
    return kind(**{key: literal_eval(value) for key, value in given.items()})


@cache
def build_of(name: str) -> str:
    """Hash of the code that a result of this sampler depends on; comments and docstrings are none."""
    package = Path(skhpo.__file__).parent
    rooms = package / "samplers"
    folders = [rooms / made_of for made_of in MADE_OF.get(name, (name,))]
    sources = [path for path in sorted(rooms.glob("_*.py")) if path.stem in (*SHARED, f"_{name}")]
    sources += sorted((package / "space").glob("_[cds]*.py"))
    for folder in folders:
        sources += sorted(folder.glob("*.py"))
    digest = hashlib.sha256("".join(code_of(source.read_text()) for source in sources).encode())
    return digest.hexdigest()[:12]


def code_of(source: str) -> str:
    """A module's code in one spelling, without what only readers see."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A string that is a statement of its own documents what stands before it.
            node.body = [line for line in body if not _is_string(line)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_string(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )
