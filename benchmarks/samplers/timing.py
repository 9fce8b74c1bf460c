"""CPU time that a sampler itself takes for one suggestion: ``python -m benchmarks.samplers.timing``.

Measured
    A sampler is run on a smooth, rippled function of d real parameters. Its time at n is the mean CPU time,
    over the last ten of n evaluations, of all that it does between two of them: telling, fitting its model
    and asking. The median over ``--repeats`` seeds is printed. A sampler whose next point would take longer
    than ``--patience`` seconds, by its last times, is not taken to a larger n.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from .axes import Params, to_json, unit_cube
from .functions import vector
from .peers import PEERS
from .running import SamplerFailed, Worker

TIMED = 10
DEFAULT = ("tpe", "optuna-tpe", "hyperopt", "gp", "optuna-gp", "skopt", "cmaes", "optuna-cmaes", "cma")


def _loss(params: Params) -> float:
    x = vector(params, len(params))
    return float(((x - 0.3) ** 2).sum() + 0.1 * np.cos(9.0 * x).sum())


def times_of(worker: Worker, sampler: str, n: int, d: int, seed: int) -> np.ndarray:
    """CPU seconds (n,) of a sampler up to each evaluation, from the one before."""
    request = {"sampler": sampler, "axes": to_json(unit_cube(d)), "seed": seed, "n": n, "noisy": False}
    message = worker.say(request)
    while "ask" in message:
        message = worker.say({"loss": _loss(message["ask"])})
    if "error" in message:
        raise SamplerFailed(message["error"])
    return np.diff(message["seconds"][:n], prepend=0.0)


def _time_at(worker: Worker, sampler: str, n: int, d: int, repeats: int) -> float:
    """Median over seeds of the seconds for one suggestion at n."""
    return float(
        np.median([times_of(worker, sampler, n, d, seed)[-TIMED:].mean() for seed in range(repeats)])
    )


def main(given: Sequence[str] | None = None) -> None:
    """Time each sampler at each n and print milliseconds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samplers.timing",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--samplers", nargs="+", choices=PEERS, default=list(DEFAULT), metavar="SAMPLER")
    parser.add_argument("--n", type=int, nargs="+", default=[100, 300], help="observations")
    parser.add_argument("--d", type=int, default=8, help="dimensions")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for one run, by estimate")
    parser.add_argument(
        "--python", action="append", default=[], help="interpreter of an environment with more peers"
    )
    arguments = parser.parse_args(given)
    workers = [Worker(python) for python in [sys.executable, *arguments.python]]
    try:
        _print_times(workers, arguments)
    finally:
        for worker in workers:
            worker.close()


def _print_times(workers: Sequence[Worker], arguments: argparse.Namespace) -> None:
    numbers = sorted(arguments.n)
    print(f"milliseconds of CPU for one suggestion, d = {arguments.d}, median of {arguments.repeats} seeds")
    print(f"{'sampler':<18}" + "".join(f"{f'n = {n}':>12}" for n in numbers))
    for sampler in arguments.samplers:
        worker = next((worker for worker in workers if worker.versions[sampler]), None)
        if worker is None:
            print(f"{sampler:<18}  not installed")
            continue
        taken: dict[int, float] = {}
        for n in numbers:
            if n * _last(taken) > arguments.patience:
                break
            taken[n] = _time_at(worker, sampler, n, arguments.d, arguments.repeats)
        cells = [f"{1e3 * taken[n]:.2f}" if n in taken else "-" for n in numbers]
        print(f"{sampler:<18}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def _last(taken: Mapping[int, float]) -> float:
    return taken[max(taken)] if taken else 0.0


if __name__ == "__main__":
    main()
