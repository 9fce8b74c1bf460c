"""What is kept of a model between two rungs, so that it can be trained on."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from joblib import wrap_non_picklable_objects


@dataclass(frozen=True)
class Checkpoint:
    """A model as a rung left it.

    Attributes
    ----------
    model : estimator
    memo : object
        What its adapter wants to know when it trains on.
    length : int
        How far it was trained, in its own units.
    devices : tuple of str
        Where its nets were.
    """

    model: Any
    memo: Any
    length: int
    devices: tuple[str, ...] = ()


class Checkpoints(ABC):
    """Checkpoints of a search, one for each trial and fold; a context manager that leaves nothing behind.

    A checkpoint that cannot be had is no error: its model is trained again from the beginning.
    """

    @abstractmethod
    def save(self, trial: int, fold: int, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in place of the last one."""

    @abstractmethod
    def load(self, trial: int, fold: int, like: Any = None) -> Checkpoint | None:
        """The last checkpoint, or None; of a model of the classes of ``like``."""

    @abstractmethod
    def discard(self, trial: int, fold: int) -> None:
        """Throw away what is not the model as a rung left it any more, since it has been trained on."""

    @abstractmethod
    def drop(self, trial: int) -> None:
        """Throw away what was kept of a trial."""

    @abstractmethod
    def close(self) -> None:
        """Throw away everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class MemoryCheckpoints(Checkpoints):
    """Models themselves, for work that runs in this process."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[int, Checkpoint]] = {}

    def save(self, trial: int, fold: int, checkpoint: Checkpoint) -> None:
        """Keep the model, no copy of it."""
        self._kept.setdefault(trial, {})[fold] = checkpoint

    def load(self, trial: int, fold: int, like: Any = None) -> Checkpoint | None:
        """The model that was kept."""
        return self._kept.get(trial, {}).get(fold)

    def discard(self, trial: int, fold: int) -> None:
        """Let go of a model."""
        self._kept.get(trial, {}).pop(fold, None)

    def drop(self, trial: int) -> None:
        """Let go of a trial's models."""
        self._kept.pop(trial, None)

    def close(self) -> None:
        """Let go of all models."""
        self._kept.clear()


class FileCheckpoints(Checkpoints):
    """Pickles in a directory that only this user can read, written and read by worker processes.

    A copy that a worker gets reads and writes in the same directory. The directory is on this
    machine: a worker on another one finds nothing there and trains from the beginning.
    """

    def __init__(self) -> None:
        # mkdtemp gives mode 0700, which matters: what is unpickled from here is executed.
        self.directory = Path(tempfile.mkdtemp(prefix="skhpo-"))

    def _path(self, trial: int, fold: int) -> Path:
        return self.directory / f"{trial}-{fold}.pickle"

    def save(self, trial: int, fold: int, checkpoint: Checkpoint) -> None:
        """Write the model; a model that cannot be pickled, or a full disk, is told in a warning."""
        _show_script_classes(checkpoint.model)
        path = self._path(trial, fold)
        partial = path.with_suffix(".partial")
        try:
            try:
                _write(partial, checkpoint)
            except (pickle.PicklingError, AttributeError, TypeError):
                # Functions of somebody's notebook, which joblib can carry; it takes twice the memory.
                _write(partial, wrap_non_picklable_objects(checkpoint, keep_wrapper=False))
            os.replace(partial, path)
        except Exception as error:
            # Whatever the pickling of somebody's model raises.
            partial.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            warnings.warn(
                f"{type(checkpoint.model).__name__} could not be kept between rungs and will be trained "
                f"again from the beginning when it is promoted: {type(error).__name__}: {error}",
                stacklevel=2,
            )

    def load(self, trial: int, fold: int, like: Any = None) -> Checkpoint | None:
        """Read the model, if it is there and can be read."""
        _show_script_classes(like)
        try:
            with self._path(trial, fold).open("rb") as file:
                return pickle.load(file)
        except FileNotFoundError:
            return None
        except Exception as error:
            # Whatever the unpickling of somebody's model raises.
            warnings.warn(
                f"A model that was kept between rungs could not be read and is trained again from the "
                f"beginning: {type(error).__name__}: {error}",
                stacklevel=2,
            )
            return None

    def discard(self, trial: int, fold: int) -> None:
        """Nothing: what is read is a copy."""

    def drop(self, trial: int) -> None:
        """Delete a trial's files."""
        for path in self.directory.glob(f"{trial}-*"):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _show_script_classes(model: Any) -> None:
    """Let pickle find the classes of the user's script in this process.

    A worker got them by value, and its ``__main__`` does not have them; pickle, which libraries may call by
    themselves (skorch does), takes classes by name.
    """
    main = sys.modules["__main__"]
    parameters = model.get_params(deep=True) if hasattr(model, "get_params") else {}
    for value in (model, *parameters.values()):
        cls = value if isinstance(value, type) else type(value)
        if cls.__module__ == "__main__" and not hasattr(main, cls.__qualname__):
            setattr(main, cls.__qualname__, cls)


def _write(path: Path, value: Any) -> None:
    with path.open("wb") as file:
        pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)


def open_checkpoints(*, in_process: bool) -> Checkpoints:
    """The kind that fits where the work runs: in this process, or in others."""
    return MemoryCheckpoints() if in_process else FileCheckpoints()
