"""What all searches share: scikit-learn's contract around the loop."""

from __future__ import annotations

import math
import os
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skhpo._devices import Devices
from skhpo._records import Evaluation
from skhpo._sklearn import (
    CallbackContexts,
    CrossValidationInputs,
    Interval,
    SearchCVParts,
    StrOptions,
    fit_context,
)
from skhpo._warnings import warn_user
from skhpo.evaluation import CrossValidation, Objective, keeping_generators
from skhpo.execution import (
    InitialCandidate,
    Never,
    ProgressLines,
    Proposals,
    Timeout,
    open_executor,
    run,
)
from skhpo.journal import MemoryJournal, open_journal
from skhpo.samplers import GridSampler, Sampler
from skhpo.search._identity import describe_search, search_fingerprint
from skhpo.search._plans import Plan
from skhpo.search._validation import check_initial_candidates, check_names, check_refit
from skhpo.space import Space, as_space

_ONLY_SOMETIMES_FITTED = (
    "best_index_",
    "best_params_",
    "best_score_",
    "best_estimator_",
    "refit_time_",
    "feature_names_in_",
    "journal_",
)


class BaseSampledSearchCV(SearchCVParts):
    """A cross-validated search that is a sampler, run by the one loop.

    Subclasses name their sampler in ``_make_sampler``; everything after ``fit`` is
    ``sklearn.model_selection.BaseSearchCV``'s.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SearchCVParts._parameter_constraints,
        "param_distributions": [dict, list, Space],
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
        "initial_candidates": [list, tuple, None],
        "trial_timeout": [Interval(Real, 0, None, closed="neither"), None],
        "storage": [str, os.PathLike, None],
        "devices": [StrOptions({"auto"}), list, tuple, dict, Devices, None],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
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
    ) -> None:
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.timeout = timeout
        self.random_state = random_state
        self.initial_candidates = initial_candidates
        self.trial_timeout = trial_timeout
        self.storage = storage
        self.devices = devices
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    @abstractmethod
    def _make_sampler(self) -> Sampler:
        """The sampler, built from this search's own parameters; bad ones are refused here."""

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search, and refit the best candidate on all of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; a precomputed kernel or distance matrix is square.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None for unsupervised learning.
        **params : dict of str to object
            Passed to the ``fit`` of the estimator, to the scorers and to the splitter, as by
            ``GridSearchCV``: arrays with one entry for each sample are split along, ``groups`` goes to
            the splitter.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter of the search, the space or the data is refused, all before the first model
            is trained; or if every fit failed.
        TypeError
            If the space or a parameter is of a wrong type.
        """
        inputs, refit_metric = self._prepare(X, y, params)
        with open_journal(self.storage) as journal:
            seed = self._draw_seed(journal)
            space = as_space(self.param_distributions, seed=seed)
            sampler = self._make_sampler()
            initial = self._initial_candidates(space)
            check_names(self.estimator, space)
            check_refit(self.refit, self.scoring)
            plan = self._plan(inputs, space, sampler, len(initial))
            if journal.path is not None:
                about = describe_search(self, inputs, space, plan)
                journal.identify(seed, search_fingerprint(self, inputs, plan, seed), about)
            contexts = CallbackContexts(self, inputs.X, inputs.y, params)
            sampler = plan.sampler.start(space, seed=seed, n_trials=plan.n_candidates, earlier=plan.earlier)
            evaluation = self._search(inputs, Proposals(sampler, initial), plan, contexts, journal, seed)

        n_splits = len(inputs.splits)
        jobs = journal.jobs()
        outcomes = [journal.outcome(job, fold) for job in jobs for fold in range(n_splits)]
        results = self._tabulate(
            [evaluation.params(journal.trials[job.trial], job) for job in jobs],
            n_splits,
            outcomes,
            plan.columns(journal),
        )
        multimetric = any(isinstance(o["test_scores"], dict) for o in outcomes if o is not None)
        fitted = self._best(results, plan.can_be_best(results), refit_metric, multimetric)
        if self.refit:
            fitted |= self._refit(inputs, fitted["best_params_"], contexts)
        fitted |= {
            "n_splits_": n_splits,
            "multimetric_": multimetric,
            "scorer_": self._unwrap(inputs.scorer),
            "cv_results_": results,
            **({} if journal.path is None else {"journal_": journal.path}),
            **plan.attributes(journal),
        }
        # All at once, at the end: a search that fails leaves nothing half-fitted behind, and nothing of
        # an earlier fit outlives this one.
        for name in _ONLY_SOMETIMES_FITTED:
            self.__dict__.pop(name, None)
        self.__dict__.update(fitted)
        contexts.end()
        return self

    @abstractmethod
    def _plan(self, inputs: CrossValidationInputs, space: Space, sampler: Sampler, n_initial: int) -> Plan:
        """How many candidates there will be, and how much is spent on whom."""

    def _initial_candidates(self, space: Space) -> list[InitialCandidate]:
        """The user's own candidates, as points of the space."""
        return check_initial_candidates(self.initial_candidates, space, self.n_iter)

    def _draw_seed(self, journal: MemoryJournal) -> int:
        """From ``random_state``; the journal's where that is no number, and would be another each time."""
        if journal.seed is not None and not isinstance(self.random_state, Integral):
            return journal.seed
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _search(
        self,
        inputs: CrossValidationInputs,
        proposals: Proposals,
        plan: Plan,
        contexts: CallbackContexts,
        journal: MemoryJournal,
        seed: int,
    ) -> CrossValidation:
        """Run the loop, after which the journal has all that happened; returns what the jobs meant."""
        n_splits = len(inputs.splits)
        n_fits = None if plan.n_jobs is None else plan.n_jobs * n_splits
        if self.verbose > 0:
            message = plan.describe(n_splits)
            if self.timeout is not None:
                message += f", until {self.timeout} seconds are over"
            print(message)
            if n_done := sum(isinstance(entry, Evaluation) for entry in journal.past):
                print(f"{n_done} fits are in {journal.path} and are not repeated")
        # Checkpoints outlive the workers, which may still be writing one when they are killed.
        devices = Devices.of(self.devices)
        with ExitStack() as stack, open_executor(self.n_jobs, self.trial_timeout, devices) as executor:
            # Threads share these, and put them back in whatever order they end.
            stack.enter_context(keeping_generators(inputs.estimator, list(proposals.choices())))
            if executor.in_process and executor.n_workers > 1:
                stack.enter_context(warnings.catch_warnings())
            n_left = None if n_fits is None else n_fits - sum(isinstance(e, Evaluation) for e in journal.past)
            contexts.begin_search(n_left, proposals.choices())
            evaluation = plan.evaluation(
                stack,
                executor,
                inputs=inputs,
                contexts=contexts,
                n_candidates=plan.n_candidates,
                return_train_score=self.return_train_score,
                error_score=self.error_score,
                verbose=self.verbose,
                seed=seed,
                tensors=devices.tensors,
            )
            run(
                scheduler=plan.scheduler,
                proposals=proposals,
                evaluation=evaluation,
                objective=Objective(
                    metric=self.refit if isinstance(self.refit, str) else None,
                    check_names=self._check_refit_for_multimetric,
                ),
                executor=executor,
                stop=Never() if self.timeout is None else Timeout(self.timeout),
                journal=journal,
                watch=ProgressLines(n_fits, lambda: executor.n_workers, self.timeout)
                if self.verbose > 0
                else None,
                race=plan.race(n_splits),
            )
        contexts.end_search()
        if self.verbose > 0 and len(journal.trials) != plan.n_candidates:
            print(f"Ended with {len(journal.trials)} candidates")
        return evaluation

    def _best(
        self,
        results: dict[str, Any],
        can_be_best: np.ndarray,
        refit_metric: str | Callable[..., int],
        multimetric: bool,
    ) -> dict[str, Any]:
        """The fitted attributes that tell the best candidate, of the rows that can be it."""
        rows = np.flatnonzero(can_be_best)
        eligible = {
            name: [column[i] for i in rows] if isinstance(column, list) else column[rows]
            for name, column in results.items()
        }
        best = self._select(eligible, refit_metric, multimetric)
        if best:
            best["best_index_"] = int(rows[best["best_index_"]])
        return best

    def _count_candidates(self, space: Space, sampler: Sampler, n_initial: int) -> int | None:
        """How many candidates there will be at most; None if only the clock knows."""
        available = self._available(space, sampler, n_initial)
        if self.n_iter is None:
            if available < math.inf:
                return int(available)
            if self.timeout is None:
                raise ValueError(
                    "n_iter=None needs a finite space or a timeout: this search would never end."
                )
            return None
        message = None
        if isinstance(sampler, GridSampler):
            n_points = sampler.count_points(space)
            if n_points > self.n_iter:
                message = (
                    f"The grid has {n_points} points, of which n_iter={self.n_iter} evaluates a random "
                    "sample. For all of them, pass n_iter=None."
                )
        elif available < self.n_iter:
            message = (
                f"The total space of parameters {available} is smaller than n_iter={self.n_iter}. "
                f"Running {available} iterations. n_iter=None evaluates all points without a warning."
            )
        if message is not None:
            warn_user(message)
        return int(min(available, self.n_iter))

    def _available(self, space: Space, sampler: Sampler, n_initial: int) -> float:
        """How many different candidates there are."""
        # The user's own candidates need not be among those that a grid would propose.
        return min(space.size, sampler.count_points(space) + n_initial)

    def _refit(
        self, inputs: CrossValidationInputs, params: dict[str, Any], contexts: CallbackContexts
    ) -> dict[str, Any]:
        """The fitted attributes of the best candidate, trained afresh on all data."""
        # The parameters are cloned too: they may be estimators, which fitting would change.
        estimator = clone(inputs.estimator).set_params(**clone(params, safe=False))
        target = () if inputs.y is None else (inputs.y,)
        start = time.time()
        contexts.refit(estimator, lambda: estimator.fit(inputs.X, *target, **inputs.fit_params))
        fitted = {"best_estimator_": estimator, "refit_time_": time.time() - start}
        if hasattr(estimator, "feature_names_in_"):
            fitted["feature_names_in_"] = estimator.feature_names_in_
        return fitted
