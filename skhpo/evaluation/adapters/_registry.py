"""Which adapter an estimator goes on by."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from skhpo.evaluation.adapters._base import Adapter, FreshFit
from skhpo.evaluation.adapters._batches import BoltzmannMachine, MiniBatchMeans
from skhpo.evaluation.adapters._boosters import LightGBM, XGBoost
from skhpo.evaluation.adapters._composite import LastStep, TransformedTarget, Wrapped
from skhpo.evaluation.adapters._ensembles import HistGradientBoosting, WarmStart
from skhpo.evaluation.adapters._epochs import Network, StochasticGradient
from skhpo.evaluation.adapters._skorch import Skorch

Entry = Adapter | None | Callable[[Any], Adapter | None]


def find_adapter(estimator: Any) -> Adapter | None:
    """The adapter of an estimator as it stands, with its parameters set.

    Looks at the estimator's class and its base classes, nearest first. Pipelines go on by their last step,
    ``TransformedTargetRegressor`` and ``FixedThresholdClassifier`` by the estimator they hold.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    adapter : Adapter or None
        None where nothing can be trained on.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skhpo.evaluation.adapters import find_adapter
    >>> find_adapter(make_pipeline(StandardScaler(), RandomForestClassifier())).resource
    'randomforestclassifier__n_estimators'
    >>> find_adapter(LogisticRegression()) is None
    True
    """
    for kind in type(estimator).__mro__:
        keys = {kind, f"{kind.__module__}.{kind.__qualname__}", _short_name(kind)}
        entries = [entry for key, entry in _REGISTRY.items() if key in keys]
        if entries:
            last = entries[-1]
            adapter = last if last is None or isinstance(last, Adapter) else last(estimator)
            if adapter is not None and _goes_past(adapter, type(estimator), kind):
                return FreshFit(adapter.resource)
            return adapter
    return None


def register_adapter(kind: type | str, adapter: Entry) -> None:
    """Say how estimators of a class, and of classes derived from it, are trained on.

    Of several registered base classes the nearest counts, and of several adapters for a class the last.

    Parameters
    ----------
    kind : class or str
        A class, or its dotted name, which does not import it: the full one or without the modules
        between package and class, as in ``"catboost.CatBoostClassifier"``.
    adapter : Adapter, None or callable
        None says that they cannot be trained on. A callable gets the estimator and returns an adapter or
        None, for estimators that hold others.

    Raises
    ------
    TypeError
        If ``kind`` is no class or name, or ``adapter`` no adapter.
    ValueError
        If a name has no package.

    See Also
    --------
    skhpo.testing.check_adapter : Whether an adapter keeps its promises.

    Notes
    -----
    Adapters are found in the process that runs the search and sent to its workers by pickle: the adapter's
    class must be in a module that the workers can import. Where the searches themselves run in worker
    processes, as under ``cross_val_score(search, ..., n_jobs=2)``, they know the adapters that are
    registered when something is imported that they import too, such as the estimator's module.

    A derived class with a ``fit`` of its own is trained on only where the adapter calls that ``fit`` (see
    ``Adapter.fit_arguments``), else trained again.

    Examples
    --------
    CatBoost adds rounds to an earlier model, and would draw the rows of the first rounds again without
    another seed::

        @dataclass(frozen=True)
        class CatBoost(Adapter):
            resource: str = "iterations"

            def length(self, model):
                return model.get_params().get("iterations", 1000)

            def can_extend(self, model, fit_params):
                stops = {"early_stopping_rounds", "od_type", "od_wait"} & set(model.get_params())
                return not stops and not {"eval_set", "init_model", "callbacks"} & set(fit_params)

            def extend(self, model, resource, X, y, fit_params, memo):
                params = model.get_params()
                reached = params["iterations"]
                seed = (params.get("random_seed") or 0) + reached
                more = {"iterations": resource - reached, "random_seed": seed}
                longer = type(model)(**(params | more)).fit(X, y, init_model=model, **fit_params)
                # In place; a fitted CatBoost model does not let set_params change it.
                vars(model).update(vars(longer) | {"_init_params": params | {"iterations": resource}})


        register_adapter("catboost.CatBoostClassifier", CatBoost())
        register_adapter("catboost.CatBoostRegressor", CatBoost())
    """
    if not isinstance(kind, type | str):
        raise TypeError(f"kind must be a class or its dotted name, got {kind!r}.")
    if isinstance(kind, str) and "." not in kind:
        raise ValueError(f"A name must say the package, as in 'package.{kind}', got {kind!r}.")
    if isinstance(adapter, type) or not (
        adapter is None or isinstance(adapter, Adapter) or callable(adapter)
    ):
        raise TypeError(
            f"adapter must be an Adapter object, None or a function of an estimator, got {adapter!r}."
        )
    _REGISTRY.pop(kind, None)
    _REGISTRY[kind] = adapter


def _goes_past(adapter: Adapter, cls: type, kind: type) -> bool:
    """Whether a class has a ``fit`` that is not its library's, and that the adapter could not call."""
    definer = next(base for base in cls.__mro__ if "fit" in vars(base))
    is_the_librarys = definer.__module__.split(".")[0] == kind.__module__.split(".")[0]
    if is_the_librarys or not issubclass(definer, kind):
        return False
    if adapter.fit_arguments is None:
        return True
    taken = inspect.signature(vars(definer)["fit"]).parameters.values()
    names = {parameter.name for parameter in taken}
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken)
    return not takes_all and not names.issuperset(adapter.fit_arguments)


