"""Searches that spend little on most candidates and all on a few."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone, is_classifier

from skhpo._sklearn import CrossValidationInputs, Interval, StrOptions
from skhpo._warnings import warn_user
from skhpo.evaluation import N_SAMPLES, ResourcePlan, adapter_for, plan_resources
from skhpo.execution import InitialCandidate
from skhpo.samplers import Sampler, make_sampler
from skhpo.schedulers import ASHA, Hyperband, Scheduler, hyperband_brackets, resource_ladder
from skhpo.search._base import BaseSampledSearchCV
from skhpo.search._docs import documented
from skhpo.search._plans import BudgetPlan
from skhpo.search._validation import check_initial_candidates, representatives
from skhpo.space import Space


class BaseBudgetSearchCV(BaseSampledSearchCV):
    """A search that trains candidates a part of the way, and the better ones on from there."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSampledSearchCV._parameter_constraints,
        "resource": [str],
        "min_resources": [Interval(Integral, 1, None, closed="left"), StrOptions({"smallest"})],
        "max_resources": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "factor": [Interval(Real, 1, None, closed="neither")],
        "sampler": [str, Sampler],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int | None = None,
        timeout: float | None = None,
        resource: str = "auto",
        min_resources: int | str = "smallest",
        max_resources: int | str = "auto",
        factor: float = 3,
        brackets: int | str = "all",
        sampler: str | Sampler = "random",
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
    ) -> None:
        self.resource = resource
        self.min_resources = min_resources
        self.max_resources = max_resources
        self.factor = factor
        self.brackets = brackets
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
        )

    @abstractmethod
    def _schedule(
        self, ladder: tuple[int, ...], space: Space, sampler: Sampler, n_initial: int
    ) -> tuple[Scheduler, int | None, int | None, int]:
        """Scheduler, candidates and jobs at most, and the lowest level of the ladder that is used."""

    def _make_sampler(self) -> Sampler:
        return make_sampler(self.sampler)

    def _plan(
        self, inputs: CrossValidationInputs, space: Space, sampler: Sampler, n_initial: int
    ) -> BudgetPlan:
        resources = self._plan_resources(inputs, space)
        least = self._least_resources(inputs, space, resources)
        ladder = resource_ladder(least, resources.max_resources, self.factor)
        if len(ladder) == 1:
            warn_user(
                f"From min_resources={least} to max_resources={ladder[0]} there is no step of factor="
                f"{self.factor}: no candidate is stopped early, each is trained to {ladder[0]} "
                f"{resources.unit_in_words}."
            )
        scheduler, n_candidates, n_jobs, first = self._schedule(ladder, space, sampler, n_initial)
        return BudgetPlan(sampler, scheduler, n_candidates, n_jobs, resources, ladder, first)

    def _plan_resources(self, inputs: CrossValidationInputs, space: Space) -> ResourcePlan:
        """The scale of the resource, known to be one that every candidate has and none searches."""
        models = list(self._models(space))
        for params, model in zip(representatives(space), models, strict=True):
            name = self.resource
            if name not in params and (adapter := adapter_for(model, name)) is not None:
                name = adapter.resource
            if name in params:
                raise ValueError(
                    f"Cannot use parameter {name} as the resource since it is part of the searched "
                    f"parameters. Take it out of param_distributions, or pass resource={N_SAMPLES!r}."
                )
        return plan_resources(models, self.resource, self.max_resources, inputs.n_samples)

    def _least_resources(self, inputs: CrossValidationInputs, space: Space, resources: ResourcePlan) -> int:
        """``min_resources`` as a number."""
        most = resources.max_resources
        if isinstance(self.min_resources, str):
            if not any(resources.length(model).adapter is None for model in self._models(space)):
                return 1
            # Enough samples for each class to be in each fold twice, as scikit-learn has it.
            enough = 2 * len(inputs.splits)
            if is_classifier(self.estimator):
                enough *= len(np.unique(inputs.y))
            full = inputs.n_samples if resources.unit is None else most
            return min(most, -(-enough * most // full))
        if self.min_resources > most:
            raise ValueError(f"min_resources={self.min_resources} is greater than max_resources={most}.")
        return int(self.min_resources)

    def _n_brackets(self, ladder: tuple[int, ...]) -> int:
        """``brackets`` as a number."""
        if isinstance(self.brackets, str):
            return len(ladder)
        if self.brackets > len(ladder):
            raise ValueError(
                f"brackets={self.brackets} is more than the rungs that there are, {len(ladder)} with "
                f"resources {list(ladder)}. Pass a smaller min_resources or factor, or fewer brackets."
            )
        return int(self.brackets)

    def _initial_candidates(self, space: Space) -> list[InitialCandidate]:
        """Without their lengths, which ``best_params_`` of an earlier search has and the budget sets."""
        if not self.initial_candidates:
            return super()._initial_candidates(space)
        searched = {column.name for column in space.columns}
        adapters = (adapter_for(model, self.resource) for model in self._models(space))
        lengths = {adapter.resource for adapter in adapters if adapter is not None} - searched
        return check_initial_candidates(self.initial_candidates, space, self.n_iter, passed_over=lengths)

    def _models(self, space: Space) -> Iterator[Any]:
        """An estimator for each kind of candidate, with its parameters set."""
        for params in representatives(space):
            yield clone(self.estimator).set_params(**clone(params, safe=False))


@documented
class HyperbandSearchCV(BaseBudgetSearchCV):
    """Search that gives small budgets to many candidates, and larger ones to the better of them.

    Candidates are trained for a few trees, rounds, epochs or samples; the best ``1 / factor`` of them is
    trained *on* to ``factor`` times as many, and so on up to ``max_resources``. How few is too few cannot be
    known, so that several such brackets are run: the first starts from the smallest resource with the most
    candidates, the last trains a few in full [1]_.

    Parameters
    ----------
    {space}
    n_iter : int or None, default=None
        Number of candidates in all, ``initial_candidates`` included. None is one pass over the brackets,
        143 candidates for ``max_resources=81`` and ``factor=3``, of which 10 are trained in full. More make
        further passes, fewer a smaller one; a smaller one with ``brackets=1`` compares more of them early.
    {budget_timeout}
    {budget}
    brackets : "all" or int, default="all"
        Number of brackets, the most exploratory first. 1 is successive halving.
    {sampler}
    {common}

    Attributes
    ----------
    {attributes}
    {budget_attributes}

    See Also
    --------
    ASHASearchCV : Promotes without waiting for the others of a rung.

    Notes
    -----
    Models are trained on, fold by fold, where that gives what training at once would have given: forests
    and boosting of scikit-learn, XGBoost, LightGBM, neural networks, linear models trained by stochastic
    gradient descent, skorch, also in a pipeline; everything else is trained again from the beginning at
    each rung. See :func:`skhpo.evaluation.register_adapter` for other libraries.

    A promotion is made as soon as it is certain, whatever is still running, and a worker that finds none
    begins the next bracket. The numbers of candidates are those of the formula in Algorithm 1 of [1]_, 81,
    34, 15, 8 and 5 for 81 and 3, and not those printed in its Table 1.

    References
    ----------
    .. [1] L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, "Hyperband: a novel bandit-based
       approach to hyperparameter optimization", JMLR 18, 2018, arXiv:1603.06560.
    .. [2] S. Falkner, A. Klein and F. Hutter, "BOHB: robust and efficient hyperparameter optimization at
       scale", ICML 2018, arXiv:1807.01774.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from skhpo import HyperbandSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> space = {"learning_rate": (0.01, 1.0, "log-uniform"), "max_leaf_nodes": (2, 32)}
    >>> search = HyperbandSearchCV(
    ...     HistGradientBoostingClassifier(random_state=0), space, max_resources=9, cv=3, random_state=0
    ... ).fit(X, y)
    >>> search.n_resources_
    [1, 3, 9]
    >>> search.best_params_["max_iter"]
    9
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseBudgetSearchCV._parameter_constraints,
        "brackets": [Interval(Integral, 1, None, closed="left"), StrOptions({"all"})],
    }

    def _schedule(
        self, ladder: tuple[int, ...], space: Space, sampler: Sampler, n_initial: int
    ) -> tuple[Scheduler, int | None, int | None, int]:
        n_brackets = self._n_brackets(ladder)
        brackets = hyperband_brackets(ladder, self.factor, n_brackets)
        if self.n_iter is not None:
            n_candidates = self._count_candidates(space, sampler, n_initial)
        else:
            one_pass = max(n_initial, sum(bracket[0].n_trials for bracket in brackets))
            n_candidates = int(min(one_pass, self._available(space, sampler, n_initial)))
        brackets = hyperband_brackets(ladder, self.factor, n_brackets, n_candidates)
        n_jobs = sum(rung.n_trials for bracket in brackets for rung in bracket)
        first = min(bracket[0].level for bracket in brackets)
        return Hyperband(brackets), n_candidates, n_jobs, first


@documented
class ASHASearchCV(BaseBudgetSearchCV):
    """Search by asynchronous successive halving: a free worker promotes whoever is good enough by now.

    Candidates are trained for a few trees, rounds, epochs or samples. Whenever a worker is free it trains a
    candidate on that is among the best ``1 / factor`` of those that came as far, in the highest rung that
    has one, else it begins a new candidate [1]_. Nobody waits, and a search can be of any length.

    Parameters
    ----------
    {space}
    n_iter : int or None, default=50
        Number of candidates in all, ``initial_candidates`` included. None goes on until ``timeout``, or until
        a finite space has no more; without an end in sight every candidate may still be promoted, and its
        model is kept.
    {budget_timeout}
    {budget}
    brackets : int, default=1
        Number of brackets that are run side by side; each starts from ``factor`` times the resource of the
        one before, with a part of the candidates as in Hyperband.
    {sampler}
    {common}

    Attributes
    ----------
    {attributes}
    {budget_attributes}

    See Also
    --------
    HyperbandSearchCV : Compares all candidates of a rung before it promotes any that is in doubt.

    Notes
    -----
    Models are trained on as :class:`HyperbandSearchCV` has it. At the end everybody is promoted who is
    among the best ``1 / factor``; and where none has come to ``max_resources``, the best is brought there.

    References
    ----------
    .. [1] L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, M. Hardt, B. Recht and A. Talwalkar, "A system for
       massively parallel hyperparameter tuning", MLSys 2020, arXiv:1810.05934.
    .. [2] S. Falkner, A. Klein and F. Hutter, "BOHB: robust and efficient hyperparameter optimization at
       scale", ICML 2018, arXiv:1807.01774.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skhpo import ASHASearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> space = {"max_features": (0.1, 1.0), "min_samples_leaf": (1, 20)}
    >>> search = ASHASearchCV(
    ...     RandomForestClassifier(random_state=0), space, n_iter=9, max_resources=9, cv=3, random_state=0
    ... ).fit(X, y)
    >>> search.n_candidates_[0]
    9
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseBudgetSearchCV._parameter_constraints,
        "brackets": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int | None = 50,
        timeout: float | None = None,
        resource: str = "auto",
        min_resources: int | str = "smallest",
        max_resources: int | str = "auto",
        factor: float = 3,
        brackets: int = 1,
        sampler: str | Sampler = "random",
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
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            timeout=timeout,
            resource=resource,
            min_resources=min_resources,
            max_resources=max_resources,
            factor=factor,
            brackets=brackets,
            sampler=sampler,
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
        )

    def _schedule(
        self, ladder: tuple[int, ...], space: Space, sampler: Sampler, n_initial: int
    ) -> tuple[Scheduler, int | None, int | None, int]:
        n_candidates = self._count_candidates(space, sampler, n_initial)
        n_jobs = None if n_candidates is None else n_candidates * len(ladder)
        scheduler = ASHA(ladder, self.factor, n_candidates, self._n_brackets(ladder))
        return scheduler, n_candidates, n_jobs, 0
