"""What has been run: JSON lines that are only ever appended, and those that the repository keeps.

A peer's runs cost hours and are the same on every machine, so ``runs/`` has them, a compressed file for each
sampler. A run of a real task is what it is only with the libraries that it was evaluated with, whose versions
head the file; with others it does not count.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

KEPT = Path(__file__).parent / "runs"

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

    def as_line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"

    @classmethod
    def of_line(cls, line: str) -> Record:
        given = json.loads(line)
        given["seconds"] = {int(n): seconds for n, seconds in given["seconds"].items()}
        given["steps"] = [(int(k), float(truth)) for k, truth in given["steps"]]
        return cls(**given)


class Results:
    """Records in a file; of equal runs the first one counts.

    Several processes may append to the file at once: each line is one write.

    Parameters
    ----------
    path : Path
        Of JSON lines, there or not.
    kept : iterable of Record
        Runs that were made elsewhere.
    """

    def __init__(self, path: Path, kept: Iterable[Record] = ()) -> None:
        self._path = path
        self._records: dict[Key, Record] = {}
        for record in kept:
            self._keep(record)
        if path.exists():
            for line in path.read_text().splitlines():
                self._keep(Record.of_line(line))

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._records

    def append(self, record: Record) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, record.as_line().encode())
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


def load_kept(versions_of: Callable[[str], Mapping[str, str]], folder: Path = KEPT) -> Iterator[Record]:
    """Records of a folder that count with the libraries of this environment.

    Parameters
    ----------
    versions_of : callable
        Maps a task's name to the versions of the libraries that its truths depend on.
    folder : Path
    """
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as file:
            evaluated_with = json.loads(file.readline())
            for line in file:
                record = Record.of_line(line)
                if versions_of(record.task).items() <= evaluated_with.items():
                    yield record


def keep(records: Iterable[Record], evaluated_with: Mapping[str, str], folder: Path = KEPT) -> None:
    """Write records into a folder, a file for each sampler in place of the one that is there.

    The same records are the same bytes, in whichever order they were made.
    """
    by_sampler: dict[str, list[Record]] = {}
    for record in records:
        by_sampler.setdefault(record.sampler, []).append(record)
    folder.mkdir(parents=True, exist_ok=True)
    for sampler, found in by_sampler.items():
        lines = [record.as_line() for record in sorted(found, key=lambda record: record.key)]
        text = json.dumps(dict(sorted(evaluated_with.items()))) + "\n" + "".join(lines)
        (folder / f"{sampler}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
