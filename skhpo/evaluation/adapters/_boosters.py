"""XGBoost and LightGBM, which take an earlier model and add rounds to it.

Both seed their random numbers anew at each call: rounds that are added with the same seed would see the
rows of the first rounds again. The seed is shifted by the rounds so far, so that the continued fit has other
rows than one at once, drawn from the same distribution. Where nothing is drawn, both are bit for
bit the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from skhpo.evaluation.adapters._base import Adapter, fit, parameters

_LGBM_DRAWS = ("bagging", "subsample", "sub_", "fraction", "colsample", "extra", "quantized", "goss")
"""Parts of names of LightGBM's parameters, aliases among them, by which a model draws at random."""


_LGBM_LENGTHS = {
    "max_iter",
    "n_iter",
    "nrounds",
    "num_boost_round",
    "num_iteration",
    "num_iterations",
    "num_round",
    "num_rounds",
    "num_tree",
    "num_trees",
}
"""Other names of ``n_estimators``, which go before it."""


@dataclass(frozen=True)
class XGBoost(Adapter):
    """``XGBModel``, through ``fit(..., xgb_model=booster)``."""

    resource: str = "n_estimators"
    fit_arguments: ClassVar[tuple[str, ...] | None] = ("xgb_model",)

    def length(self, model: Any) -> int | None:
        """``n_estimators``, or where that is None the library's own default."""
        return int(model.get_num_boosting_rounds())

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Not with early stopping, callbacks, dropped trees or a state beside the booster."""
        params = model.get_params()
        return (
            params.get("booster") in (None, "gbtree", "gblinear")
            and params.get("feature_selector") in (None, "cyclic")
            and params.get("process_type") in (None, "default")
            and not any(
                params.get(name)
                for name in ("early_stopping_rounds", "callbacks", "lambdarank_unbiased", "seed")
            )
            and _given(fit_params)
            <= {"sample_weight", "base_margin", "feature_weights", "group", "qid", "verbose"}
        )

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Add the missing rounds to the booster."""
        reached = model.n_estimators
        changed = {"n_estimators": resource - reached} | _shifted_seed(model, reached)
        with parameters(model, **changed):
            fit(model, X, y, {**fit_params, "xgb_model": model.get_booster()})
        model.set_params(n_estimators=resource)
        return None


@dataclass(frozen=True)
class LightGBM(Adapter):
    """``LGBMModel`` with plain gradient boosting, through ``fit(..., init_model=booster)``.

    Parameters
    ----------
    resource : str
        ``n_estimators`` or another of its names, by which LightGBM then goes.
    """

    resource: str = "n_estimators"
    fit_arguments: ClassVar[tuple[str, ...] | None] = ("init_model",)

    @classmethod
    def of(cls, model: Any) -> LightGBM:
        """The adapter by the name under which a model has its length."""
        return cls(next(iter(sorted(_LGBM_LENGTHS & model.get_params().keys())), "n_estimators"))

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Not with early stopping, callbacks, other kinds of boosting or seeds that cannot be shifted."""
        params = model.get_params()
        stops = any(
            params.get(name)
            for name in (
                "early_stopping_round",
                "early_stopping_rounds",
                "early_stopping",
                "n_iter_no_change",
            )
        )
        kinds = [params.get(name) for name in ("boosting_type", "boosting", "boost", "data_sample_strategy")]
        plain = all(kind in (None, "gbdt", "gbrt", "bagging") for kind in kinds)
        fixed_seed = _lightgbm_draws(params) and any(name.endswith("seed") for name in params)
        return (
            plain
            and not stops
            and not fixed_seed
            and not params.get("linear_tree")
            and _given(fit_params) <= {"sample_weight", "group", "feature_name", "categorical_feature"}
        )

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Add the missing rounds to the booster."""
        reached = model.get_params()[self.resource]
        changed: dict[str, Any] = {self.resource: resource - reached}
        # The seed also picks the rows from which large tables are binned; it is kept where it may be.
        if _lightgbm_draws(model.get_params()):
            changed |= _shifted_seed(model, reached)
        with parameters(model, **changed):
            fit(model, X, y, {**fit_params, "init_model": model.booster_})
        model.set_params(**{self.resource: resource})
        return None


def _given(fit_params: Mapping[str, Any]) -> set[str]:
    """Names of the arguments that say something."""
    return {name for name, value in fit_params.items() if value is not None}


def _shifted_seed(model: Any, reached: int) -> dict[str, Any]:
    """Another ``random_state``, where the present one would give the same numbers again."""
    seed = model.random_state
    return {"random_state": int(seed or 0) + reached} if seed is None or isinstance(seed, Integral) else {}


def _lightgbm_draws(params: Mapping[str, Any]) -> bool:
    """Whether a model draws rows, columns or thresholds at random, or may do so."""
    ranks_at_random = params.get("objective") in ("rank_xendcg", "xendcg")
    by_other_names = any(
        part in name
        for name in params
        for part in _LGBM_DRAWS
        if name not in ("subsample", "subsample_freq", "subsample_for_bin", "colsample_bytree")
    )
    draws_rows = params["subsample"] < 1 and params["subsample_freq"] > 0
    return bool(draws_rows or params["colsample_bytree"] < 1 or ranks_at_random or by_other_names)
