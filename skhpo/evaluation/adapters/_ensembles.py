"""Ensembles of scikit-learn, which grow by ``warm_start``.

All of them draw one seed for each member from ``random_state``, or keep their generator, so that what is
added later is what would have been added at once: bit for bit with an integer ``random_state``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from skhpo._sklearn import boosting_has_stopped
from skhpo.evaluation.adapters._base import Adapter, fit, parameters, silenced


@dataclass(frozen=True)
class WarmStart(Adapter):
    """Estimators that keep what they have where ``warm_start`` is true, and add what is missing.

    Parameters
    ----------
    resource : str
    needs : tuple of (parameter, value)
        The estimator is trained on only where each of these parameters has this value.
    refuses : tuple of str
        Arguments of ``fit`` with which it is not trained on.
    """

    resource: str = "n_estimators"
    needs: tuple[tuple[str, Any], ...] = ()
    refuses: tuple[str, ...] = ()
    fit_arguments: ClassVar[tuple[str, ...] | None] = ()

    def can_extend(self, model: Any, fit_params: Mapping[str, Any]) -> bool:
        """Unless a parameter or an argument makes a continued fit another one."""
        params = model.get_params(deep=False)
        return all(params.get(name, value) == value for name, value in self.needs) and not any(
            fit_params.get(name) is not None for name in self.refuses
        )

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Fit with ``warm_start``, which is put back afterwards."""
        model.set_params(**{self.resource: resource})
        # Forests warn that class weights would be computed anew: from the same data they are the same.
        with parameters(model, warm_start=True), silenced("class_weight presets", UserWarning):
            fit(model, X, y, fit_params)
        return None


@dataclass(frozen=True)
class HistGradientBoosting(WarmStart):
    """``HistGradientBoosting*``, which keeps its seeds, and its history of scores for early stopping.

    What early stopping ended stays ended; scikit-learn would add one more round before looking at the
    history.
    """

    resource: str = "max_iter"

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Fit with ``warm_start`` unless early stopping has ended it."""
        if boosting_has_stopped(model):
            model.set_params(max_iter=resource)
            return None
        return super().extend(model, resource, X, y, fit_params, memo)
