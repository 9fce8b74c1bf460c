"""Functions of the black-box optimisation benchmark (BBOB), through the ``ioh`` package.

One of each of its five groups for each half of the tasks. Instance ``seed + 1`` moves and turns the
function; a loss is what the function has above its optimum, so the optimum is 0.

References
----------
Hansen, Finck, Ros & Auger (2009). Real-parameter black-box optimization benchmarking 2009: noiseless
functions definitions. INRIA RR-6829.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from .axes import Params, real
from .functions import vector
from .tasks import FunctionTask, Task

FUNCTIONS = {
    "sphere": 1,
    "rastrigin": 3,
    "attractive-sector": 6,
    "rosenbrock": 8,
    "ellipsoid": 10,
    "sharp-ridge": 13,
    "rotated-rastrigin": 15,
    "schaffers": 17,
    "gallagher": 21,
    "gallagher-22": 22,
}
DIMENSIONS = (5, 10)


def bbob(number: int, d: int, seed: int) -> Task:
    """Function of that number in d dimensions, on BBOB's box from -5 to 5."""
    import ioh

    problem = ioh.get_problem(number, instance=seed + 1, dimension=d, problem_class=ioh.ProblemClass.BBOB)
    least = problem.optimum.y

    def truth(params: Params) -> float:
        return max(0.0, float(problem(vector(params, d))) - least)

    return FunctionTask([real(f"x{j}", -5.0, 5.0) for j in range(d)], truth, 0.0, seed)


TASKS: dict[str, Callable[[int], Task]] = {}
if find_spec("ioh"):
    TASKS = {
        f"bbob-{name}-{d}": partial(bbob, number, d) for name, number in FUNCTIONS.items() for d in DIMENSIONS
    }
