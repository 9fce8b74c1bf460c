"""What has been run: JSON lines that are only ever appended."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

CHECKPOINTS = (25, 50, 100, 300)
Key: TypeAlias = tuple[str, str, str, int, int]


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes
    ----------
    task, sampler, version : str
    seed : int
    n : int
        Evaluations that the sampler was told it had.
    asked : int
        Evaluations that it asked for; fewer where it ended by itself.
    steps : sequence of (int, float)
        Number of each evaluation, from 0, that became the incumbent, and its truth.
    seconds : dict
        CPU time of the sampler up to some numbers of evaluations.
    """

    task: str
    sampler: str
    version: str
    seed: int
    n: int
    asked: int
    steps: Sequence[tuple[int, float]]
    seconds: dict[int, float]

    @property
    def key(self) -> Key:
        return self.task, self.sampler, self.version, self.seed, self.n

    def trace(self) -> np.ndarray:
        """Truth at the incumbent after each of n evaluations, (n,)."""
        trace = np.full(self.n, math.nan)
        for k, truth in self.steps:
            trace[k:] = truth
        return trace


class Results:
    """Records in a file; of equal runs the first one counts.

    Several processes may append to the file at once: each line is one write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[Key, Record] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._keep(_read(line))

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._records

    def append(self, record: Record) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(record), separators=(",", ":")) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        self._keep(record)

    def _keep(self, record: Record) -> None:
        self._records.setdefault(record.key, record)

    def version_of(self, sampler: str, current: str | None) -> str | None:
        """The version that a report is about: today's, or else the one that was run last."""
        there = [record.version for record in self if record.sampler == sampler]
        return current if current in there else (there[-1] if there else None)

    def least(self, task: str) -> float:
        """Least truth of an incumbent that any run of the task had; runs of all versions and seeds."""
        return min(
            (truth for record in self if record.task == task for _, truth in record.steps), default=math.inf
        )


def _read(line: str) -> Record:
    given = json.loads(line)
    given["seconds"] = {int(n): seconds for n, seconds in given["seconds"].items()}
    given["steps"] = [(int(k), float(truth)) for k, truth in given["steps"]]
    return Record(**given)
