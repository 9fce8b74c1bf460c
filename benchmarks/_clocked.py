"""Estimators that cost next to nothing, or sleep, and write down when; importable by worker processes."""

from __future__ import annotations

import hashlib
import math
import os
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skhpo.evaluation.adapters import Adapter, register_adapter

SIGMA = 1.0
"""Standard deviation of the logarithm of a sleep."""


def note(folder: str, begin: float, end: float) -> None:
    """Append a task to the file of this process; the clock is the same for all processes."""
    with Path(folder, f"{os.getpid()}.txt").open("a") as file:
        file.write(f"{begin!r} {end!r}\n")


def read_notes(folder: str | Path) -> tuple[np.ndarray, int]:
    """Begin and end (n, 2) of all tasks in the order of beginning, and the number of processes."""
    files = list(Path(folder).glob("*.txt"))
    rows = [line.split() for file in files for line in file.read_text().splitlines()]
    times = np.array(rows, dtype=float).reshape(-1, 2)
    return times[np.argsort(times[:, 0])], len(files)


def rest(seconds: float) -> int:
    """Sleep, and give the number of the process; a worker that does so has imported this module."""
    time.sleep(seconds)
    return os.getpid()


class Sleeper(BaseEstimator):
    """Sleeps for a log-normal time that a hash of candidate and fold draws, in proportion to its length.

    Parameters
    ----------
    a, b : float
        What is searched.
    length : int
        Units to sleep for.
    unit : float
        Mean seconds of one unit.
    folder : str
        Where begin and end are noted.
    """

    def __init__(
        self, a: float = 0.5, b: float = 0.5, length: int = 1, unit: float = 0.2, folder: str = "."
    ) -> None:
        self.a, self.b, self.length, self.unit, self.folder = a, b, length, unit, folder

    def fit(self, X: Any, y: Any) -> Sleeper:
        """Sleep for the whole length."""
        self.sleep(X, self.length)
        self.fitted_ = True
        return self

    def sleep(self, X: np.ndarray, units: int) -> None:
        """Sleep for some units of this candidate on this fold."""
        begin = time.monotonic()
        drawn = hashlib.blake2b(repr((self.a, self.b)).encode() + X.tobytes(), digest_size=8).digest()
        z = NormalDist().inv_cdf((int.from_bytes(drawn) + 0.5) / 2.0**64)
        # The mean of exp(SIGMA z - SIGMA^2 / 2) is 1.
        time.sleep(self.unit * units * math.exp(SIGMA * z - SIGMA**2 / 2))
        note(self.folder, begin, time.monotonic())

    def score(self, X: Any, y: Any) -> float:
        """Better near the middle, and for longer training."""
        return -((self.a - 0.4) ** 2) - (self.b - 0.6) ** 2 - 0.1 / self.length


@dataclass(frozen=True)
class SleepOn(Adapter):
    """A sleeper goes on from where it woke up."""

    resource: str = "length"

    def extend(
        self, model: Any, resource: int, X: Any, y: Any, fit_params: Mapping[str, Any], memo: Any
    ) -> Any:
        """Sleep for what is missing."""
        missing = resource - model.length
        model.set_params(length=resource)
        model.sleep(X, missing)
        return memo


register_adapter(Sleeper, SleepOn())


class Noted(BaseEstimator):
    """Does nothing and notes in a file when; ``a`` is what is searched."""

    def __init__(self, a: float = 0.5, folder: str = ".") -> None:
        self.a, self.folder = a, folder

    def fit(self, X: Any, y: Any) -> Noted:
        """Note begin and end."""
        begin = time.monotonic()
        self.fitted_ = True
        note(self.folder, begin, time.monotonic())
        return self

    def score(self, X: Any, y: Any) -> float:
        """A parabola."""
        return -((self.a - 0.3) ** 2)


def resident_memory() -> float:
    """MB of memory that this process holds; its peak, where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


CPU, WALL, MEMORY = array("d"), array("d"), array("d")
"""Of every fit of a ``Trivial`` in this process: CPU and wall clock in seconds, and MB of memory."""


class Trivial(BaseEstimator):
    """Does nothing and notes in memory when; one parameter of each kind to search."""

    def __init__(
        self, a: float = 0.5, b: float = 1.0, c: float = 0.5, n: int = 1, kind: str = "p", memory_at: int = 0
    ) -> None:
        self.a, self.b, self.c, self.n, self.kind, self.memory_at = a, b, c, n, kind, memory_at

    def fit(self, X: Any, y: Any) -> Trivial:
        """Note the time, and the memory at every so many fits."""
        CPU.append(time.process_time())
        WALL.append(time.perf_counter())
        if len(CPU) % self.memory_at == 0:
            MEMORY.append(resident_memory())
        self.fitted_ = True
        return self

    def score(self, X: Any, y: Any) -> float:
        """A bowl over all parameters."""
        bowl = (self.a - 0.3) ** 2 + (np.log10(self.b) - 0.4) ** 2 + (self.c - 0.8) ** 2
        return -float(bowl + ((self.n - 30) / 100) ** 2 + (self.kind != "q"))
