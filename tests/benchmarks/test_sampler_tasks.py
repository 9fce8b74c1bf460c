"""Tasks of benchmarks/samplers have the optimum that they claim, and noise that is nobody's advantage."""

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.samplers import functions, structured
from benchmarks.samplers.axes import active, at, categorical, from_json, integer, real, to_json, walk
from benchmarks.samplers.tasks import FunctionTask, halves, registry

SEEDS = range(3)
FUNCTIONS = [*functions.TASKS, *structured.TASKS]


def made(name, seed):
    task = registry()[name](seed)
    assert isinstance(task, FunctionTask)
    return task


# -- optima -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_below_the_optimum(name, seed):
    task = made(name, seed)
    rng = np.random.default_rng(seed)
    truths = [task.truth(at(task.axes, u)) for u in rng.random((300, len(task.axes)))]
    assert min(truths) >= task.optimum - 1e-9
    assert np.ptp(truths) > 0


@pytest.mark.parametrize("name", [*functions.TASKS, "noisy-hartmann", "heteroscedastic", "irrelevant-20"])
@pytest.mark.parametrize("seed", SEEDS)
def test_optimum_of_real_functions_is_reached_inside_the_box(name, seed):
    task = made(name, seed)
    d = len(task.axes)

    def truth(u):
        return task.truth(at(task.axes, u))

    # Rippled functions: many starts, and from the best of them on.
    rng = np.random.default_rng(seed)
    U = rng.random((4000, d))
    U = U[np.argsort([truth(u) for u in U])[:60]]
    least = np.inf
    for u in U:
        found = minimize(truth, u, method="L-BFGS-B", bounds=[(0.0, 1.0)] * d)
        least = min(least, found.fun)
        if least < task.optimum + 1e-4:
            break
    if name == "ackley":
        # A needle: its neighbourhood is what can be seen from outside.
        assert least < task.optimum + 12.0
    else:
        assert least == pytest.approx(task.optimum, abs=2e-2)


@pytest.mark.parametrize("function", [functions.ackley, functions.rosenbrock, functions.levy,
                                      functions.griewank, functions.dixon_price])  # fmt: skip
@pytest.mark.parametrize("d", [2, 5])
def test_functions_of_z_are_zero_at_zero_and_positive_beside(function, d):
    assert function(np.zeros(d)) == pytest.approx(0.0, abs=1e-12)
    assert function(0.1 * np.eye(d)[0]) > 1e-6


@pytest.mark.parametrize(
    ("function", "place", "least"),
    [
        # Dixon and Szegoe's tables, and Styblinski and Tang's.
        (functions.branin, np.array([np.pi + 5.0, 2.275]) / 15.0, 0.397887),
        (functions.hartmann, [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573], -3.32237),
        (functions.styblinski, (np.full(5, -2.903534) + 5.0) / 10.0, -39.16617),
    ],
)
def test_functions_of_the_cube_have_the_minima_of_the_literature(function, place, least):
    assert function(np.asarray(place)) == pytest.approx(least, abs=1e-5)


@pytest.mark.parametrize("name", ["mixed", "switches", "integers", "conditional", "layers"])
@pytest.mark.parametrize("seed", SEEDS)
def test_optimum_of_structured_functions_is_taken(name, seed):
    """Coordinate by coordinate from many starts, as a level of a choice has no slope."""
    task = made(name, seed)
    rng = np.random.default_rng(seed)
    d = len(task.axes)

    def truth(u):
        return task.truth(at(task.axes, u))

    least = np.inf
    for _ in range(60):
        u = min(rng.random((30, d)), key=truth)
        width = 0.5
        best = truth(u)
        for step in range(900):
            moved = rng.random(d) < (1.0 if step % 3 else 0.3)
            trial = np.clip(u + moved * width * rng.standard_normal(d), 0.0, 1.0)
            if truth(trial) < best:
                u, best = trial, truth(trial)
            else:
                width = max(1e-3, 0.99 * width)
        least = min(least, best)
        if least < 2e-2:
            break
    assert least == pytest.approx(0.0, abs=5e-2)


def test_bbob_is_zero_at_its_optimum():
    ioh = pytest.importorskip("ioh")
    from benchmarks.samplers.bbob import bbob

    for number in (1, 8, 15, 22):
        for seed in SEEDS:
            problem = ioh.get_problem(number, seed + 1, 5, ioh.ProblemClass.BBOB)
            task = bbob(number, 5, seed)
            place = {f"x{j}": float(x) for j, x in enumerate(problem.optimum.x)}
            assert task.truth(place) == pytest.approx(0.0, abs=1e-9)
            assert all(abs(x) <= 5.0 for x in place.values())
            assert task.truth({name: 0.9 * x for name, x in place.items()}) > 1e-3


