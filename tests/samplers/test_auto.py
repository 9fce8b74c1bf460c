"""Who proposes what, when nobody was chosen."""

import numpy as np
import pytest

from skhpo.samplers import AutoSampler, CMAESSampler, Earlier, GPSampler, Sampler, TPESampler, make_sampler
from skhpo.samplers._auto import is_plain
from skhpo.space import Categorical, Column, Integer, Real, Space, as_space


def reals(d):
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(d)])


TREE = as_space([{"m": ["a"], "x": (0.0, 1.0), "z": (0.0, 1.0)}, {"m": ["b"], "y": (0.0, 1.0)}], seed=0)


def sphere(X):
    return ((np.nan_to_num(X) - 0.3) ** 2).sum(axis=1)


@pytest.fixture
def proposers(monkeypatch):
    """Names of the samplers that proposed, in their order."""
    names = []
    for cls in (GPSampler, TPESampler, CMAESSampler):

        def propose(self, n, pending, rng, original=cls._propose, name=cls.__name__[:-7]):
            names.append(name)
            return original(self, n, pending, rng)

        monkeypatch.setattr(cls, "_propose", propose)
    return names


def work(run, n, loss=sphere, **told):
    for _ in range(n):
        X = run.ask()
        run.tell(X, loss(X), **told)
    return run


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (reals(2), True),
        (reals(1), False),
        (
            Space(
                [Column("n", Integer(1, 9)), Column("x", Real(0, 1)), Column("c", Categorical(["p", "q"]))]
            ),
            True,
        ),
        (Space([Column("x", Real(0, 1)), Column("c", Categorical(["p", "q"]))]), False),
        (TREE, False),
    ],
    ids=["plane", "line", "mixed", "half categorical", "tree"],
)
def test_which_spaces_are_plain(space, expected):
    assert is_plain(space) is expected


def test_in_a_plain_space_cmaes_follows_the_gaussian_process(proposers):
    work(AutoSampler(handover=15).start(reals(2), seed=0), 20)
    assert proposers == ["GP"] * 15 + ["CMAES"] * 5


def test_in_a_tree_they_take_turns_before_tpe_has_it_alone(proposers):
    work(AutoSampler(handover=15).start(TREE, seed=0), 20)
    assert proposers == ["GP", "GP", "TPE"] * 5 + ["TPE"] * 5


def test_under_a_budget_they_take_turns_everywhere(proposers):
    run = AutoSampler(handover=15).start(reals(2), seed=0)
    work(run, 3, resource=1 / 9)
    assert proposers == ["GP"] * 3 or proposers == ["GP", "GP", "TPE"]
    proposers.clear()
    work(run, 15, resource=1 / 9)
    assert proposers == ["GP", "GP", "TPE"] * 4 + ["TPE"] * 3


def test_promotions_after_the_handover_take_cmaes_back(proposers):
    run = work(AutoSampler(handover=8).start(reals(2), seed=0), 9)
    assert proposers[-1] == "CMAES"
    run.tell(np.array([[0.5, 0.5]]), np.array([0.1]), 1 / 3)
    run.ask()
    assert proposers[-1] == "TPE"


def test_cmaes_begins_where_the_good_points_lay():
    run = work(AutoSampler(handover=30).start(reals(3), seed=1), 30)
    good = run.history.X[np.argsort(run.history.loss)[:3]]
    X = np.concatenate([run.ask(6)])
    # Within six standard deviations, blur included, of the best tenth's mean.
    assert (np.abs(X - good.mean(axis=0)) < 6 * np.hypot(0.02, good.std(axis=0))).all()


def test_how_results_were_grouped_does_not_matter():
    space, rng = reals(2), np.random.default_rng(0)
    X = rng.random((14, 2))
    one = AutoSampler(handover=10).start(space, seed=0)
    one.tell(X, sphere(X))
    many = AutoSampler(handover=10).start(space, seed=0)
    for x in X:
        many.tell(x[None], sphere(x[None]))
    one.n_asked = many.n_asked = 14
    np.testing.assert_array_equal(one.ask(3), many.ask(3))


def test_where_everything_failed_tpe_goes_on(proposers):
    run = work(AutoSampler(handover=12).start(reals(2), seed=0), 14, loss=lambda X: np.full(len(X), np.nan))
    assert proposers == ["GP"] * 12 + ["TPE"] * 2
    assert len(run.history) == 14


def test_an_earlier_search_is_passed_on():
    space = reals(2)
    X = np.random.default_rng(0).random((40, 2))
    earlier = Earlier.of(space, X, ((X - 0.8) ** 2).sum(axis=1))
    run = AutoSampler().start(space, seed=0, earlier=earlier)
    alone = GPSampler().start(space, seed=0, earlier=earlier)
    np.testing.assert_array_equal(run.ask(), alone.ask())
    assert np.abs(run.ask() - 0.8).max() < 0.3


def test_by_name_and_with_wrong_options():
    assert isinstance(make_sampler("auto"), AutoSampler)
    with pytest.raises(TypeError, match=r"handover must be an integer, got 1\.5"):
        AutoSampler(handover=1.5)
    with pytest.raises(ValueError, match="handover must be at least 1, got 0"):
        AutoSampler(handover=0)


def test_a_batch_has_no_point_twice():
    run: Sampler = AutoSampler().start(TREE, seed=0)
    work(run, 12)
    X = run.ask(7)
    assert len({x.tobytes() for x in X}) == 7
