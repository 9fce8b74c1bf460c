"""The parts of the searches' docstrings that are the same in all of them."""

from __future__ import annotations

import inspect
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

N_ITER_PARAMETER = """
    n_iter : int or None, default=50
        Number of candidates in all, ``initial_candidates`` included. None evaluates every point of a
        finite space, or goes on until ``timeout``. Where all points of a finite space are evaluated
        and there is no ``timeout``, they are in the order of ``GridSearchCV``.
""".strip("\n")

TIMEOUT_PARAMETER = """
    timeout : float, default=None
        Seconds after which no further candidate is begun; those that began are finished, and at least
        one is. Whichever of ``n_iter`` and ``timeout`` ends first ends the search. Starting the worker
        processes, which joblib does once and takes seconds, counts in.
""".strip("\n")

BUDGET_TIMEOUT_PARAMETER = """
    timeout : float, default=None
        Seconds after which nothing further is begun; what runs is finished, and where no candidate
        has been trained in full yet, the best one is.
""".strip("\n")

BUDGET_PARAMETERS = """
    resource : str, default="auto"
        What the budget is spent on. "auto" is the training length of each candidate's model: trees,
        boosting rounds or epochs, as ``n_estimators``, ``max_iter`` or ``max_epochs`` count them, also of
        the last step of a pipeline or under a wrapper that fits one clone on all of the data; and the number
        of samples for a model that cannot be trained on, such as AdaBoost, or that holds several, such as
        ``CalibratedClassifierCV`` and stacking. ``resource_`` tells which it was. "n_samples" is the number
        of samples for all, in nested subsamples of each training fold, stratified for classifiers. Any other
        name is an integer parameter of the estimator.
    min_resources : int or "smallest", default="smallest"
        The smallest rung has this or more: the largest always has ``max_resources``, and ``factor`` says
        what is between. "smallest" is 1, and of samples two for each fold (and class).
    max_resources : int or "auto", default="auto"
        Resource of the full training. "auto" is what the estimator says itself (``n_estimators=300``), or
        all samples. Where candidates have lengths of different names, or with "auto" of different sizes (a
        choice of models), each is trained to its own full length, and this is the number of units that
        every length is divided into, by default the shortest of them.
    factor : float, default=3
        One of so many goes on, with so many times the resource. Greater than 1.
""".strip("\n")

SAMPLER_PARAMETER = """
    sampler : {"random", "sobol", "auto", "tpe", "gp", "cmaes", "grid"} or Sampler, default="random"
        Where new candidates come from. "tpe" makes it BOHB [2]_: a third of the candidates is random, the
        others come from a model of the largest resource that has enough of them. "gp" has the resource as
        one more input of its model. "auto" lets the two take turns for 100 results, and then leaves it to
        "tpe".
""".strip("\n")

COMMON_PARAMETERS = """
    scoring : str, callable, list, tuple or dict, default=None
        As for ``GridSearchCV``. With several metrics the search optimises the one that ``refit``
        names, else the first.
    n_jobs : int, default=None
        Number of tasks (a candidate on a fold) that run at once, on the active joblib backend. A free
        worker gets its next task at once.
    refit : bool, str or callable, default=True
        As for ``GridSearchCV``: whether to fit the best candidate on all of the data, by which metric, or
        how to choose it from ``cv_results_``; a callable is given the rows of candidates that were
        evaluated in full, and returns one's number among them.
    cv : int, cross-validation generator or iterable, default=None
        As for ``GridSearchCV``. The splits are made once, so that an unseeded shuffle, too, puts all
        candidates on the same folds.
    verbose : int, default=0
        From 1 on, lines of progress: fits done, best score, workers busy, time gone and time left. From 2 on,
        also a line for each fit, as ``GridSearchCV`` has it.
    pre_dispatch : int or str, default="2*n_jobs"
        Accepted so that programs written for ``GridSearchCV`` run. Never are more tasks handed out
        than there are workers, as a candidate that waits was chosen without the results of others.
    random_state : int, RandomState instance or None, default=None
        Seed of the search. With an int and ``n_jobs=1`` two searches are the same bit for bit. With anything
        else a search that goes on from its ``storage`` has the seed that stands there.
    error_score : "raise" or float, default=np.nan
        Score of a fold whose fit or scorer fails. The sampler takes such a candidate for a failure, to
        stay away from, whatever number stands here.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has training scores.
    initial_candidates : list of dict, default=None
        Candidates to evaluate first. A dict may leave parameters out; the sampler completes it. What
        comes out the same as an earlier candidate is not evaluated twice. A length that a budget sets, as
        ``best_params_`` of a budgeted search has it, is passed over.
    trial_timeout : float, default=None
        Seconds that one task, a fit with its scores, may take. What takes longer is ended, with its worker,
        and has failed. On backends of processes (loky, multiprocessing, Ray, Dask with nannies); threads
        cannot be ended, and a warning says so.
    storage : str or path-like, default=None
        File of a journal (SQLite), in which every finished task is written down before anything follows
        from it. When a search was ended, by whatever it was, ``fit`` with the same arguments and data goes
        on from there and repeats no task; with ``n_jobs=1`` it ends exactly as if nothing had happened. A
        journal of another search is refused. ``n_jobs``, ``verbose``, ``timeout``, ``trial_timeout``,
        ``devices`` and ``refit`` may change. :func:`skhpo.journal.read` gives its contents, ``python -m
        skhpo.journal`` its state.
    devices : "auto", list, dict or Devices, default=None
        Which devices nets of skorch are trained on, and how many tasks at a time: ``["cuda:0", "cuda:1"]``
        takes one on each, ``{"cuda:0": 4}`` four on one, "auto" one on each GPU of this machine and
        leaves nets where they are if there is none, as None does. ``n_jobs`` says how many tasks run in
        all. A candidate that finds the memory full runs once more alone. ``best_estimator_`` is fitted on
        the estimator's own device. :class:`skhpo.torch.Devices` has more options.
""".strip("\n")

