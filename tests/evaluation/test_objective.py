"""The number that samplers learn from."""

import math
import pickle

import pytest

from skhpo._records import FailedScore
from skhpo.evaluation import Objective


def outcomes(*scores):
    return [{"test_scores": score, "fit_error": None} for score in scores]


def test_mean_of_the_folds():
    assert Objective()(outcomes(1.0, 2.0, 6.0)) == 3.0


def test_named_metric_and_else_the_first():
    scores = outcomes({"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 7.0})
    assert Objective("b")(scores) == 6.0
    assert Objective()(scores) == 2.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, FailedScore(0.0), FailedScore(math.nan)])
def test_one_failed_fold_is_a_failure(bad):
    assert math.isnan(Objective()(outcomes(1.0, bad)))
    assert math.isnan(Objective("b")(outcomes({"a": 1.0, "b": bad}, {"a": 1.0, "b": 1.0})))


def test_failure_of_another_metric_does_not_count():
    assert Objective("a")(outcomes({"a": 1.0, "b": FailedScore(0.0)})) == 1.0


def test_no_metric_at_all_is_a_failure():
    assert math.isnan(Objective()(outcomes({})))


def test_names_are_checked_where_there_are_several():
    def refuse(names):
        raise ValueError(f"not {sorted(names)}")

    assert Objective(check_names=refuse)(outcomes(1.0)) == 1.0
    with pytest.raises(ValueError, match="'a', 'b'"):
        Objective(check_names=refuse)(outcomes({"a": 1.0, "b": 2.0}))


def test_a_failed_score_is_its_number_and_stays_marked():
    score = pickle.loads(pickle.dumps(FailedScore(-7.0)))
    assert score == -7.0
    assert f"{score:.1f}" == "-7.0"
    assert isinstance(score, FailedScore)