@pytest.mark.parametrize("name", ["hartmann", "levy", "mixed", "layers", "irrelevant-20"])
def test_seeds_are_other_instances(name):
    first, second = made(name, 0), made(name, 1)
    params = at(first.axes, np.full(len(first.axes), 0.3))
    assert first.truth(params) != second.truth(params)
    assert first.truth(params) == made(name, 0).truth(params)


def test_the_optimum_is_away_from_the_centre():
    for name in ("levy", "griewank", "dixon-price", "ackley", "rosenbrock"):
        for seed in range(10):
            task = made(name, seed)
            assert task.truth(at(task.axes, np.full(len(task.axes), 0.5))) > 0.02 * task.typical


# -- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["noisy-hartmann", "heteroscedastic", "noisy-branches"])
def test_noise_belongs_to_the_number_of_the_evaluation(name):
    """Two samplers that ask different points at the same time get the same luck, in units of sigma."""
    task = made(name, 4)
    rng = np.random.default_rng(0)
    z = np.array(
        [
            [(task.loss(k, params) - task.truth(params)) / task.noise(params) for k in range(200)]
            for params in (at(task.axes, u) for u in rng.random((2, len(task.axes))))
        ]
    )
    np.testing.assert_allclose(z[0], z[1], atol=1e-9)
    # Standard normal: 200 draws have a mean within four standard errors.
    assert abs(z[0].mean()) < 4 / np.sqrt(200)
    assert 0.8 < z[0].std() < 1.2
    again = registry()[name](5)
    params = at(task.axes, np.full(len(task.axes), 0.4))
    assert task.loss(0, params) - task.truth(params) != again.loss(0, params) - again.truth(params)


def test_noise_differs_from_place_to_place():
    task = made("heteroscedastic", 0)
    rng = np.random.default_rng(0)
    levels = [task.noise(at(task.axes, u)) for u in rng.random((300, 4))]
    assert max(levels) > 3 * min(levels)


# -- axes ---------------------------------------------------------------------------------------

TREE = [
    categorical("model", ["a", "b", None]),
    integer("k", 1, 3, parent="model", when=("a", "b")),
    categorical("solver", [True, False], parent="model", when=("b",)),
    real("rate", 1e-2, 1e2, log=True, parent="solver", when=(True,)),
]


def test_values_at_positions():
    assert [integer("k", 1, 3).at(u) for u in (0.0, 0.3, 0.34, 0.7, 1.0)] == [1, 1, 2, 3, 3]
    assert real("x", 1e-2, 1e2, log=True).at(0.5) == pytest.approx(1.0)
    assert [categorical("c", "xyz").at(u) for u in (0.0, 0.34, 1.0)] == ["x", "y", "z"]
    for axis in (integer("k", 1, 1000, log=True), real("x", -3.0, 5.0), categorical("c", "xyz")):
        for u in (0.1, 0.5, 0.9):
            value = axis.at(u)
            again = axis.at(axis.position(value))
            assert again == (pytest.approx(value) if axis.kind == "real" else value)


def test_only_what_hangs_under_the_chosen_branch_is_active():
    every = {"model": "a", "k": 2, "solver": True, "rate": 1.0}
    assert active(TREE, every) == {"model": "a", "k": 2}
    assert active(TREE, every | {"model": "b"}) == {"model": "b", "k": 2, "solver": True, "rate": 1.0}
    assert active(TREE, every | {"model": "b", "solver": False}) == {"model": "b", "k": 2, "solver": False}
    assert active(TREE, every | {"model": None}) == {"model": None}


def test_axes_travel_as_json():
    import json

    assert from_json(json.loads(json.dumps(to_json(TREE)))) == TREE
    assert [axis.name for axis in walk(TREE, {"model": "b", "solver": False})] == ["model", "k", "solver"]


# -- the split ----------------------------------------------------------------------------------


def test_halves_have_no_task_in_common_and_leave_none_out():
    pytest.importorskip("ioh")
    development, held_out = (
        {name for names in half.values() for name in names} for half in halves().values()
    )
    assert not development & held_out
    assert development | held_out == set(registry())


def test_real_tasks_of_the_halves_are_of_other_models():
    def models(half):
        return {name.removeprefix("noisy-").split("-")[0] for name in halves()[half]["real"]} - {"pipeline"}

    assert not models("development") & models("held-out")
