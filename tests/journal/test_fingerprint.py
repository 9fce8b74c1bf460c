"""Digests: equal in another process, other wherever a search would be another one."""

import ast
import datetime
import enum
import functools
import random
import re
import sys
import threading
import types
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from scipy import stats
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skhpo.journal import fingerprint
from skhpo.journal._fingerprint import is_digest
from skhpo.journal._referenced import referenced

ROOT = Path(__file__).parents[2]


def digest(x):
    return fingerprint(x=[x])["x"]


EXAMPLES = """
import functools, random, re, sys, types
from collections import OrderedDict, defaultdict, deque
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
import numpy as np, pandas as pd, polars as pl, scipy.sparse as sp
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics import get_scorer, make_scorer, f1_score
from sklearn.model_selection import ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

class Colour(Enum):
    RED = 1

class Plain:
    def __init__(self):
        self.b, self.a, self.me = {"x", "yy", "zzz"}, [1, np.float32(2)], self

class Slotted:
    __slots__ = ("a",)
    def __init__(self):
        self.a = 1

class Custom(SVC):
    def fit(self, X, y=None):
        return super().fit(X, y)

def outer(n):
    def inner(x, *, y=n):
        return x in {"a", "b", "c", n} and [z for z in range(n)]
    return inner

def text(prefix):
    # Not interned, not shared: equal only in value.
    return ["".join([prefix, str(i)]) for i in range(3)]

generator = np.random.default_rng(0)
frame = pd.DataFrame({
    "number": [1.5, np.nan, 3.0], "text": text("t"), "object": pd.Series(["a", None, 3], dtype=object),
    "category": pd.Categorical(text("c")), "whole": pd.array([1, None, 3], dtype="Int64"),
    "time": pd.to_datetime(["2024-01-01", None, "2024-01-03"]), "flag": [True, False, True],
    "zone": pd.to_datetime(["2024-01-01", None, "2024-01-03"], utc=True),
}, index=text("i"))
examples = {
    "set": {"a", "b", "c", 1, (2, "d"), frozenset(text("f"))}, "dict": {"a": {1: 2}, None: [True]},
    "nested": [(1, "a"), OrderedDict(a=1), defaultdict(list, a=[1]), deque([1, 2]), range(3), slice(1, 2)],
    "number": [1, 1.0, True, None, 1j, np.float32(1), Decimal("1.1"), Fraction(1, 3), float("nan"), 10**50],
    "enum": Colour.RED, "path": PurePosixPath("a/b"), "bytes": b"abc", "pattern": re.compile("a+"),
    "array": generator.normal(size=(5, 3)), "objects": np.array(["a", 1, None, (1, "b")], dtype=object),
    "strings": np.array(text("s")), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "records": np.array([(1, "a")], dtype=[("n", int), ("o", object)]),
    "dates": np.array(["2024-01-01"], "M8[D]"), "masked": np.ma.array([1, 2], mask=[True, False]),
    "csr": sp.random(6, 5, 0.3, "csr", rng=0), "coo": sp.coo_array(np.eye(3)),
    "lil": sp.lil_matrix(np.eye(3)),
    "dok": sp.dok_array(np.eye(3)), "pandas": frame, "series": frame["text"], "index": frame.index,
    "multi": frame.set_index(["text", "flag"]).index,
    "polars": pl.DataFrame({"a": [1, None], "b": text("p")[:2], "c": [[1], [2, 3]], "d": [1.5, 2.5]}),
    "polars series": pl.Series("s", text("p"), dtype=pl.Categorical),
    "function": outer(3), "lambda": lambda x: x + 1, "partial": functools.partial(outer, n=2), "builtin": len,
    "method": Plain().__init__, "class": Colour, "type": np.ndarray, "ufunc": np.exp, "module": np,
    "own class": Custom, "own estimator": Custom(C=3),
    "state": np.random.RandomState(3), "generator": np.random.default_rng(3), "random": random.Random(3),
    "seeds": np.random.SeedSequence(5), "global": np.random.mtrand._rand,
    "uniform": stats.uniform(0, 3), "loguniform": stats.loguniform(1e-3, b=1e3),
    "randint": stats.randint(1, 9), "multivariate": stats.dirichlet([1, 2]),
    "histogram": stats.rv_histogram(np.histogram([1, 2, 2, 3], bins=3)),
    "plain": Plain(), "slotted": Slotted(), "cv": StratifiedKFold(3), "shuffle": ShuffleSplit(random_state=1),
    "pipeline": make_pipeline(StandardScaler(), FunctionTransformer(outer(2)), RandomForestClassifier()),
    "columns": make_column_transformer((StandardScaler(), ["a"]), ("drop", lambda X: X.columns)),
    "kernel": RBF(2.0) + 1.0, "scorer": make_scorer(f1_score, average="macro"),
    "named": get_scorer("accuracy"),
    "stream": sys.stdin, "object": object(), "generator object": (i for i in range(3)),
}
import os
_ = [object() for _ in range(int(sys.argv[1]))]
"""

