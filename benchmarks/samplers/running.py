"""One run: a sampler in its own process, the task in this one."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .axes import to_json
from .peers import base_of
from .results import CHECKPOINTS, Record
from .tasks import Task

ROOT = Path(__file__).parents[2]


class SamplerFailed(RuntimeError):
    """A sampler raised; the message is its traceback."""


class Worker:
    """A process of one environment that runs samplers.

    Parameters
    ----------
    python : str
        Interpreter of the environment.

    Attributes
    ----------
    versions : dict
        Version of each sampler that the environment has; None for the others.
    """

    def __init__(self, python: str) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._python = python
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.samplers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )
        self.versions: dict[str, str | None] = self._hear()["versions"]

    def say(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and wait for the next one."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SamplerFailed(f"The process of {self._python} ended, status {self._process.wait()}.")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Workers:
    """One worker for each environment; a sampler runs in the first that has it."""

    def __init__(self, pythons: Sequence[str] = (sys.executable,)) -> None:
        self._workers = {python: Worker(python) for python in dict.fromkeys(pythons)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.close()

    @property
    def versions(self) -> dict[str, str]:
        """Version of each sampler that some environment has."""
        found: dict[str, str] = {}
        for worker in self._workers.values():
            there = {name: version for name, version in worker.versions.items() if version is not None}
            # Those of the first environment stand.
            found = there | found
        return found

    def _of(self, name: str) -> Worker | None:
        return next((worker for worker in self._workers.values() if worker.versions[base_of(name)]), None)

    def run(self, task_name: str, task: Task, sampler: str, n: int, *, is_noisy: bool) -> Record:
        """The truth at the incumbent after each of n evaluations, with the sampler's own time.

        The incumbent is the point whose *observed* loss is the least so far: with noise, what a user
        would be left with.

        Raises
        ------
        SamplerFailed
        """
        worker = self._of(sampler)
        if worker is None:
            raise SamplerFailed(f"{sampler} is not installed.")
        request = {
            "sampler": sampler,
            "axes": to_json(task.axes),
            "seed": task.seed,
            "n": n,
            "noisy": is_noisy,
        }
        best_seen, k = math.inf, 0
        steps: list[tuple[int, float]] = []
        try:
            message = worker.say(request)
            while "ask" in message:
                loss, folds = task.loss(k, message["ask"]), task.folds(k, message["ask"])
                if loss < best_seen:
                    best_seen = loss
                    steps.append((k, task.truth(message["ask"])))
                k += 1
                message = worker.say({"loss": loss, "folds": folds})
        except SamplerFailed:
            # A process that is gone takes nobody else with it.
            self._replace(worker)
            raise
        if "error" in message:
            raise SamplerFailed(message["error"])
        seconds = message["seconds"]
        taken = {m: round(seconds[min(m, len(seconds) - 1)], 5) for m in (*CHECKPOINTS, n) if m <= n}
        return Record(
            task_name, sampler, str(worker.versions[base_of(sampler)]), task.seed, n, k, steps, taken
        )

    def _replace(self, worker: Worker) -> None:
        worker.close()
        for python, known in self._workers.items():
            if known is worker:
                self._workers[python] = Worker(python)
