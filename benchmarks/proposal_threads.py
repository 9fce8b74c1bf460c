"""What threads of linear algebra cost the proposals of a Gaussian process beside busy workers.

Measured
    Wall clock of the proposals of a search of 80 candidates in four dimensions, with one thread and with as
    many as the library takes by itself; while no other process is busy, and while one for each processor is.
Run
    ``python benchmarks/proposal_threads.py``
Predicted, and what came out
    See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from contextlib import nullcontext

import numpy as np
from threadpoolctl import threadpool_limits

from skhpo.samplers import make_sampler
from skhpo.space import Column, Real, Space


def spin() -> None:
    """Be busy until killed."""
    while True:
        sum(range(1000))


def seconds(n: int, *, one_thread: bool) -> float:
    """Time of all proposals of a search of n candidates."""
    space = Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(4)])
    sampler = make_sampler("gp").start(space, seed=0, n_trials=n)
    taken = 0.0
    for _ in range(n):
        with threadpool_limits(1, user_api="blas") if one_thread else nullcontext():
            start = time.perf_counter()
            X = sampler.ask(1)
            taken += time.perf_counter() - start
        sampler.tell(X, ((X - 0.3) ** 2).sum(axis=1))
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for n_busy in (0, os.cpu_count() or 1):
        workers = [multiprocessing.Process(target=spin, daemon=True) for _ in range(n_busy)]
        for worker in workers:
            worker.start()
        one, many = (
            np.median([seconds(arguments.candidates, one_thread=flag) for _ in range(arguments.rounds)])
            for flag in (True, False)
        )
        for worker in workers:
            worker.kill()
        print(
            f"{n_busy} busy processes: one thread {one:.2f} s, default {many / one:.1f} times that",
            flush=True,
        )


if __name__ == "__main__":
    main()
