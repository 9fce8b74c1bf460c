"""Estimators that hold the one that is trained on: pipelines and wrappers.

The outer estimator is fitted by its own ``fit``, in which the call that fits the inner one is taken over.
So transformers, routing of metadata, caches and whatever a subclass does are as the outer estimator has
them. Going on, only the inner one is trained; what it is trained on is computed again from the
fitted transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import process_routing

from skhpo.evaluation.adapters._agreement import agree
from skhpo.evaluation.adapters._base import Adapter, FreshFit, fit


@dataclass(frozen=True)
class PipelineMemo:
    """What a pipeline does not remember itself.

    Attributes
    ----------
    inner : object
        Memo of the last step.
    seen : tuple of (X, y, fit_params) or None
        What the last step was fitted on, where it is not what the fitted transformers give.
    """

    inner: Any
    seen: tuple[Any, Any, dict[str, Any]] | None


@dataclass(frozen=True)
class LastStep(Adapter):
    """A pipeline whose last step is trained on; its transformers are fitted once.

    Transformers may give other data in ``fit_transform`` than in ``transform``, as the cross-fitting
    ``TargetEncoder`` does. Where the two differ by more than rounding, the former are kept for the
    way on, which takes their memory; else the latter are computed again.

    Parameters
    ----------
    step : str
        Name of the last step.
    inner : Adapter
        How the last step goes on.
    """

    step: str
    inner: Adapter
    fit_arguments: ClassVar[tuple[str, ...] | None] = ()

    # Read only, where the base class has an attribute: it follows from the inner adapter.
    @property
    def resource(self) -> str:  # type: ignore[override]
        """The last step's resource, as a parameter of the pipeline."""
        return f"{self.step}__{self.inner.resource}"

    def length(self, model: Any) -> int | None:
        """What the last step says."""
        return self.inner.length(model.steps[-1][1])

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """What the last step says of its share of the arguments."""
        return self.inner.can_extend(model.steps[-1][1], self._routed(model, fit_params))

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> PipelineMemo | None:
        """Fit the pipeline, in which the inner adapter begins with the last step."""
        last = model.steps[-1][1]
        # Asked for before the last step has another length; what transformers warn of is news.
        unalarmed = self.inner.unalarmed(last, resource)
        model.set_params(**{self.resource: resource})
        with _fit_taken_over(self.inner, last, resource, seed, unalarmed) as seen:
            fit(model, X, y, fit_params)
        if not seen:
            # A pipeline that fits something else than its last step. It is fitted, by itself.
            return None
        (last_X, last_y, last_params), memo = seen
        if not self.can_extend(model, fit_params):
            return PipelineMemo(memo, None)
        is_repeatable = (
            last_y is y
            and not getattr(model, "transform_input", None)
            and self._repeats(model, X, fit_params, last_X)
        )
        return PipelineMemo(memo, None if is_repeatable else (last_X, last_y, last_params))

    def extend(
        self,
        model: Any,
        resource: int,
        X: Any,
        y: Any,
        fit_params: Mapping[str, Any],
        memo: PipelineMemo | None,
    ) -> PipelineMemo | None:
        """Train the last step on."""
        if memo is None:
            FreshFit(self.resource).extend(model, resource, X, y, fit_params, None)
            return None
        if memo.seen is None:
            Xt, yt = _transformed(model, X, fit_params), y
            routed = self._routed(model, fit_params)
        else:
            Xt, yt, routed = memo.seen
        inner = self.inner.extend(model.steps[-1][1], resource, Xt, yt, routed, memo.inner)
        return PipelineMemo(inner, memo.seen)

    def _routed(self, model: Any, fit_params: Mapping[str, Any]) -> dict[str, Any]:
        if _routes_metadata():
            return dict(process_routing(model, "fit", **fit_params)[self.step].fit) if fit_params else {}
        prefix = f"{self.step}__"
        return {
            name.removeprefix(prefix): value for name, value in fit_params.items() if name.startswith(prefix)
        }

    def _repeats(self, model: Any, X: Any, fit_params: Mapping[str, Any], last_X: Any) -> bool:
        """Whether the fitted transformers give what the last step was fitted on."""
        if not all(hasattr(step, "transform") for _, step in _transformers(model)):
            return False
        return agree(_transformed(model, X, fit_params), last_X)


