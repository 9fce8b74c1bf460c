"""Checks of the contract of ``Adapter``: a continued fit is the fit that never stopped, and nothing more."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skhpo.evaluation.adapters import Adapter
from skhpo.testing._drive import require

_LARGEST_T = 4.0
"""Welch's t between scores of continued and fresh fits. Were both the same in distribution, one case
in 3,000 would exceed it (38 degrees of freedom)."""


def check_adapter(
    adapter: Adapter,
    model: Any,
    X: Any,
    y: Any = None,
    *,
    fit_params: Mapping[str, Any] | None = None,
    lengths: tuple[int, int, int] = (3, 7, 16),
    exact: bool = True,
    atol: float = 0.0,
    n_seeds: int = 20,
) -> None:
    """Check that an adapter trains an estimator on as if it had never stopped.

    Trained to the first length, to the second and to the third, the estimator must answer as one that was
    trained to the third at once; also where it was pickled in between. It must remember what it
    learnt before (an adapter that quietly trains again is found), keep its other parameters, and leave the
    data and numpy's global generator alone.

    Parameters
    ----------
    adapter : Adapter
    model : estimator
        Unfitted, and left as it is. If it draws at random, give it an integer ``random_state``.
    X, y : array-like
        Small data that the estimator takes, not learnt by heart within the first length.
    fit_params : mapping, optional
        Further arguments of ``fit``.
    lengths : tuple of three int
        In increasing order.
    exact : bool
        Whether continued and fresh fits are the same. Otherwise their scores on X and y are compared
        over several seeds: Welch's t must be at most 4.
    atol : float
        Largest difference between answers that are the same; 0 is bit for bit.
    n_seeds : int
        Number of those seeds, for the estimator's ``random_state``, ``random_seed`` or ``seed``.

    Raises
    ------
    TypeError
        If ``adapter`` is not an Adapter.
    ValueError
        If ``lengths`` do not increase.
    AssertionError
        If a check fails. Whatever adapter and estimator raise passes through.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skhpo.evaluation.adapters import find_adapter
    >>> from skhpo.testing import check_adapter
    >>> model = RandomForestClassifier(random_state=0)
    >>> check_adapter(find_adapter(model), model, *load_iris(return_X_y=True))
    """
    if not isinstance(adapter, Adapter):
        raise TypeError(f"check_adapter takes an Adapter object, got {adapter!r}.")
    if not 0 < lengths[0] < lengths[1] < lengths[2]:
        raise ValueError(f"lengths must be positive and increase, got {lengths}.")
    case = _Case(adapter, model, X, y, dict(fit_params or {}), lengths, atol)
    _check_travels(case)
    _check_knows_its_resource(case)
    _check_leaves_the_rest_alone(case)
    if exact:
        _check_begins_as_fit(case)
        _check_is_the_fit_that_never_stopped(case)
        _check_checkpoint_serves_twice(case)
    else:
        _check_same_distribution(case, n_seeds)
    if y is not None and adapter.can_extend(model, case.fit_params):
        _check_remembers(case)


@dataclass(frozen=True)
class _Case:
    adapter: Adapter
    model: Any
    X: Any
    y: Any
    fit_params: dict[str, Any]
    lengths: tuple[int, int, int]
    atol: float = 0.0

    def fresh(self, length: int, **params: Any) -> tuple[Any, Any]:
        """Estimator trained to a length at once, and its memo."""
        model = clone(self.model).set_params(**params)
        return model, self.adapter.begin(model, length, self.X, self.y, self.fit_params, seed=1)

    def further(self, state: tuple[Any, Any], length: int) -> tuple[Any, Any]:
        """The same estimator trained on, and its memo."""
        model, memo = state
        return model, self.adapter.extend(model, length, self.X, self.y, self.fit_params, memo)

    def require_same(self, model: Any, expected: list[np.ndarray], what: str) -> None:
        """An estimator answers as another one did."""
        found = _answers(model, self.X)
        gaps = [
            np.abs(a - b).max()
            for a, b in zip(found, expected, strict=False)
            if a.shape == b.shape and a.dtype.kind == b.dtype.kind == "f"
        ]
        require(
            _same(found, expected, self.atol), f"{what} differ, by up to {max(gaps, default=np.nan):.3g}."
        )

    def continued(self, **params: Any) -> Any:
        """Estimator trained in three legs."""
        first, *others = self.lengths
        state = self.fresh(first, **params)
        for length in others:
            state = self.further(state, length)
        return state[0]


def _check_travels(case: _Case) -> None:
    """Adapters are sent to workers."""
    require(
        pickle.loads(pickle.dumps(case.adapter)) == case.adapter,
        f"{case.adapter!r} is not equal to its copy by pickle; a frozen dataclass would be.",
    )


def _check_knows_its_resource(case: _Case) -> None:
    """The resource is a parameter, whose value tells how far the estimator was trained."""
    resource = case.adapter.resource
    length = case.adapter.length(case.model)
    require(
        length is None or (type(length) is int and length > 0),
        f"length must be a positive int or None, got {length!r}.",
    )
    first, second, _ = case.lengths
    model, memo = case.fresh(first)
    for reached in (first, second):
        told = model.get_params().get(resource)
        require(told == reached, f"Trained to {reached}, the estimator tells {resource}={told!r}.")
        if reached == first:
            case.further((model, memo), second)


def _check_leaves_the_rest_alone(case: _Case) -> None:
    """Other parameters, data, arguments and numpy's global generator are as before."""
    handed = (case.X, case.y, case.fit_params)
    data = pickle.dumps(handed)
    drawn = np.random.get_state(legacy=True)  # noqa: NPY002 - to see that nobody uses it
    model = case.continued()
    now = np.random.get_state(legacy=True)  # noqa: NPY002 - as above
    require(pickle.dumps(drawn) == pickle.dumps(now), "numpy's global generator was drawn from.")
    require(pickle.dumps(handed) == data, "X, y or fit_params were changed.")
    # An estimator may set a parameter of its own in fit; the adapter may not.
    other, _ = case.fresh(case.lengths[2])
    expected, found = (_plain_params(m) for m in (other, model))
    changed = sorted(name for name in expected if expected[name] != found.get(name))
    require(not changed, f"Parameters {changed} are not what they were before training on.")


