"""Events as JSON: what goes in comes out, to the last bit."""

import json
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhpo._records import Began, Ended, Evaluation, FailedScore, Job, Trial
from skhpo.journal._codec import LONGEST_REPR, decode, describe, dumps, encode, loads

floats = st.floats(width=64, allow_nan=True, allow_infinity=True)
failed = floats.map(FailedScore)
# Lone surrogates too: tracebacks quote file names that are no Unicode.
text = st.text(st.characters(codec=None, categories=None))
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | floats | failed | text
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(text | st.sampled_from(["$float", "$dict"]), inner)
    ),
    max_leaves=12,
)
scores = floats | failed | st.integers() | st.dictionaries(text, floats | failed, min_size=1, max_size=3)


def same(one, other):
    """Equal in type and bits, NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    return one == other


@given(values)
def test_values_come_back_as_they_were(value):
    coded = dumps(value)
    assert coded.isascii()
    assert same(loads(coded), value)
    json.loads(coded, parse_constant=pytest.fail)


@given(st.dictionaries(st.integers() | st.text(), st.integers(), max_size=3))
def test_keys_need_not_be_text(value):
    assert same(loads(dumps(value)), value)


@given(
    st.builds(Job, st.integers(0), st.none() | st.integers(1), st.integers(0, 5), st.integers(0, 5)),
    st.integers(0, 100),
    scores,
    st.none() | scores,
    st.none() | text,
)
def test_evaluations_come_back_as_they_were(job, fold, test_scores, train_scores, error):
    outcome = {
        "test_scores": test_scores,
        "fit_time": 0.1,
        "score_time": 1e-300,
        "n_test_samples": 17,
        "fit_error": error,
    }
    if train_scores is not None:
        outcome["train_scores"] = train_scores
    back, _ = decode(*encode(Evaluation(job, fold, outcome)))
    assert (back.job, back.fold) == (job, fold)
    assert same(back.outcome, outcome)


@given(st.integers(0), st.lists(st.floats(0, 1) | st.just(math.nan), max_size=5))
def test_trials_come_back_with_their_position(number, position):
    event = Began(Job(number, 3, 1, 2), Trial(number, tuple(position), {"a": 1}))
    back, params = decode(*encode(event))
    assert back.job == event.job
    assert back.trial.number == number
    assert back.trial.params == {}
    assert same(list(back.trial.position), position)
    assert params == {"a": 1}


@pytest.mark.parametrize("event", [Began(Job(3, 9)), Ended("space"), Ended("stop")])
def test_other_events_come_back(event):
    assert decode(*encode(event)) == (event, {})


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.10000000149011612),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.longdouble(0.5), 0.5),
        (np.str_("a"), "a"),
        (Fraction(1, 4), 0.25),
        (-0.0, -0.0),
    ],
)
def test_numpy_scalars_are_unwrapped(value, plain):
    assert same(loads(dumps(value)), plain)


@pytest.mark.parametrize("value", [1j, object(), b"x", {"a": {1, 2}}, np.zeros(2)])
def test_what_json_lacks_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"of type (complex|object|bytes|set|ndarray)"):
        dumps(value)


class Rude:
    def __repr__(self):
        raise SystemError("no")


class Odd:
    def __repr__(self):
        return 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.5, 0.5),
        (math.inf, math.inf),
        (np.int32(4), 4),
        ("rbf", "rbf"),
        (None, None),
        (True, True),
        ((1, 2), "(1, 2)"),
        (len, "<built-in function len>"),
        ([1, 2], "[1, 2]"),
        (Rude(), "<Rude>"),
        (Odd(), "<Odd>"),
    ],
)
def test_parameters_are_displayed(value, shown):
    _, params = decode(*encode(Began(Job(0), Trial(0, (), {"p": value}))))
    assert same(params, {"p": shown})


def test_a_long_repr_is_cut():
    assert len(describe(list(range(1000)))) == LONGEST_REPR
    _, params = decode(*encode(Began(Job(0), Trial(0, (), {"p": "x" * 1000}))))
    assert len(params["p"]) == LONGEST_REPR


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("evaluation", "{"),
        ("evaluation", "[]"),
        ("evaluation", '{"job":[0,null,0,0],"fold":0}'),
        ("evaluation", '{"job":[0,null,0],"fold":0,"outcome":{"test_scores":1.0}}'),
        ("evaluation", '{"job":["0",null,0,0],"fold":0,"outcome":{"test_scores":1.0}}'),
        ("evaluation", '{"job":[0,null,0,0],"fold":true,"outcome":{"test_scores":1.0}}'),
        ("evaluation", '{"job":[0,null,0,0],"fold":0,"outcome":{"test_scores":"1.0"}}'),
        ("evaluation", '{"job":[0,null,0,0],"fold":0,"outcome":{"test_scores":NaN}}'),
        ("evaluation", '{"job":[0,null,0,0],"fold":0,"outcome":{"test_scores":{"$float":"x"}}}'),
        ("evaluation", '{"job":[0,null,0,0],"fold":0,"outcome":{"test_scores":{"$float":true}}}'),
        ("evaluation", "[" * 100_000),
        ("began", '{"job":[0,null,0,0],"trial":{"number":0,"position":["x"],"params":{}}}'),
        ("began", '{"job":[0,null,0,0],"trial":{"number":0.0,"position":[],"params":{}}}'),
        ("ended", '{"by":"nobody"}'),
        ("gone", "{}"),
    ],
)
def test_what_was_never_encoded_is_a_value_error(kind, payload):
    with pytest.raises(ValueError):
        decode(kind, payload)


def test_only_events_are_encoded():
    with pytest.raises(TypeError, match="got dict"):
        encode({})
