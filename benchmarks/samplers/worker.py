"""A process that runs samplers for another one: ``python -m benchmarks.samplers.worker``.

Samplers may need environments of their own, and their CPU time is to be told from that of the evaluations,
so the two never share a process. Lines of JSON go both ways: a job comes in, then the worker asks for the
loss of parameters as often as the sampler does, and says at the end how long the sampler itself took.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from typing import Any, TextIO

from .axes import from_json
from .peers import PEERS, Job, load, version_here


class Enough(Exception):
    """The sampler asked for more evaluations than it had."""


class _Remote:
    """The task in the other process; keeps the time of the sampler, which asks for its evaluations.

    Attributes
    ----------
    seconds : list of float
        CPU seconds of the sampler until it asked for each evaluation.
    """

    def __init__(self, n: int, out: TextIO) -> None:
        self.folds: list[float] | None = None
        self.seconds: list[float] = []
        self._n, self._out = n, out
        self._start = time.process_time()

    @property
    def elapsed(self) -> float:
        return time.process_time() - self._start

    def __call__(self, params: dict[str, Any]) -> float:
        self.seconds.append(self.elapsed)
        if len(self.seconds) > self._n:
            raise Enough
        _say(self._out, {"ask": params})
        answer = json.loads(sys.stdin.readline())
        self.folds = answer.get("folds")
        # Saying and hearing is not the sampler's work.
        self._start = time.process_time() - self.seconds[-1]
        return answer["loss"]


def _run(request: Mapping[str, Any], out: TextIO) -> list[float]:
    """CPU seconds of the sampler until it asked for each evaluation, and until its end."""
    minimise = load(request["sampler"])
    job = Job(from_json(request["axes"]), request["seed"], request["n"], request["noisy"])
    evaluate = _Remote(job.n, out)
    try:
        minimise(job, evaluate)
    except Enough:
        return evaluate.seconds
    return [*evaluate.seconds, evaluate.elapsed]


def _say(out: TextIO, message: Mapping[str, Any]) -> None:
    # Some libraries give numpy's numbers.
    out.write(json.dumps(message, default=lambda value: value.item()) + "\n")
    out.flush()


def main() -> None:
    """Serve jobs until there are no more lines."""
    out = os.fdopen(os.dup(1), "w")
    # What libraries print is not part of the conversation.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    _say(out, {"versions": {name: version_here(name) for name in PEERS}})
    for line in iter(sys.stdin.readline, ""):
        try:
            seconds = _run(json.loads(line), out)
        except Exception:  # a sampler may fail in any way, and the others are to go on
            _say(out, {"error": traceback.format_exc()})
        else:
            _say(out, {"seconds": seconds})


if __name__ == "__main__":
    main()
