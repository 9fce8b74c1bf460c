"""Searches that train every candidate in full: the general one, and a preset for each sampler."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np

from skhpo._sklearn import CrossValidationInputs, Interval, StrOptions
from skhpo.samplers import CMAESSampler, Earlier, GPSampler, GridSampler, Sampler, TPESampler, make_sampler
from skhpo.schedulers import EveryoneInFull
from skhpo.search._base import BaseSampledSearchCV
from skhpo.search._docs import documented
from skhpo.search._plans import FullPlan
from skhpo.search._warm_start import earlier_results
from skhpo.space import Space


class BaseFullSearchCV(BaseSampledSearchCV):
    """A search that trains every candidate in full."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSampledSearchCV._parameter_constraints,
        "fold_racing": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        fold_racing: bool = False,
        warm_start_from: Any = None,
        **common: Any,
    ) -> None:
        self.fold_racing = fold_racing
        self.warm_start_from = warm_start_from
        super().__init__(estimator, param_distributions, **common)

    def _plan(
        self, inputs: CrossValidationInputs, space: Space, sampler: Sampler, n_initial: int
    ) -> FullPlan:
        n = self._count_candidates(space, sampler, n_initial)
        earlier = self._earlier(space, sampler)
        if n == space.size and self.timeout is None and not self._has_own_sampler():
            # All points are evaluated in any case, so nothing is left to choose but the order: that
            # of GridSearchCV.
            sampler = GridSampler(resolution=int(space.size))
        return FullPlan(sampler, EveryoneInFull(n), n, n, earlier=earlier, races=self.fold_racing)

    def _earlier(self, space: Space, sampler: Sampler) -> Earlier | None:
        """What the sampler starts from, if anything."""
        if self.warm_start_from is None:
            return None
        if not sampler.warm_starts:
            raise ValueError(
                f"warm_start_from was given, of which a {type(sampler).__name__} makes no use; "
                "samplers that do are 'auto', 'gp', 'tpe' and 'cmaes'."
            )
        return earlier_results(
            self.warm_start_from, space, self.refit if isinstance(self.refit, str) else None
        )

    def _has_own_sampler(self) -> bool:
        """Whether the user handed in a sampler, to be used whatever the space."""
        return False


@documented
class SearchCV(BaseFullSearchCV):
    """Search over hyper-parameters with any sampler, each candidate trained in full.

    Parameters
    ----------
    {space}
    sampler : {"auto", "gp", "tpe", "cmaes", "random", "sobol", "grid"} or Sampler, default="auto"
        Where to look next. "auto" begins with a Gaussian process and after 100 candidates hands over to
        CMA-ES; where parameters depend on others, or half of them are categorical, the Gaussian process and
        a tree-structured Parzen estimator take turns, and the latter has it alone after 100. "grid" takes
        lists in full and the middles of ten slices of a range; with ``n_iter=None`` it evaluates all of the
        grid, else a random sample of it. An object of :mod:`skhpo.samplers` brings options of its own; it
        is not changed.
    {n_iter}
    {timeout}
    {common}
    {racing}
    {warm_start}

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
        **BaseFullSearchCV._parameter_constraints,
        "sampler": [str, Sampler],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        sampler: str | Sampler = "auto",
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
        trial_timeout: float | None = None,
        storage: Any = None,
        devices: Any = None,
        fold_racing: bool = False,
        warm_start_from: Any = None,
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
            trial_timeout=trial_timeout,
            storage=storage,
            devices=devices,
            fold_racing=fold_racing,
            warm_start_from=warm_start_from,
        )

    def _make_sampler(self) -> Sampler:
        return make_sampler(self.sampler)

    def _has_own_sampler(self) -> bool:
        return isinstance(self.sampler, Sampler)


@documented
class TPESearchCV(BaseFullSearchCV):
    """Search with a tree-structured Parzen estimator.

    Models the good candidates and the others by two densities over all parameters together and proposes
    where their ratio is largest. The choice for conditional and categorical spaces, for many
    candidates, and when in doubt.

    Parameters
    ----------
    {space}
    n_startup : int, default=10
        Number of candidates of the initial design, a scrambled Sobol sequence, before the model
        takes over.
    {n_iter}
    {timeout}
    {common}
    {racing}
    {warm_start}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    BayesSearchCV : For few candidates and smooth objectives.
    CMAESSearchCV : For many candidates over numbers.

    References
    ----------
    .. [1] S. Watanabe, "Tree-structured Parzen estimator: understanding its algorithm components and
       their roles for better empirical performance", arXiv:2304.11127, 2023.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from skhpo import TPESearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1e1)}
    >>> search = TPESearchCV(SVC(), space, n_iter=20, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.97)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFullSearchCV._parameter_constraints,
        "n_startup": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_startup: int = 10,
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
        trial_timeout: float | None = None,
        storage: Any = None,
        devices: Any = None,
        fold_racing: bool = False,
        warm_start_from: Any = None,
    ) -> None:
        self.n_startup = n_startup
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
            trial_timeout=trial_timeout,
            storage=storage,
            devices=devices,
            fold_racing=fold_racing,
            warm_start_from=warm_start_from,
        )

    def _make_sampler(self) -> Sampler:
        return TPESampler(n_startup=self.n_startup)


