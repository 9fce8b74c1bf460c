"""CPU time that a sampler itself takes for one candidate, at a given number of observations.

Measured
    A sampler is told n - 10 points of a smooth function and then asks and is told ten more,
    one after the other; the median CPU time of ask + tell over those ten is its time at n. The
    median over ``--repeats`` seeds is printed for each of our samplers and for Optuna's. Telling
    the first points is not counted, but the model fits that Optuna makes only in ``ask`` are not
    spared by it: both sides fit for the first time at the first ask and start warm after it.
Run
    ``make bench-gp-time``, or ``python benchmarks/gp_time.py --n 100 --d 5``.
Predicted, and what came out
    See ``benchmarks/README.md``. Bar: the GP at n = 100 in d = 5 takes at most 30 ms.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

import _samplers
from _tasks import unit_cube

TIMED = 10


def _loss(x: np.ndarray) -> float:
    return float(((x - 0.3) ** 2).sum() + 0.1 * np.cos(9.0 * x).sum())


def time_for_one(name: str, n: int, d: int, seed: int) -> float:
    """Median CPU seconds of ask + tell between n - 10 and n observations."""
    space = unit_cube(d)
    rng = np.random.default_rng(seed)
    runner = _samplers.start(name, space, seed=seed, n_trials=n)
    runner.tell_many([(u, _loss(u)) for u in rng.random((n - TIMED, d))])
    taken = []
    for _ in range(TIMED):
        start = time.process_time()
        params = runner.ask()
        asked = time.process_time() - start
        loss = _loss(np.array([params[f"x{j}"] for j in range(d)]))
        start = time.process_time()
        runner.tell(loss)
        taken.append(asked + time.process_time() - start)
    return float(np.median(taken))


def main() -> None:
    """Time each sampler at each n and print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = _samplers.OURS + _samplers.PEERS
    default = [name for pair in _samplers.FAMILIES.items() for name in pair]
    parser.add_argument("--samplers", nargs="+", choices=names, default=default, metavar="SAMPLER")
    parser.add_argument("--n", type=int, nargs="+", default=[100, 300], help="observations")
    parser.add_argument("--d", type=int, default=5, help="dimensions")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"milliseconds of CPU for one ask and tell, d = {arguments.d}, median of {arguments.repeats} seeds")
    print(f"{'sampler':<15}" + "".join(f"{f'n = {n}':>12}" for n in arguments.n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in arguments.samplers:
            cells = [
                np.median([time_for_one(name, n, arguments.d, seed) for seed in range(arguments.repeats)])
                for n in arguments.n
            ]
            print(f"{name:<15}" + "".join(f"{1e3 * seconds:>12.2f}" for seconds in cells), flush=True)


if __name__ == "__main__":
    main()