@dataclass(frozen=True)
class Wrapped(Adapter):
    """A wrapper that fits one clone of one estimator, on all of the data.

    Parameters
    ----------
    parameter : str
        The wrapper's parameter that holds the estimator.
    inner : Adapter
        How that estimator goes on.
    """

    parameter: str
    inner: Adapter

    # Read only, where the base class has an attribute: it follows from the inner adapter.
    @property
    def resource(self) -> str:  # type: ignore[override]
        """The inner estimator's resource, as a parameter of the wrapper."""
        return f"{self.parameter}__{self.inner.resource}"

    def length(self, model: Any) -> int | None:
        """What the inner estimator says."""
        return self.inner.length(getattr(model, self.parameter))

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """What the inner estimator says of its share of the arguments."""
        fitted = getattr(model, f"{self.parameter}_", getattr(model, self.parameter))
        return self.inner.can_extend(fitted, self._routed(model, fit_params))

    def begin(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], seed: int
    ) -> Any:
        """Fit the wrapper, in which the inner adapter begins with the clone."""
        template = getattr(model, self.parameter)
        inner = clone(template)
        with (
            _shadowed(template, "__sklearn_clone__", lambda: inner),
            _fit_taken_over(self.inner, inner, resource, seed, nullcontext()) as seen,
        ):
            fit(model, X, y, fit_params)
        model.set_params(**{self.resource: resource})
        return seen[1]

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Train the inner estimator on."""
        inner, routed = getattr(model, f"{self.parameter}_"), self._routed(model, fit_params)
        memo = self.inner.extend(inner, resource, X, self._target(model, y), routed, memo)
        model.set_params(**{self.resource: resource})
        return memo

    def _routed(self, model: Any, fit_params: Mapping[str, Any]) -> dict[str, Any]:
        if _routes_metadata() and fit_params:
            return dict(process_routing(model, "fit", **fit_params)[self.parameter].fit)
        return dict(fit_params)

    def _target(self, model: Any, y: Any) -> Any:
        """The target that the inner estimator is fitted to."""
        return y


@dataclass(frozen=True)
class TransformedTarget(Wrapped):
    """``TransformedTargetRegressor``: the target passes through the transformer fitted at the beginning."""

    def _target(self, model: Any, y: Any) -> Any:
        y = check_array(y, input_name="y", ensure_2d=False, dtype="numeric", allow_nd=True)
        yt = model.transformer_.transform(y.reshape(-1, 1) if y.ndim == 1 else y)
        is_column = y.ndim == 1 and yt.ndim == 2 and yt.shape[1] == 1
        return yt.squeeze(axis=1) if is_column else yt


@contextmanager
def _fit_taken_over(
    adapter: Adapter, model: Any, resource: int, seed: int, around: AbstractContextManager[None]
) -> Iterator[list[Any]]:
    """Let an adapter begin, inside of a context, where somebody calls ``model.fit``.

    Yields a list, which then holds what ``fit`` was called with, (X, y, fit_params), and the memo.
    """
    seen: list[Any] = []

    def begin(X: Any, y: Any = None, **fit_params: Any) -> Any:
        del vars(model)["fit"]
        with around:
            memo = adapter.begin(model, resource, X, y, fit_params, seed)
        seen.extend([(X, y, fit_params), memo])
        return model

    with _shadowed(model, "fit", begin):
        yield seen


@contextmanager
def _shadowed(model: Any, method: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Another method on this one object for a while."""
    vars(model)[method] = replacement
    try:
        yield
    finally:
        vars(model).pop(method, None)


def _transformed(model: Any, X: Any, fit_params: Mapping[str, Any]) -> Any:
    """Data as the fitted transformers of a pipeline hand them to its last step."""
    routed = process_routing(model, "fit", **fit_params) if _routes_metadata() and fit_params else None
    for name, step in _transformers(model):
        X = step.transform(X, **(routed[name].get("transform", {}) if routed else {}))
    return X


def _transformers(model: Any) -> list[tuple[str, Any]]:
    """Names and transformers of the steps before the last, but for those that do nothing."""
    return [(name, step) for name, step in model.steps[:-1] if step is not None and step != "passthrough"]


def _routes_metadata() -> bool:
    return bool(get_config()["enable_metadata_routing"])
