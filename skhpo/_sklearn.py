"""The only file that touches names of scikit-learn which are not public.

Everything a search needs beyond scikit-learn's documented interface passes through here, so that
a new release of scikit-learn is met in one place.
"""

from __future__ import annotations

import copy
import inspect
import math
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sklearn
from sklearn.base import BaseEstimator, _fit_context, clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.fixes import parse_version
from sklearn.utils.parallel import _FuncWrapper
from sklearn.utils.validation import _check_method_params, _num_samples

from skhpo._records import FailedScore

__all__ = [
    "KMEANS_DRAWS_BY_WEIGHT",
    "CallbackContexts",
    "CrossValidationInputs",
    "Interval",
    "SearchCVParts",
    "StrOptions",
    "boosting_has_stopped",
    "carry_configuration",
    "epochs_of_partial_fit",
    "fit_and_score",
    "fit_context",
    "lost_outcome",
    "n_samples",
    "network_has_stopped",
    "take_rows",
    "validating_once",
]

fit_context = _fit_context


KMEANS_DRAWS_BY_WEIGHT = parse_version(sklearn.__version__) >= parse_version("1.9.dev0")
"""Whether ``MiniBatchKMeans`` draws the rows of a batch by their weights, as from 1.9 on."""

_TAKES_CALLBACKS = "callback_ctx" in inspect.signature(_fit_and_score).parameters