PRINT = """
from skhpo.journal import fingerprint
print({name: fingerprint(x=[value])["x"] for name, value in examples.items()})
"""


def test_digests_are_those_of_another_process(start):
    """In which the hashes of text, the addresses and the order of sets are others."""
    started = [start(EXAMPLES + PRINT, n) for n in (0, 12345)]
    one, other = (ast.literal_eval(process.communicate()[0]) for process in started)
    assert len(one) > 50
    assert [name for name in one if one[name] != other[name]] == []
    assert all(map(is_digest, one.values()))
    # All examples are different, so that nothing was taken for nothing.
    names = {digest: name for name, digest in one.items()}
    assert [(name, names[digest]) for name, digest in one.items() if names[digest] != name] == []


def f(x):
    return x + 1


def g(x):
    return x + 1


def closure(n):
    return lambda x: x + n


def default(n):
    return lambda x, y=n: x


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Other(Plain):
    pass


def local_class(n):
    if n:

        class Local:
            def fit(self):
                return super().fit()

            @property
            def a(self):
                return 1
    else:

        class Local:
            def fit(self):
                return super().fit()

            @property
            def a(self):
                return 2

    return Local


X = np.arange(12.0).reshape(4, 3)
text = pd.Series(["a", "b"], dtype=object)


@pytest.mark.parametrize(
    "different",
    [
        [0, 0.0, -0.0, False, None, "0", b"0", "None", (), [], {}, set(), frozenset(), "", [0], (0,), {0}],
        [1, 1.0, True, 1j, np.int64(1), np.int32(1), np.float64(1), np.bool_(True), Fraction(1), Decimal(1)],
        [0.1, np.nextafter(0.1, 1).item(), np.nan, np.inf, -np.inf],
        [["a", "bc"], ["ab", "c"], ["abc"], "abc", ["a", ["bc"]], [["a"], "bc"]],
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, {"a": 1}, [("a", 1), ("b", 2)]],
        [Path("a"), Path("b"), "a"],
        [Colour.RED, Colour.BLUE, 1, Colour],
        [X, X.astype(np.float32), X.T, X[::-1], X.reshape(-1), X + 1e-9, X.tolist(), X[:0], X[:, :0]],
        [np.array(["a", "b"]), np.array(["a", "b"], dtype=object), np.array(["ab", ""], dtype=object)],
        [sp.csr_array(X), sp.csc_array(X), sp.csr_array(2 * X), sp.csr_matrix(X), sp.csr_array(X.T), X],
        [
            pd.DataFrame(X),
            pd.DataFrame(X, columns=list("abc")),
            pd.DataFrame(X, index=list("abcd")),
            pd.DataFrame(X).astype({1: "float32"}),
            pd.DataFrame(X).astype({1: "category"}),
            pd.DataFrame(2 * X),
            X,
        ],
        [text, text.astype("string"), text.astype("category"), text.rename("x"), text[::-1], text.to_frame()],
        [pd.array(v, dtype=t) for t in ("Int64", "Float64", "Int32") for v in ([1, 0], [1, None], [None, 1])],
        [
            pd.array([True, False]),
            pd.array([True, None], dtype="boolean"),
            pd.array([True, False], dtype=bool),
        ],
        [pd.Series([0, 1], dtype="Sparse[int]"), pd.Series([1, 0], dtype="Sparse[int]"), pd.Series([1, 0])],
        [
            pd.to_datetime(["2024-01-01", None], utc=utc).tz_convert(zone)
            for utc, zone in [(1, None), (1, "CET")]
        ],
        [pd.Categorical(["a", "b"]), pd.Categorical(["a", "b"], ordered=True), pd.Categorical(["b", "a"])],
        [pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"b": [1, 2]}), pl.DataFrame({"a": [1, None]})],
        [
            pl.Series([1, 2]),
            pl.Series([1.0, 2.0]),
            pl.Series(["1", "2"]),
            pl.Series([1, None]),
            pl.Series([1, 0]),
        ],
        [f, g, closure(1), closure(2), closure(f), default(1), default(2), lambda x: x + 1, lambda x: x + 2],
        [
            functools.partial(f, 1),
            functools.partial(g, 1),
            functools.partial(f, 2),
            functools.partial(f, x=1),
            f,
        ],
        [Plain(), Plain(a=1), Plain(a=1.0), Plain(b=1), Other(), Other(a=1), Plain, Other],
        [Plain(a=1).__init__, Plain(a=2).__init__, Plain.__init__],
        [local_class(0), local_class(1), local_class(0)(), local_class(1)()],
        [
            np.random.RandomState(0),
            np.random.RandomState(1),
            np.random.default_rng(0),
            np.random.default_rng(1),
        ],
        [random.Random(0), random.Random(1), np.random.SeedSequence(0), np.random.SeedSequence(1)],
        [np.random.PCG64(0), np.random.MT19937(0), np.random.PCG64(1)],
        [stats.uniform(0, 1), stats.uniform(0, 2), stats.uniform(loc=0, scale=2), stats.norm(0, 1)],
        [stats.rv_histogram(np.histogram(data, bins=2)) for data in ([1, 2, 3], [1, 3, 4], [1, 1, 9])],
        [KFold(3), KFold(5), KFold(3, shuffle=True, random_state=0), KFold(3, shuffle=True, random_state=1)],
        [LogisticRegression(C=1), LogisticRegression(C=1.0), LogisticRegression(C=2.0), LogisticRegression],
        [
            make_pipeline(StandardScaler(), LogisticRegression()),
            make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
            make_pipeline(FunctionTransformer(f), LogisticRegression()),
            make_pipeline(FunctionTransformer(g), LogisticRegression()),
            ColumnTransformer([("a", StandardScaler(), [0])]),
            ColumnTransformer([("a", StandardScaler(), [1])]),
        ],
        [RBF(1.0), RBF(2.0), RBF(1.0) + RBF(2.0)],
        [make_scorer(f), make_scorer(g), make_scorer(f, greater_is_better=False)],
        [
            datetime.date(2024, 1, 1),
            datetime.datetime(2024, 1, 1),
            datetime.timedelta(1),
            datetime.timedelta(2),
        ],
        [
            re.compile("a"),
            re.compile("b"),
            re.compile("a", re.IGNORECASE),
            range(3),
            range(4),
            slice(3),
            slice(4),
        ],
        [len, max, np.exp, np.log, np, random, str.upper, "a".upper, "b".upper],
    ],
)
def test_what_differs_has_other_digests(different):
    digests = [digest(value) for value in different]
    same = [(i, j) for i in range(len(digests)) for j in range(i) if digests[i] == digests[j]]
    assert same == []


