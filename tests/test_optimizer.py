"""Asking and telling: what is in flight, what is best, and what is refused."""

import copy
import json
import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skhpo.optimizer import Optimizer, SpaceExhausted
from skhpo.samplers import RandomSampler, SobolSampler
from skhpo.space import Categorical, Choice, Integer, Real

SPACE = {
    "lr": Real(1e-4, 1.0, log=True),
    "layers": Integer(1, 8),
    "act": Categorical(["relu", "tanh", None]),
    "solver": Choice([("sgd", {"momentum": (0.0, 1.0)}), ("adam", None)]),
}


def score_of(params):
    return -((np.log10(params["lr"]) + 2) ** 2) - 0.1 * params["layers"] - (params["act"] is None)


@pytest.fixture
def optimizer():
    return Optimizer(SPACE, sampler="random", random_state=0)


def test_one_candidate_is_a_dict_and_several_are_a_list(optimizer):
    assert isinstance(optimizer.ask(), dict)
    several = optimizer.ask(1)
    assert isinstance(several, list) and len(several) == 1
    assert len(optimizer.ask(4)) == 4
    assert optimizer.n_asked == 6


def test_candidates_have_the_names_and_types_of_the_space(optimizer):
    for params in optimizer.ask(30):
        assert {"lr", "layers", "act", "solver"} <= set(params)
        assert ("momentum" in params) == (params["solver"] == "sgd")
        assert type(params["lr"]) is float and type(params["layers"]) is int


def test_best_is_the_greatest_score_and_the_first_of_equals(optimizer):
    first, second, third, fourth = optimizer.ask(4)
    optimizer.tell(first, -1.0)
    optimizer.tell([second, third, fourth], [3.0, 3.0, 2.0])
    assert optimizer.best_params_ == second
    assert optimizer.best_score_ == 3.0


@pytest.mark.parametrize("failure", [None, np.nan, np.inf, -np.inf])
def test_a_failure_is_never_the_best(optimizer, failure):
    optimizer.tell(optimizer.ask(), failure)
    assert optimizer.n_told == 1
    assert not optimizer.pending
    with pytest.raises(NotFittedError, match="1 told, none of them a success"):
        optimizer.best_params_  # noqa: B018
    assert not hasattr(optimizer, "best_score_")
    params = optimizer.ask()
    optimizer.tell(params, -7)
    assert optimizer.best_params_ == params
    assert optimizer.best_score_ == -7.0


def test_losses_reach_the_sampler_with_their_sign_turned_and_in_order():
    optimizer = Optimizer({"a": [1, 2, 3]}, sampler="grid", random_state=0)
    optimizer.tell([{"a": 3}, {"a": 1}, {"a": 2}], [5.0, None, -2.0])
    history = optimizer._sampler.history
    np.testing.assert_array_equal(history.loss, [-5.0, np.nan, 2.0])
    np.testing.assert_allclose(history.X[:, 0], [5 / 6, 1 / 6, 3 / 6])


def test_pending_is_what_was_asked_and_not_told(optimizer):
    asked = optimizer.ask(4)
    assert optimizer.pending == asked
    optimizer.tell(asked[2], 1.0)
    optimizer.tell(asked[0], None)
    assert optimizer.pending == [asked[1], asked[3]]


def test_what_was_asked_is_recognised_by_its_values(optimizer):
    # Through JSON, as between two processes: other objects, equal values.
    asked = optimizer.ask(20)
    points = [point for _, point, _ in optimizer._pending]
    for params in json.loads(json.dumps(asked)):
        optimizer.tell(params, score_of(params))
    assert not optimizer.pending
    np.testing.assert_array_equal(optimizer._sampler.history.X, points)


def test_the_same_values_from_two_dicts_of_a_list_are_two_candidates():
    optimizer = Optimizer(
        [{"a": [1], "b": [1]}, {"a": [1, 2], "b": [1, 3]}], sampler="random", random_state=0
    )
    asked = optimizer.ask(5)
    for params in asked:
        optimizer.tell(params, 0.0)
    assert not optimizer.pending
    assert len({row.tobytes() for row in optimizer._sampler.history.X}) == 5


def test_candidates_that_were_never_asked_for_may_be_told(optimizer):
    guess = {"lr": 0.01, "layers": 1, "act": "relu", "solver": "adam"}
    optimizer.tell(guess, 9.0)
    assert optimizer.n_asked == 0
    assert optimizer.best_params_ == guess


def test_a_told_candidate_may_be_told_again(optimizer):
    params = optimizer.ask()
    for score in (1.0, 3.0, 2.0):
        optimizer.tell(params, score)
    assert optimizer.n_told == 3
    assert optimizer.best_score_ == 3.0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"lr": 2.0}, "outside"),
        ({"layers": 9}, "outside"),
        ({"layers": 1.5}, "no integer"),
        ({"act": "gelu"}, "none of the choices"),
        ({"colour": 1}, "'colour' is not in the search space"),
        ({"momentum": 0.5}, "outside the search space"),
    ],
)
def test_candidates_outside_the_space_are_refused(optimizer, change, match):
    good = {"lr": 0.01, "layers": 1, "act": "relu", "solver": "adam"}
    with pytest.raises(ValueError, match=match):
        optimizer.tell([good, good | change], [1.0, 2.0])
    assert optimizer.n_told == 0
    assert not hasattr(optimizer, "best_params_")