def _check_begins_as_fit(case: _Case) -> None:
    """Begun is fitted, where fitting twice gives the same."""
    length = case.lengths[0]
    target = () if case.y is None else (case.y,)
    fits: list[list[np.ndarray]] = []
    for _ in range(2):
        model = clone(case.model).set_params(**{case.adapter.resource: length})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(case.X, *target, **case.fit_params)
        fits.append(_answers(model, case.X))
    if _same(fits[0], fits[1]):
        case.require_same(case.fresh(length)[0], fits[0], f"begin to {length} and a fit of that length")


def _check_is_the_fit_that_never_stopped(case: _Case) -> None:
    """In two legs or three, pickled in between or not."""
    first, _, last = case.lengths
    expected = _answers(case.fresh(last)[0], case.X)
    two_legs, _ = case.further(case.fresh(first), last)
    case.require_same(two_legs, expected, f"Fits to {first} and on to {last}, and to {last} at once")
    state = case.fresh(first)
    for length in case.lengths[1:]:
        state = case.further(pickle.loads(pickle.dumps(state)), length)
    how = " -> ".join(map(str, case.lengths))
    case.require_same(state[0], expected, f"Fits {how}, pickled in between, and to {last} at once")


def _check_checkpoint_serves_twice(case: _Case) -> None:
    """A worker that dies is replaced by one that reads the same checkpoint."""
    checkpoint = pickle.dumps(case.fresh(case.lengths[0]))
    first, again = (case.further(pickle.loads(checkpoint), case.lengths[1])[0] for _ in range(2))
    case.require_same(again, _answers(first, case.X), "Fits that went on from one checkpoint")


def _check_same_distribution(case: _Case, n_seeds: int) -> None:
    """Continued fits score as fresh fits do."""
    *outer, _ = case.adapter.resource.split("__")
    names = ["__".join([*outer, name]) for name in ("random_state", "random_seed", "seed")]
    name = next((name for name in names if name in case.model.get_params()), None)
    if name is None:
        raise AssertionError(f"{case.model!r} has none of {names} to vary.")
    scores = np.array(
        [
            [
                model.score(case.X, case.y)
                for model in (case.continued(**{name: seed}), case.fresh(case.lengths[2], **{name: seed})[0])
            ]
            for seed in range(n_seeds)
        ]
    )
    continued, fresh = scores.mean(axis=0)
    error = np.sqrt(scores.var(axis=0, ddof=1).sum() / n_seeds)
    require(
        abs(continued - fresh) <= _LARGEST_T * error + 1e-9,
        f"Over {n_seeds} seeds, continued fits score {continued:.4g} and fresh fits {fresh:.4g}, "
        f"more than {_LARGEST_T} standard errors of {error:.2g} apart.",
    )


def _check_remembers(case: _Case) -> None:
    """What was learnt first, from a reversed target, still shows after training on."""
    first, second, _ = case.lengths
    other = _Case(case.adapter, case.model, case.X, case.y[::-1], case.fit_params, case.lengths)
    model, _ = case.further(other.fresh(first), second)
    require(
        not _same(_answers(model, case.X), _answers(case.fresh(second)[0], case.X)),
        "What the estimator had learnt before made no difference: it was trained again from the beginning.",
    )


def _plain_params(model: Any) -> dict[str, Any]:
    """Parameters that can be compared, by how they are written."""
    plain = (int, float, str, bool, type(None), tuple)
    return {name: repr(value) for name, value in model.get_params().items() if isinstance(value, plain)}


def _answers(model: Any, X: Any) -> list[np.ndarray]:
    """What a fitted estimator says to X, in all the ways it has."""
    methods = ("predict_proba", "decision_function", "predict", "score_samples", "transform")
    answers = [getattr(model, method)(X) for method in methods if hasattr(model, method)]
    return [answer.toarray() if sp.issparse(answer) else np.asarray(answer) for answer in answers]


def _same(first: list[np.ndarray], second: list[np.ndarray], atol: float = 0.0) -> bool:
    return len(first) == len(second) and all(
        np.allclose(a, b, rtol=0, atol=atol, equal_nan=True)
        if a.shape == b.shape and a.dtype.kind == b.dtype.kind == "f"
        else np.array_equal(a, b)
        for a, b in zip(first, second, strict=True)
    )