def test_what_is_equal_has_one_digest():
    shared = [1.5]
    for one, other in [
        ([shared, shared], [[1.5], [1.5]]),
        (np.asfortranarray(X), X),
        (np.arange(40_000.0).reshape(100, 400).T, np.arange(40_000.0).reshape(100, 400).T.copy()),
        (X[::2], X[::2].copy()),
        (
            pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5]}),
            pd.DataFrame([[1, 1.5], [2, 2.5]]).set_axis(["a", "b"], axis=1).astype({"a": int}),
        ),
        (LogisticRegression(C=3), LogisticRegression(C=3).set_params(tol=1e-4)),
        (closure(1), closure(1)),
        (local_class(1), local_class(1)),
        ({"a", "b", "c", "d"}, set("dcba")),
        (np.nan, float("nan")),
        (np.random.mtrand._rand, np.random.mtrand._rand),
    ]:
        assert digest(one) == digest(other)


def test_a_fitted_estimator_is_its_parameters():
    model = RandomForestClassifier(n_estimators=2)
    before = digest(model)
    assert digest(model.fit(X, [0, 1, 0, 1])) == before


def test_the_global_generator_is_not_its_state():
    before = digest(np.random.mtrand._rand), digest(stats.norm)
    np.random.mtrand._rand.random_sample()
    assert (digest(np.random.mtrand._rand), digest(stats.norm)) == before
    generator = np.random.RandomState(0)
    before = digest(generator)
    generator.random_sample()
    assert digest(generator) != before


