"""Real evaluations that were made once, on disk: scores of the folds, keyed by exact parameters."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import numpy as np
import sklearn

from .axes import Params

PATH = Path(os.environ.get("SKHPO_BENCH_CACHE", Path(__file__).parent / "evaluations.sqlite"))


@cache
def versions_of(packages: tuple[str, ...]) -> Mapping[str, str]:
    """What an evaluation depends on beside its parameters: versions by library."""
    # A module's own word: xgboost also comes as another distribution, xgboost-cpu.
    found = {"numpy": np.__version__, "scikit-learn": sklearn.__version__}
    found |= {package: import_module(package).__version__ for package in packages}
    return MappingProxyType(found)


class Evaluations:
    """Losses of the folds for each (task, split, parameters, versions of the libraries).

    A process that is killed loses nothing that it had stored; several may share the file.
    """

    def __init__(self, path: Path = PATH) -> None:
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS evaluations (key BLOB PRIMARY KEY, losses BLOB) WITHOUT ROWID"
        )

    def get(
        self,
        problem: str,
        split: int,
        params: Params,
        versions: Mapping[str, str],
        compute: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """Losses (folds,), computed if they are not there."""
        # JSON writes floats so that they are read back exactly: equal keys are equal parameters.
        libraries = " ".join(f"{library}={version}" for library, version in versions.items())
        said = json.dumps([problem, split, dict(sorted(params.items())), libraries])
        key = hashlib.blake2b(said.encode(), digest_size=16).digest()
        row = self._connection.execute("SELECT losses FROM evaluations WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return np.frombuffer(row[0])
        losses = np.asarray(compute(), dtype=float)
        self._connection.execute("INSERT OR IGNORE INTO evaluations VALUES (?, ?)", (key, losses.tobytes()))
        return losses