def _short_name(kind: type) -> str:
    """Package and class, without the modules between them, which move from release to release."""
    return f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"


def _last_step(pipeline: Any) -> Adapter | None:
    if not pipeline.steps:
        return None
    name, last = pipeline.steps[-1]
    inner = find_adapter(last)
    return None if inner is None else LastStep(name, inner)


def _regressor(wrapper: Any) -> Adapter | None:
    inner = find_adapter(wrapper.regressor)
    return None if inner is None else TransformedTarget("regressor", inner)


def _estimator(wrapper: Any) -> Adapter | None:
    inner = find_adapter(wrapper.estimator)
    return None if inner is None else Wrapped("estimator", inner)


_FOREST = WarmStart()
_BAGGING = WarmStart(needs=(("oob_score", False),))
_BOOSTING = WarmStart(needs=(("n_iter_no_change", None),), refuses=("monitor",))

# In the order of registration.
_REGISTRY: dict[type | str, Entry] = {
    "sklearn.RandomForestClassifier": _FOREST,
    "sklearn.RandomForestRegressor": _FOREST,
    "sklearn.ExtraTreesClassifier": _FOREST,
    "sklearn.ExtraTreesRegressor": _FOREST,
    "sklearn.RandomTreesEmbedding": _FOREST,
    "sklearn.IsolationForest": _FOREST,
    "sklearn.BaggingClassifier": _BAGGING,
    "sklearn.BaggingRegressor": _BAGGING,
    "sklearn.GradientBoostingClassifier": _BOOSTING,
    "sklearn.GradientBoostingRegressor": _BOOSTING,
    "sklearn.HistGradientBoostingClassifier": HistGradientBoosting(),
    "sklearn.HistGradientBoostingRegressor": HistGradientBoosting(),
    "xgboost.XGBModel": XGBoost(),
    # One round of many trees is all that these do.
    "xgboost.XGBRFClassifier": None,
    "xgboost.XGBRFRegressor": None,
    "lightgbm.LGBMModel": LightGBM.of,
    "skorch.NeuralNet": Skorch(),
    "sklearn.MLPClassifier": Network(),
    "sklearn.MLPRegressor": Network(),
    "sklearn.SGDClassifier": StochasticGradient(),
    "sklearn.SGDRegressor": StochasticGradient(),
    "sklearn.SGDOneClassSVM": StochasticGradient(),
    "sklearn.Perceptron": StochasticGradient(),
    "sklearn.PassiveAggressiveClassifier": StochasticGradient(),
    "sklearn.PassiveAggressiveRegressor": StochasticGradient(),
    "sklearn.BernoulliRBM": BoltzmannMachine(),
    "sklearn.MiniBatchKMeans": MiniBatchMeans(),
    "sklearn.Pipeline": _last_step,
    "sklearn.TransformedTargetRegressor": _regressor,
    "sklearn.FixedThresholdClassifier": _estimator,
}