def test_cycles_and_shared_parts_end():
    cycle = [1]
    cycle.append(cycle)
    other = [2]
    other.append(other)
    assert digest(cycle) != digest(other)
    assert digest(Plain(me=cycle)) == digest(Plain(me=cycle))
    wide = []
    for _ in range(60):
        wide = [wide, wide]
    assert digest(wide) == digest(wide)
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert is_digest(digest(deep))


def test_what_cannot_be_told_counts_by_its_type():
    assert digest(threading.Lock()) == digest(threading.Lock())
    assert digest(threading.Lock()) != digest(threading.Event())

    class Odd:
        def get_params(self, deep=True):
            raise RuntimeError

        def __reduce_ex__(self, protocol):
            raise SystemError

    assert digest(Odd()) == digest(Odd())


def test_an_address_is_never_in_it():
    """Two equal objects at two addresses, with functions and default reprs inside."""
    one, other = (Plain(f=closure(1), o=object(), p=Plain(x=[object()])) for _ in range(2))
    assert repr(one.o) != repr(other.o)
    assert digest(one) == digest(other)


def test_short_scalars_are_readable():
    parts = fingerprint(a=5, b="skhpo 0.1", c=None, d=True, e=0.5, f="x" * 300, g=[1], h="5")
    assert [parts[name] for name in "abcde"] == ["5", "'skhpo 0.1'", "None", "True", "0.5"]
    assert [is_digest(parts[name]) for name in "abcdefgh"] == [False] * 5 + [True, True, False]
    assert parts["h"] != parts["a"]
    assert fingerprint(f="x" * 300) != fingerprint(f="x" * 301)


def test_torch_tensors_count_by_their_values():
    torch = pytest.importorskip("torch")
    one, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    assert digest(one) != digest(other)
    other.load_state_dict(one.state_dict())
    assert digest(torch.ones(3)) == digest(torch.ones(3)) != digest(torch.zeros(3))
    assert digest(one) == digest(other)


HELPERS = """
import logging
import mypackage.other
SCALE = {scale}
COSTS = {{"false": {cost}}}
RNG = np.random.default_rng(0)
log = logging.getLogger("x")
n_calls = 0

def count():
    global n_calls
    n_calls += 1

def helper(x):
    return x + {helper}

def unused(x):
    return {unused}

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

def score(model, X, y):
    count()
    log.info(RNG.random())
    return [helper(x) * SCALE - COSTS["false"] + mypackage.other.metric(x) for x in X], even(2)
"""


@pytest.fixture
def score(monkeypatch):
    """Makes a scorer with what it refers to, of modules that no library has."""

    def make(scale=1.0, cost=1, helper=1, unused=1, metric=1):
        other = types.ModuleType("mypackage.other")
        exec(f"def metric(x): return x + {metric}", vars(other))
        package = types.ModuleType("mypackage")
        package.other = other
        for module in (package, other):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        names = {"__name__": "mymodule", "np": np}
        exec(HELPERS.format(scale=scale, cost=cost, helper=helper, unused=unused), names)
        return names["score"]

    return make


def test_a_function_is_also_what_it_reads(score):
    made = [score(), score(scale=2.0), score(cost=2), score(helper=2), score(metric=2)]
    assert len({digest(function) for function in made}) == len(made)
    assert digest(score()) == digest(score(unused=2)) == digest(made[0])


def test_a_call_changes_nothing_that_a_function_is(score):
    function = score()
    before = digest(function)
    function(None, np.zeros(2), None)
    assert function.__globals__["n_calls"] == 1
    assert digest(function) == before
    assert digest(make_scorer(function)) != digest(make_scorer(score(helper=2)))


def uses_others(x):
    return f(max(x)), f1_score, [g(y) for y in re.split("a", x)]


def test_libraries_are_not_looked_into():
    assert referenced(uses_others) == {"f": f, "f1_score": f1_score, "g": g, "re": re}
    assert referenced(f1_score) == referenced(make_pipeline) == {}
