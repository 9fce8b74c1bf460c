"""Tasks of a budgeted search, one by one."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import FixedThresholdClassifier, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo._records import Job, Trial
from skhpo._sklearn import CallbackContexts, CrossValidationInputs
from skhpo.evaluation import BudgetedCrossValidation, plan_resources
from skhpo.evaluation._checkpoints import MemoryCheckpoints
from skhpo.search import HyperbandSearchCV

X, Y = make_classification(60, random_state=0)


def accuracy(model, X, y):
    return model.score(X, y)


def evaluation(estimator, resource="auto", max_resources="auto"):
    splits = tuple(StratifiedKFold(3).split(X, Y))
    return BudgetedCrossValidation(
        inputs=CrossValidationInputs(estimator, X, Y, splits, accuracy, {}, {}),
        contexts=CallbackContexts(HyperbandSearchCV(estimator, {}), X, Y, {}),
        n_candidates=None,
        return_train_score=False,
        error_score="raise",
        verbose=0,
        plan=plan_resources([estimator], resource, max_resources, len(X)),
        checkpoints=MemoryCheckpoints(),
        seed=0,
        tensors=True,
    )


def do(tasks, trial, job, fold=0):
    function, args, options = tasks.call(trial, job, fold, 0)
    return function(*args, **options)


def trial(number=0, **params):
    return Trial(number, (0.5,), params)


def test_a_promoted_trial_goes_on_from_its_checkpoint_and_leaves_none_at_the_top():
    tasks = evaluation(RandomForestClassifier(n_estimators=9, random_state=0))
    first = trial(max_depth=3)
    do(tasks, first, Job(0, 3))
    kept = tasks.checkpoints.load(0, 0).model
    trees = list(kept.estimators_)
    assert len(trees) == 3
    outcome = do(tasks, first, Job(0, 9))
    assert outcome["fit_error"] is None
    # The model went on in place: the trees are the same objects. Nothing follows the top.
    assert kept.estimators_[:3] == trees and len(kept.estimators_) == 9
    assert tasks.checkpoints.load(0, 0) is None


def test_a_trial_is_forgotten():
    tasks = evaluation(RandomForestClassifier(n_estimators=9, random_state=0))
    do(tasks, trial(max_depth=3), Job(0, 3))
    assert tasks.checkpoints.load(0, 0) is not None
    tasks.forget(0)
    assert tasks.checkpoints.load(0, 0) is None


def test_a_model_that_failed_on_its_way_is_none_to_go_on_from():
    """It is trained on in place; a task that is done again, as for want of memory, begins anew."""
    tasks = evaluation(RandomForestClassifier(n_estimators=9, random_state=0))
    do(tasks, trial(max_depth=3), Job(0, 3))
    tasks.checkpoints.load(0, 0).model.estimators_ *= 20
    with pytest.raises(ValueError, match="n_estimators=9 must be larger"):
        do(tasks, trial(max_depth=3), Job(0, 9))
    assert tasks.checkpoints.load(0, 0) is None
    assert do(tasks, trial(max_depth=3), Job(0, 9))["fit_error"] is None


def test_folds_and_trials_have_checkpoints_and_seeds_of_their_own():
    tasks = evaluation(RandomForestClassifier(n_estimators=9))
    seeds = set()
    for number in (0, 1):
        for fold in (0, 1, 2):
            options = tasks.call(trial(number, max_depth=3), Job(number, 3), fold, 0)[2]
            seeds.add(options["training"].seed)
            do(tasks, trial(number, max_depth=3), Job(number, 3), fold)
    assert len(seeds) == 6
    models = [tasks.checkpoints.load(number, fold).model for number in (0, 1) for fold in (0, 1, 2)]
    assert len({id(model) for model in models}) == 6


def test_params_and_fraction():
    tasks = evaluation(RandomForestClassifier(), max_resources=81)
    assert tasks.params(trial(max_depth=3), Job(0, 27)) == {"max_depth": 3, "n_estimators": 27}
    assert tasks.fraction(Job(0, 27)) == 1 / 3
    samples = evaluation(SVC())
    assert samples.params(trial(C=3.0), Job(0, 20)) == {"C": 3.0}
    assert samples.fraction(Job(0, 20)) == 1 / 3


def test_samples_are_a_part_of_the_training_fold_and_the_test_fold_is_whole():
    tasks = evaluation(SVC())
    whole_train, whole_test = tasks.inputs.splits[1]
    options = tasks.call(trial(C=1.0), Job(0, 20), 1, 0)[2]
    assert len(options["train"]) == len(whole_train) // 3
    assert set(options["train"]) < set(whole_train)
    assert options["test"] is whole_test
    full = tasks.call(trial(C=1.0), Job(0, 60), 1, 0)[2]
    assert full["train"] is whole_train
    again = tasks.call(trial(1, C=2.0), Job(1, 20), 1, 0)[2]
    np.testing.assert_array_equal(again["train"], options["train"])


def test_a_failed_fit_keeps_nothing():
    tasks = evaluation(RandomForestClassifier(n_estimators=9))
    with pytest.raises(ValueError):
        do(tasks, trial(max_depth=-3), Job(0, 3))
    assert tasks.checkpoints.load(0, 0) is None


def test_jobs_without_a_resource_are_refused():
    with pytest.raises(ValueError, match="jobs with a resource"):
        evaluation(SVC()).fraction(Job(0))


def test_rungs_of_the_same_length_take_the_model_as_it_is():
    tasks = evaluation(RandomForestClassifier(n_estimators=3, random_state=0), max_resources=3)
    short = BudgetedCrossValidation(
        **{**vars(tasks), "plan": replace(tasks.plan, max_resources=9, unit=None), "_lengths": {}}
    )
    first = trial(max_depth=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for resource, n_trees in ((3, 1), (4, 1), (5, 1), (6, 2), (9, 3)):
            outcome = do(short, first, Job(0, resource))
            assert outcome["fit_error"] is None
            assert short.params(first, Job(0, resource))["n_estimators"] == n_trees


@pytest.mark.parametrize(
    ("within", "name"),
    [
        (lambda net: net, "alpha"),
        (lambda net: make_pipeline(StandardScaler(), net), "mlpclassifier__alpha"),
        (
            lambda net: make_pipeline(make_pipeline("passthrough", net)),
            "pipeline__mlpclassifier__alpha",
        ),
        (lambda net: Pipeline([("fixed", FixedThresholdClassifier(net))]), "fixed__estimator__alpha"),
    ],
)
def test_a_short_training_does_not_complain_that_it_is_short(within, name):
    tasks = evaluation(within(MLPClassifier(max_iter=20, random_state=0)))
    first = trial(**{name: 1e-3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        do(tasks, first, Job(0, 2))
        do(tasks, first, Job(0, 6))
    with pytest.warns(ConvergenceWarning):
        do(tasks, trial(1, **{name: 1e-3}), Job(1, 20))