RACING_PARAMETER = """
    fold_racing : bool, default=False
        Whether a candidate is given up that, after some of its folds, is unlikely to come out better than the
        best so far on the same folds [*]_. Its mean is NaN, so that it cannot become best, and the columns
        ``dropped`` and ``n_splits_evaluated`` of ``cv_results_`` tell of it; the sampler learns what
        it would probably have come to. Folds of a candidate are then done one after the other, each candidate
        beginning with another one, and as many candidates at a time as there are workers.

        .. [*] By a paired test with the correction for a finite number of folds; with several metrics by the
           one that is optimised. See E. Bergman et al., "Don't Waste Your Time: Early Stopping
           Cross-Validation", AutoML 2024.
""".strip("\n")

WARM_START_PARAMETER = """
    warm_start_from : dict, search or list of (dict, float), default=None
        Results of an earlier search, which this one starts from in place of an initial design: the
        ``cv_results_`` of a search of this package or of scikit-learn, such a search itself, or parameters
        with their scores, greater is better. Data, metric and folds may have been others: only what the
        scores say about each other counts, and what this search finds comes to outweigh it. Parameters
        that the space does not have are passed over; candidates outside of it are left out, with a
        warning. The earlier candidates are not part of ``cv_results_`` and ``n_iter``. A clone of a search
        has forgotten its results: where this search is cloned, as by ``cross_val_score``, it is
        ``cv_results_`` that has to be passed.
""".strip("\n")

SPACE_PARAMETER = """
    estimator : estimator
        Object with scikit-learn's interface; only clones of it are fitted.
    param_distributions : dict or list of dicts
        Names of parameters to lists of values, scipy distributions, tuples ``(low, high)`` and ``(low,
        high, "log-uniform")``, or dimensions of :mod:`skhpo.space`. A list of dicts, or a
        :class:`~skhpo.space.Choice`, makes parameters depend on others; one model sees them all.
""".strip("\n")

ATTRIBUTES = """
    cv_results_ : dict of str to array
        As ``RandomizedSearchCV``'s, in the order in which candidates were asked.
    best_estimator_ : estimator
        Fitted on all of the data; only if ``refit`` is not False.
    best_params_ : dict
    best_score_ : float
        Mean test score of the best candidate; not if ``refit`` is callable.
    best_index_ : int
        Its row in ``cv_results_``.
    scorer_ : callable or dict
    n_splits_ : int
    refit_time_ : float
        Seconds; only if ``refit`` is not False.
    multimetric_ : bool
    classes_ : ndarray of shape (n_classes,)
        Of a classifier that was refitted.
    n_features_in_ : int
        Of the refitted estimator, if it has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Of the refitted estimator, if it has it.
    journal_ : str
        Path of the journal; only if there is a ``storage``.
""".strip("\n")


BUDGET_ATTRIBUTES = """
    n_resources_ : list of int
        Resource of each rung, ascending. The rows of ``cv_results_`` are candidates in a rung, with the
        further columns ``candidate`` (its number), ``iter`` (the rung), ``n_resources``, ``bracket`` and
        ``total_fit_time``, the seconds that all folds of the candidate took up to this rung.
        ``best_index_`` is a row of the largest resource; a callable ``refit`` is given those rows only.
    resource_ : list of str
        What was counted: the name of the parameter that sets a model's length, or "n_samples"; several
        where candidates have lengths of different names.
    n_candidates_ : list of int
        Candidates that were evaluated in each rung, over all brackets.
    n_iterations_ : int
        Number of rungs.
    n_possible_iterations_ : int
        Number of rungs that ``min_resources``, ``max_resources`` and ``factor`` allow.
    min_resources_ : int
        Resource of the lowest rung.
    max_resources_ : int
        Resource of the full training.
""".strip("\n")


def documented(cls: _Class) -> _Class:
    """Put the common parts into a class docstring, in place of their names in braces."""
    text = inspect.cleandoc(cls.__doc__ or "")
    for name, part in (
        ("{space}", SPACE_PARAMETER),
        ("{n_iter}", N_ITER_PARAMETER),
        ("{timeout}", TIMEOUT_PARAMETER),
        ("{budget_timeout}", BUDGET_TIMEOUT_PARAMETER),
        ("{budget}", BUDGET_PARAMETERS),
        ("{sampler}", SAMPLER_PARAMETER),
        ("{budget_attributes}", BUDGET_ATTRIBUTES),
        ("{common}", COMMON_PARAMETERS),
        ("{racing}", RACING_PARAMETER),
        ("{warm_start}", WARM_START_PARAMETER),
        ("{attributes}", ATTRIBUTES),
    ):
        text = text.replace(name, inspect.cleandoc(part))
    cls.__doc__ = text
    return cls