def fit_and_score(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    train_model: Callable[[Any, Any, Any, dict[str, Any]], None] | None = None,
    errors: list[str] | None = None,
    callback_context: Any = None,
    caller: BaseEstimator | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Fit and score a clone on one split, exactly as ``GridSearchCV`` does.

    Parameters
    ----------
    estimator : estimator
        Left as it is; a clone is fitted.
    X, y : array-like
    train_model : callable, default=None
        Called with the clone, its training data and parameters of ``fit``, in place of its ``fit``.
    errors : list, default=None
        Gets the tracebacks of what failed, in the fit or in a scorer.
    callback_context, caller : object
        Task of ``sklearn.callback`` and the search it belongs to, or None.
    **options : dict
        Keyword arguments of scikit-learn's own function: scorer, train, test, parameters, ...

    Returns
    -------
    outcome : dict
        ``test_scores``, ``train_scores`` (if asked for), ``fit_time``, ``score_time``,
        ``n_test_samples`` and ``fit_error``. Scores of what failed are ``FailedScore``.
    """
    if options["error_score"] != "raise":
        options["error_score"] = FailedScore(options["error_score"])
    if _TAKES_CALLBACKS:
        options |= {"callback_ctx": callback_context, "caller": caller}
    model = clone(estimator)
    if train_model is not None:
        _replace_next_fit(model, train_model)
    if errors is not None:
        options["scorer"] = _noting_errors(options["scorer"], errors)
    outcome = _fit_and_score(model, X, y, return_times=True, return_n_test_samples=True, **options)
    if errors is not None and outcome["fit_error"] is not None:
        errors.append(outcome["fit_error"])
    return outcome


def _noting_errors(scorer: Any, errors: list[str]) -> Callable[..., Any]:
    """The same scorer, or scorers, but what they raise is written down: scikit-learn only warns of it."""
    if isinstance(scorer, _MultimetricScorer):
        return _NotingMultimetricScorer(scorer, errors)

    def noting(*args: Any, **kwargs: Any) -> Any:
        try:
            return scorer(*args, **kwargs)
        except Exception:
            # Whatever somebody's scorer raises is raised on.
            errors.append(traceback.format_exc())
            raise

    return noting


class _NotingMultimetricScorer(_MultimetricScorer):
    def __init__(self, scorers: _MultimetricScorer, errors: list[str]) -> None:
        self.__dict__.update(vars(scorers))
        self._errors = errors

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scores = super().__call__(*args, **kwargs)
        # An error is put in the place of a score, as text.
        self._errors.extend(score for score in scores.values() if isinstance(score, str))
        return scores


def lost_outcome(
    message: str, *, scorer: Any, error_score: float | str, return_train_score: bool, n_test_samples: int
) -> dict[str, Any]:
    """What ``fit_and_score`` would have returned of a fit that nobody lived to tell of.

    Raises
    ------
    RuntimeError
        If ``error_score`` is "raise".
    """
    if isinstance(error_score, str):
        raise RuntimeError(message)
    score = FailedScore(error_score)
    is_multimetric = isinstance(scorer, _MultimetricScorer)
    scores: Any = dict.fromkeys(scorer._scorers, score) if is_multimetric else score
    outcome = {
        "test_scores": scores,
        "fit_time": 0.0,
        "score_time": 0.0,
        "n_test_samples": n_test_samples,
        "fit_error": message,
    }
    return {**outcome, "train_scores": scores} if return_train_score else outcome


def _replace_next_fit(model: BaseEstimator, train: Callable[[Any, Any, Any, dict[str, Any]], None]) -> None:
    """Have another function train the model when ``fit`` is next called, and only then.

    The model itself, and no stand-in for it, is what callbacks and scorers get to see.
    """

    def fit(X: Any, y: Any = None, **fit_params: Any) -> BaseEstimator:
        del model.fit
        train(model, X, y, fit_params)
        return model

    model.fit = fit


def carry_configuration(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that a worker runs it under this thread's configuration and warning filters."""
    filters = getattr(warnings, "_get_filters", lambda: warnings.filters)()
    wrapped = _FuncWrapper(function)
    return wrapped.with_config_and_warning_filters(sklearn.get_config(), filters)


@dataclass(frozen=True)
class CrossValidationInputs:
    """What a search evaluates its candidates on, validated and split once.

    Attributes
    ----------
    estimator : estimator
        An unfitted clone of the user's.
    X, y : array-like
        The same objects for every task, so that process backends share their memory.
    splits : tuple of (train, test)
    scorer : callable or multimetric scorer
    fit_params, score_params : dict
        Metadata routed to ``fit`` and to the scorers.
    """

    estimator: BaseEstimator
    X: Any
    y: Any
    splits: tuple[tuple[Any, Any], ...]
    scorer: Any
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return n_samples(self.X)


def n_samples(X: Any) -> int:
    """Rows of X, whatever holds them."""
    return int(_num_samples(X))


class CallbackContexts:
    """The tree of ``sklearn.callback`` tasks of one fit; does nothing where there are no callbacks.

    Parameters
    ----------
    search : BaseSearchCV
    X, y, params : object
        What ``fit`` was given.
    """

    def __init__(self, search: BaseSearchCV, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        self._search, self._X, self._y = search, X, y
        weight = params.get("sample_weight")
        self._metadata = None if weight is None else {"sample_weight": weight}
        self._has_tasks = False
        self._root: Any = None
        if hasattr(search, "_init_callback_context"):
            n_stages = 1 + (search.refit is not False)
            self._root = search._init_callback_context(max_subtasks=n_stages)
            self._root.call_on_fit_task_begin(estimator=search, X=X, y=y, metadata=self._metadata)

    def begin_search(self, n_tasks: int | None, candidates: Iterable[Any] = ()) -> None:
        """Open the task under which all evaluations stand.

        Parameters
        ----------
        n_tasks : int or None
            How many evaluations there will be at most; None if that is not known.
        candidates : iterable
            Values that the search may put into the estimator, which may bring callbacks too.
        """
        if self._root is None:
            return
        self._search_context = self._root.subcontext(
            task_name="search", max_subtasks=n_tasks, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self._search)
        self._has_tasks = _have_callbacks([self._search, *candidates])

    def task(self, i: int) -> dict[str, Any]:
        """Arguments that tell ``fit_and_score`` which task of the tree it is, if anybody wants to know."""
        if not self._has_tasks:
            return {}
        # A parent of its own: a task takes the whole tree to its worker, and a sibling that is added while
        # another thread pickles it would be a race.
        parent = copy.copy(self._search_context)
        parent._children_map = {}
        context = parent.subcontext(task_name="candidate-split-evaluation", task_id=i)
        return {"callback_context": context, "caller": self._search}

    def end_search(self) -> None:
        """Close the task under which all evaluations stand."""
        if self._root is not None:
            self._search_context.call_on_fit_task_end(estimator=self._search)

    def refit(self, estimator: BaseEstimator, fit: Callable[[], Any]) -> None:
        """Call ``fit``, which fits ``estimator``, as the tree's last task."""
        if self._root is None:
            fit()
            return
        about = {"estimator": self._search, "X": self._X, "y": self._y, "metadata": self._metadata}
        context = self._root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(**about)
            fit()
        context.call_on_fit_task_end(**about)

    def end(self) -> None:
        """Close the whole tree."""
        if self._root is not None:
            self._root.call_on_fit_task_end(
                estimator=self._search, X=self._X, y=self._y, metadata=self._metadata
            )


def _have_callbacks(objects: Iterable[Any]) -> bool:
    for candidate in objects:
        deep = hasattr(candidate, "get_params") and not isinstance(candidate, type)
        parts = [candidate, *(candidate.get_params(deep=True).values() if deep else ())]
        if any(getattr(part, "_skl_callbacks", None) for part in parts):
            return True
    return False


class SearchCVParts(BaseSearchCV):
    """``BaseSearchCV`` with the steps of its ``fit`` under names of their own.

    scikit-learn's ``fit`` splits, evaluates and formats once for each batch of candidates. A search
    without batches needs the same steps one by one.
    """

    def _prepare(
        self, X: Any, y: Any, params: Mapping[str, Any]
    ) -> tuple[CrossValidationInputs, str | Callable[..., int]]:
        """Validate what ``fit`` was given and split it; with the name of the metric to select by."""
        scorer, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=dict(params))
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = tuple(cv.split(X, y, **routed.splitter.split))
        if len(splits) != n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {n_splits} splits, got {len(splits)}"
            )
        if not splits:
            raise ValueError("No fits were performed. Was the CV iterator empty? Were there no candidates?")
        inputs = CrossValidationInputs(
            estimator=clone(self.estimator),
            X=X,
            y=y,
            splits=splits,
            scorer=scorer,
            fit_params=routed.estimator.fit,
            score_params=routed.scorer.score,
        )
        return inputs, refit_metric

    def _tabulate(
        self,
        params: Sequence[dict[str, Any]],
        n_splits: int,
        outcomes: Sequence[dict[str, Any] | None],
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        """``cv_results_`` from all outcomes, row by row and fold by fold, with more columns.

        None stands for a fold that a candidate was not brought through: NaN, and so is the mean.

        Raises
        ------
        ValueError
            If every single fit failed.
        """
        real = [outcome for outcome in outcomes if outcome is not None]
        _warn_or_raise_about_fit_failures(real, self.error_score)
        if callable(self.scoring):
            _spread_error_scores(real)
        rows = [_filled(outcomes[i : i + n_splits]) for i in range(0, len(outcomes), n_splits)]
        filled = [outcome for row in rows for outcome in row]
        if len(real) == len(filled):
            return self._format_results(list(params), n_splits, filled, dict(more))
        with warnings.catch_warnings():
            # Means that are NaN on purpose; of fits and scorers that failed there have been warnings.
            warnings.filterwarnings("ignore", message="One or more of the (test|train) scores are non-finite")
            return self._format_results(list(params), n_splits, filled, dict(more))

    def _select(
        self, results: dict[str, Any], refit_metric: str | Callable[..., int], multimetric: bool
    ) -> dict[str, Any]:
        """The fitted attributes that tell the best candidate; none where ``refit`` asks for none."""
        if callable(self.scoring) and multimetric:
            refit_metric = self.refit
        if not (self.refit or not multimetric):
            return {}
        best_index = self._select_best_index(self.refit, refit_metric, results)
        best = {"best_index_": best_index, "best_params_": results["params"][best_index]}
        if not callable(self.refit):
            best["best_score_"] = results[f"mean_test_{refit_metric}"][best_index]
        return best

    @staticmethod
    def _unwrap(scorer: Any) -> Any:
        """The value of ``scorer_``: a dict of scorers, or the only one."""
        return scorer._scorers if isinstance(scorer, _MultimetricScorer) else scorer


def _filled(outcomes: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """A candidate's outcomes with scores of NaN, and the mean times of the others, where there are none."""
    real = [outcome for outcome in outcomes if outcome is not None]
    if len(real) == len(outcomes):
        return real
    none: dict[str, Any] = {
        **real[0],
        **{key: sum(o[key] for o in real) / len(real) for key in ("fit_time", "score_time")},
        **{key: _all_nan(real[0][key]) for key in ("test_scores", "train_scores") if key in real[0]},
    }
    return [none if outcome is None else outcome for outcome in outcomes]


def _all_nan(scores: Any) -> Any:
    return dict.fromkeys(scores, math.nan) if isinstance(scores, dict) else math.nan


def _spread_error_scores(outcomes: list[dict[str, Any]]) -> None:
    """Give every metric its error score where a callable returns several and failed for some."""
    for kind in ("test_scores", "train_scores"):
        names = next((o[kind].keys() for o in outcomes if isinstance(o.get(kind), dict)), None)
        if names is not None:
            for outcome in outcomes:
                if not isinstance(outcome[kind], dict):
                    outcome[kind] = dict.fromkeys(names, outcome[kind])


take_rows = _safe_indexing


def boosting_has_stopped(model: Any) -> bool:
    """Whether early stopping has ended the training of a ``HistGradientBoosting*``."""
    if not model.do_early_stopping_:
        return False
    scores = model.validation_score_ if model._use_validation_data else model.train_score_
    return bool(model._should_stop(list(scores)))


def network_has_stopped(model: Any) -> bool:
    """Whether an ``MLP*`` has ended its training by its own rule.

    A learning rate that was lowered instead sets the count back.
    """
    return bool(model._no_improvement_count > model.n_iter_no_change)


@contextmanager
def validating_once(model: Any) -> Iterator[None]:
    """Have an ``MLP*`` check and encode its data in the first of many ``partial_fit`` calls only.

    On a thousand rows that takes as long as the epoch itself.
    """
    validated: list[Any] = []

    def once(*args: Any, **kwargs: Any) -> Any:
        if not validated:
            validated.append(type(model)._validate_input(model, *args, **kwargs))
        return validated[0]

    model._validate_input = once
    try:
        yield
    finally:
        del model._validate_input


@contextmanager
def epochs_of_partial_fit(model: Any, n_epochs: int) -> Iterator[None]:
    """Several epochs in one ``partial_fit`` of a linear model trained by stochastic gradients.

    They end early by the rule of ``fit``, which single epochs cannot follow: the loss that it watches is
    not kept.
    """

    def several(*args: Any, **kwargs: Any) -> Any:
        return type(model)._partial_fit(model, *args, **{**kwargs, "max_iter": n_epochs})

    model._partial_fit = several
    try:
        yield
    finally:
        del model._partial_fit
