"""Searches that train every candidate in full: the general one, and a preset for each sampler."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from skhpo._sklearn import Interval, StrOptions
from skhpo.samplers import CMAESSampler, GPSampler, Sampler, TPESampler, make_sampler
from skhpo.search._base import BaseSampledSearchCV
from skhpo.search._docs import documented


@documented
class SearchCV(BaseSampledSearchCV):
    """Search over hyper-parameters with any sampler, each candidate trained in full.

    Parameters
    ----------
    {space}
    sampler : {"tpe", "gp", "cmaes", "random", "sobol", "grid"} or Sampler, default="tpe"
        Where to look next. An object of :mod:`skhpo.samplers` brings options of its own; it is not
        changed.
    {common}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TPESearchCV : The same with a tree-structured Parzen estimator.
    BayesSearchCV : The same with a Gaussian process.
    CMAESSearchCV : The same with the covariance matrix adaptation evolution strategy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from skhpo import SearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": (1e-2, 1e2, "log-uniform"), "kernel": ["rbf", "linear"]}
    >>> search = SearchCV(SVC(), space, sampler="sobol", n_iter=8, random_state=0).fit(X, y)
    >>> len(search.cv_results_["params"])
    8
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSampledSearchCV._parameter_constraints,
        "sampler": [str, Sampler],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        sampler: str | Sampler = "tpe",
        n_iter: int | None = 50,
        timeout: float | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        initial_candidates: Any = None,
    ) -> None:
        self.sampler = sampler
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            timeout=timeout,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
            initial_candidates=initial_candidates,
        )

    def _make_sampler(self) -> Sampler:
        return make_sampler(self.sampler)