def test_an_incomplete_candidate_is_refused_and_stays_pending(optimizer):
    params = optimizer.ask()
    with pytest.raises(ValueError, match="lr"):
        optimizer.tell({name: value for name, value in params.items() if name != "lr"}, 1.0)
    assert optimizer.pending == [params]


@pytest.mark.parametrize(
    ("params", "score", "error"),
    [
        ("lr", 1.0, TypeError),
        (3, 1.0, TypeError),
        (["lr"], [1.0], TypeError),
        ([{}], 1.0, TypeError),
        ([{}, {}], [1.0], ValueError),
        ({}, "good", TypeError),
        ({}, True, TypeError),
        ({}, [1.0], TypeError),
    ],
)
def test_bad_arguments_of_tell(optimizer, params, score, error):
    with pytest.raises(error):
        optimizer.tell(params, score)


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)]
)
def test_bad_arguments_of_ask(optimizer, n, error):
    with pytest.raises(error, match="n must be"):
        optimizer.ask(n)
    assert optimizer.n_asked == 0


@pytest.mark.parametrize("score", [np.float32(0.5), np.float64(0.5), np.array(0.5)])
def test_scores_of_numpy(optimizer, score):
    optimizer.tell(optimizer.ask(), score)
    assert optimizer.best_score_ == 0.5
    assert type(optimizer.best_score_) is float


def test_an_empty_list_tells_nothing(optimizer):
    optimizer.tell([], [])
    assert optimizer.n_told == 0


@pytest.mark.parametrize("sampler", ["random", "sobol", "grid", "tpe"])
def test_a_finite_space_ends(sampler):
    optimizer = Optimizer({"a": [1, 2, 3], "b": ["x", "y"]}, sampler=sampler, random_state=0)
    optimizer.tell({"a": 2, "b": "x"}, 1.0)
    optimizer.ask(2)
    assert len(optimizer.ask(10)) == 3
    with pytest.raises(SpaceExhausted, match="1 were told, 5 are pending"):
        optimizer.ask()
    assert not issubclass(SpaceExhausted, ValueError | StopIteration)
    optimizer.tell(optimizer.pending, [0.0] * 5)
    with pytest.raises(SpaceExhausted, match="6 were told, 0 are pending"):
        optimizer.ask(2)


def test_random_state_fixes_the_candidates():
    def candidates(random_state):
        optimizer = Optimizer(SPACE, sampler="random", random_state=random_state)
        return optimizer.ask(3)

    assert candidates(0) == candidates(0) == candidates(np.random.RandomState(0))
    assert candidates(0) != candidates(1)
    assert candidates(None) != candidates(None)
    rng = np.random.RandomState(0)
    assert candidates(rng) != candidates(rng)


@pytest.mark.parametrize("random_state", [-1, "seed", 1.5])
def test_random_state_is_checked_as_scikit_learn_does(random_state):
    with pytest.raises(ValueError):
        Optimizer(SPACE, random_state=random_state)


def test_samplers_are_checked():
    with pytest.raises(ValueError, match=r"'auto', 'cmaes', 'gp', .*'tpe'.*got 'tpee'"):
        Optimizer(SPACE, sampler="tpee")
    with pytest.raises(TypeError, match=r"write SobolSampler\(\)"):
        Optimizer(SPACE, sampler=SobolSampler)
    with pytest.raises(TypeError, match="got 3"):
        Optimizer(SPACE, sampler=3)


def test_a_sampler_object_may_serve_many():
    sampler = RandomSampler()
    first, second = (Optimizer(SPACE, sampler=sampler, random_state=0) for _ in range(2))
    assert first.ask(2) == second.ask(2)
    assert not vars(sampler)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "sobol", "grid"])
@pytest.mark.parametrize(
    "copied", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_a_copy_in_mid_run_goes_on_identically(sampler, copied):
    original = Optimizer(SPACE, sampler=sampler, random_state=0)
    for _ in range(15):
        params = original.ask()
        original.tell(params, score_of(params))
    original.ask(2)
    twin = copied(original)
    assert twin.pending == original.pending
    for optimizer in (original, twin):
        optimizer.tell(optimizer.pending[1], 0.5)
    for _ in range(5):
        params = original.ask()
        assert twin.ask() == params
        for optimizer in (original, twin):
            optimizer.tell(params, score_of(params))
    assert twin.best_params_ == original.best_params_
    assert repr(twin) == repr(original)


def test_dicts_given_out_may_be_changed(optimizer):
    asked = optimizer.ask()
    optimizer.tell(asked, 1.0)
    best = dict(optimizer.best_params_)
    asked["lr"] = optimizer.best_params_["lr"] = "spoilt"
    assert optimizer.best_params_ == best
    assert optimizer.ask() and "spoilt" not in optimizer.pending[0].values()
