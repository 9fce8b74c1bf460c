"""What makes a search the one that it is: by this its journal is known again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from skhpo._sklearn import CrossValidationInputs, SearchCVParts
from skhpo.journal import fingerprint
from skhpo.search._plans import Plan
from skhpo.space import Space

_WITHOUT_EFFECT = {
    "devices",
    "estimator",
    "param_distributions",
    "scoring",
    "cv",
    "n_jobs",
    "pre_dispatch",
    "random_state",
    "refit",
    "storage",
    "timeout",
    "trial_timeout",
    "verbose",
    "warm_start_from",
}
"""Parameters that do not change what is evaluated, or of which only a part does."""


def search_fingerprint(
    search: SearchCVParts, inputs: CrossValidationInputs, plan: Plan, seed: int
) -> dict[str, str]:
    """A digest of each part of a search that its results depend on.

    Parameters
    ----------
    search : BaseSearchCV
    inputs : CrossValidationInputs
    plan : Plan
    seed : int
    """
    options = {
        name: value
        for name, value in search.get_params(deep=False).items()
        if name not in _WITHOUT_EFFECT and name != "sampler"
    }
    return fingerprint(
        search=type(search).__name__,
        estimator=inputs.estimator,
        param_distributions=search.param_distributions,
        sampler=plan.sampler,
        **options,
        # Of an earlier search nothing counts but what it found.
        **({} if plan.earlier is None else {"warm_start_from": (plan.earlier.X, plan.earlier.loss)}),
        # By a name it says what is optimised; all else only chooses in the end.
        refit=search.refit if isinstance(search.refit, str) else None,
        scoring=search.scoring,
        X=inputs.X,
        y=inputs.y,
        metadata=(dict(inputs.fit_params), dict(inputs.score_params)),
        # As cv=5 makes the same of the same data, and an unseeded shuffle does not.
        splits=inputs.splits,
        random_state=seed,
        versions=_versions(inputs.estimator, search.param_distributions),
    )


def _versions(*objects: Any) -> str:
    """Of the libraries that have a part in the results, as text."""
    names = {"skhpo", "sklearn", "numpy", "scipy", *(name for value in objects for name in _packages(value))}
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in sorted(names)}
    return ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)


def _packages(value: Any) -> Iterator[str]:
    """Packages from which the estimators in a value come."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _packages(item)
    elif hasattr(value, "get_params") and not isinstance(value, type):
        yield type(value).__module__.split(".")[0]
        for item in value.get_params(deep=False).values():
            yield from _packages(item)


def describe_search(
    search: SearchCVParts, inputs: CrossValidationInputs, space: Space, plan: Plan
) -> dict[str, Any]:
    """What somebody who reads the journal wants to know, in values that JSON has."""
    return {
        "search": type(search).__name__,
        "estimator": " ".join(repr(search.estimator).split())[:200],
        "n_candidates": plan.n_candidates,
        "n_jobs": plan.n_jobs,
        "n_folds": len(inputs.splits),
        "metric": search.refit if isinstance(search.refit, str) else None,
        "parameters": sorted({column.name for column in space.columns if column.name is not None}),
        "max_resources": plan.max_resources,
        "timeout": None if search.timeout is None else float(search.timeout),
    }
