"""Which objects a user may write for others: as scikit-learn's ``clone`` copies a search."""

import copy
import functools
import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skhpo.space import Categorical, as_space
from skhpo.space._values import same_but_for_fits, same_value


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def total(self):
        return self.a + self.b


class Odd:
    def get_params(self):
        return {}


DIFFERENT = [
    SVC(),
    SVC(C=2),
    SVC(C=2, random_state=np.random.RandomState(0)),
    SVC(C=2, random_state=np.random.RandomState(1)),
    LogisticRegression(),
    make_pipeline(StandardScaler(), SVC()),
    make_pipeline(StandardScaler(), SVC(gamma=1)),
    make_pipeline(StandardScaler(with_mean=False), SVC()),
    FunctionTransformer(np.log),
    FunctionTransformer(np.exp),
    FunctionTransformer(lambda X: X),
    FunctionTransformer(lambda X: X),
    functools.partial(max, 1),
    functools.partial(max, 2),
    functools.partial(min, 1),
    functools.partial(max, 1, key=abs),
    functools.partial(max, SVC()),
    Plain(),
    Plain(a=1),
    Plain(a=True),
    Plain(a=[np.arange(3), math.nan]),
    Plain(a=[np.arange(3), 0.0]),
    Plain(a=Plain(a=SVC())),
    Slotted(1, 2),
    Slotted(1, 3),
    Plain(a=Slotted(1, 2).total),
    Plain(a=Slotted(1, 3).total),
    [SVC(), {"x": SVC()}],
    [SVC(), {"x": SVC(C=3)}],
    (SVC(), {"x": SVC()}),
    np.log,
    SVC,
    math,
    None,
]


def test_copies_are_the_same_and_others_are_not():
    copies = copy.deepcopy(DIFFERENT[:-2]) + DIFFERENT[-2:]  # modules are not copied
    for i, value in enumerate(DIFFERENT):
        for j, other in enumerate(copies):
            assert same_value(value, other) == (i == j), (value, other)
            assert same_but_for_fits(value, other) == (i == j), (value, other)


def test_what_cannot_be_known_is_not_the_same():
    for make in (object, Odd, lambda: lambda: 0):
        a, b = make(), make()
        assert same_value(a, a)
        assert not same_value(a, b)


def test_objects_that_hold_themselves():
    def ring(n, last):
        first = Plain()
        inner = first
        for _ in range(n):
            inner.next = Plain()
            inner = inner.next
        inner.next, inner.value = first, last
        return first

    assert same_value(ring(10_000, 1), ring(10_000, 1))  # far deeper than Python's stack
    assert not same_value(ring(10_000, 1), ring(10_000, 2))
    assert not same_value(ring(3, 1), ring(5, 1))
    knot: list = [1]
    knot.append(knot)
    assert same_value(knot, copy.deepcopy(knot))


def test_an_array_that_is_no_bool():
    class Tensor:
        def __eq__(self, other):
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

        __hash__ = None

    assert not same_value(Tensor(), Tensor())


def test_fits_count_where_choices_are_told_apart():
    fits = [LinearRegression().fit([[0.0], [1.0]], y) for y in ([0, 1], [0, 1], [0, 2])]
    assert same_value(fits[0], fits[1])
    assert not same_value(fits[0], fits[2])
    assert not same_value(FrozenEstimator(fits[0]), FrozenEstimator(fits[2]))
    assert same_but_for_fits(fits[0], fits[2])
    choice = Categorical([FrozenEstimator(fits[0]), FrozenEstimator(fits[2])])
    assert choice.encode(copy.deepcopy(choice.choices[1])) == 0.75
    # What came back fitted is the choice that it was before.
    assert Categorical([SVC(), LinearRegression()]).encode(fits[0]) == 0.75


def test_one_of_the_choices_itself_comes_before_its_equals():
    twins = [SVC(), SVC()]
    for choices in (twins, [1, *twins]):
        dimension = Categorical(choices)
        assert [dimension.encode(value) for value in choices] == list(dimension.levels())
    assert Categorical(twins).encode(SVC()) == 0.25
    with pytest.raises(ValueError, match="none of the choices"):
        Categorical(twins).encode(SVC(C=3))


def test_candidates_that_were_cloned_beside_their_space():
    grid = {"clf": [SVC(), LogisticRegression()], "scale": [None, StandardScaler()]}
    candidate = {"clf": grid["clf"][1], "scale": grid["scale"][1]}
    space = as_space(clone(grid, safe=False))
    np.testing.assert_array_equal(space.to_partial_position(clone(candidate, safe=False)), [0.75, 0.75])
