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


def _run(request: Mapping[str, Any], out: TextIO) -> list[float]:
    """CPU seconds of the sampler until it asked for each evaluation, and until its end."""
    minimise = load(request["sampler"])
    job = Job(from_json(request["axes"]), request["seed"], request["n"], request["noisy"])
    seconds: list[float] = []
    start = time.process_time()

    def evaluate(params: dict[str, Any]) -> float:
        nonlocal start
        seconds.append(time.process_time() - start)
        if len(seconds) > job.n:
            raise Enough
        _say(out, {"ask": params})
        loss = json.loads(sys.stdin.readline())["loss"]
        # Saying and hearing is not the sampler's work.
        start = time.process_time() - seconds[-1]
        return loss

    try:
        minimise(job, evaluate)
    except Enough:
        return seconds
    return [*seconds, time.process_time() - start]


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