@documented
class BayesSearchCV(BaseFullSearchCV):
    """Bayesian optimisation with a Gaussian process.

    Fits a Gaussian process to the scores and proposes where an acquisition function is largest. Makes
    the most of few candidates, 20 to 100, that are expensive beside its own work of some ten
    milliseconds each.

    Parameters
    ----------
    {space}
    acquisition : {"log_ei", "ei", "pi", "ucb"}, default="log_ei"
        What makes a candidate worth trying: the logarithm of the expected improvement, which is
        as good as and safer numerically than the expected improvement itself; the probability of an
        improvement; or the upper confidence bound of the score.
    n_startup : int, default=10
        Number of candidates of the initial design, a scrambled Sobol sequence, before the model
        takes over.
    {n_iter}
    {timeout}
    {common}
    {racing}
    {warm_start}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TPESearchCV : For conditional spaces and many candidates.
    CMAESSearchCV : For many candidates over numbers.

    References
    ----------
    .. [1] J. Snoek, H. Larochelle, R. P. Adams, "Practical Bayesian optimization of machine learning
       algorithms", NeurIPS 2012.
    .. [2] S. Ament et al., "Unexpected improvements to expected improvement for Bayesian
       optimization", NeurIPS 2023.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from skhpo import BayesSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1e1)}
    >>> search = BayesSearchCV(SVC(), space, n_iter=15, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.97)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFullSearchCV._parameter_constraints,
        "acquisition": [StrOptions({"log_ei", "ei", "pi", "ucb"})],
        "n_startup": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        acquisition: Literal["log_ei", "ei", "pi", "ucb"] = "log_ei",
        n_startup: int = 10,
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
        trial_timeout: float | None = None,
        storage: Any = None,
        devices: Any = None,
        fold_racing: bool = False,
        warm_start_from: Any = None,
    ) -> None:
        self.acquisition = acquisition
        self.n_startup = n_startup
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
            trial_timeout=trial_timeout,
            storage=storage,
            devices=devices,
            fold_racing=fold_racing,
            warm_start_from=warm_start_from,
        )

    def _make_sampler(self) -> Sampler:
        return GPSampler(acquisition=self.acquisition, n_startup=self.n_startup)


@documented
class CMAESSearchCV(BaseFullSearchCV):
    """Search with the covariance matrix adaptation evolution strategy.

    Samples generations of candidates from a normal distribution whose mean, width and shape follow the
    better half of each. For 100 candidates and more over real and integer parameters; its own
    work is a fraction of a millisecond for each.

    Parameters
    ----------
    {space}
    restarts : {"ipop", "bipop"} or None, default="ipop"
        What to do when the distribution has converged: start again with twice the population, alternate
        large populations with small ones, or go on as it is.
    {n_iter}
    {timeout}
    {common}
    {racing}
    {warm_start}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TPESearchCV : For conditional and categorical spaces.
    BayesSearchCV : For few candidates and smooth objectives.

    References
    ----------
    .. [1] N. Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, 2016.
    .. [2] A. Auger, N. Hansen, "A restart CMA evolution strategy with increasing population size",
       CEC 2005.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from skhpo import CMAESSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1e1)}
    >>> search = CMAESSearchCV(SVC(), space, n_iter=30, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.97)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFullSearchCV._parameter_constraints,
        "restarts": [StrOptions({"ipop", "bipop"}), None],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        restarts: Literal["ipop", "bipop"] | None = "ipop",
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
        trial_timeout: float | None = None,
        storage: Any = None,
        devices: Any = None,
        fold_racing: bool = False,
        warm_start_from: Any = None,
    ) -> None:
        self.restarts = restarts
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
            trial_timeout=trial_timeout,
            storage=storage,
            devices=devices,
            fold_racing=fold_racing,
            warm_start_from=warm_start_from,
        )

    def _make_sampler(self) -> Sampler:
        return CMAESSampler(restarts=self.restarts)
