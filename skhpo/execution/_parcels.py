"""Calls as bytes, for workers on other machines: large arguments are left out and travel once, apart.

A cluster of its own accord would pickle X with each task, tell of what cannot be pickled in threads where
nobody listens, and fail in places of its own choice. Here the call is made into bytes before it is handed
over and the result before it is sent back, so that whatever goes wrong belongs to one task.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import parallel_config

from skhpo._sklearn import carry_configuration
from skhpo.evaluation import Call
from skhpo.execution._tasks import run_guarded
from skhpo.execution._workers import WorkerDied

LARGE = 100_000
"""Bytes from which on an argument travels once instead of with every task."""


class _LeavesLargeOut:
    """Mixin of a pickler: what is large is replaced by its place in a list."""

    large: dict[int, Any]
    places: dict[int, int]

    def persistent_id(self, value: Any) -> int | None:
        if id(value) not in self.large:
            return None
        return self.places.setdefault(id(value), len(self.places))


class Packer:
    """Makes calls into bytes, and keeps what is large out of them.

    Large are arrays, sparse matrices, data frames and lists of at least ``LARGE`` bytes that are arguments of
    the call, or values of a dict which is. They are held until the packer is gone, so that each
    keeps its identity.

    Parameters
    ----------
    pickler : type
        A subclass of ``pickle.Pickler``; that of ``cloudpickle`` also takes what only ``__main__`` has.
    """

    def __init__(self, pickler: type[pickle.Pickler]) -> None:
        self._pickler: Any = type("CallPickler", (_LeavesLargeOut, pickler), {})
        self._large: dict[int, Any] = {}
        self._wrapped: dict[Callable[..., Any], Callable[..., Any]] = {}

    def pack(self, call: Call) -> tuple[bytes, list[Any]]:
        """A call without its large arguments, and these in the order in which ``run_packed`` wants them.

        It will run under the configuration of scikit-learn and the warning filters of now.

        Raises
        ------
        Exception
            Whatever pickling raises.
        """
        function, args, kwargs = call
        if function not in self._wrapped:
            self._wrapped[function] = carry_configuration(function)
        for argument in (*args, *kwargs.values()):
            for value in argument.values() if isinstance(argument, dict) else (argument,):
                if id(value) not in self._large and n_bytes(value) >= LARGE:
                    self._large[id(value)] = value
        file = io.BytesIO()
        pickler = self._pickler(file, pickle.HIGHEST_PROTOCOL)
        pickler.large, pickler.places = self._large, {}
        pickler.dump((self._wrapped[function], args, kwargs))
        return file.getvalue(), [self._large[i] for i in pickler.places]


class _CallUnpickler(pickle.Unpickler):
    """Puts what travelled apart back into its places."""

    def __init__(self, file: io.BytesIO, large: Sequence[Any]) -> None:
        super().__init__(file)
        self._large = large

    def persistent_load(self, place: int) -> Any:
        return self._large[place]


def run_packed(
    payload: bytes, large: Sequence[Any], nested: dict[str, Any], dumps: Callable[[Any], bytes]
) -> bytes:
    """What a worker does with a packed call.

    Parameters
    ----------
    payload : bytes
    large : sequence
        The large arguments. Arrays become read-only, since other tasks get the same.
    nested : dict
        Parameters of ``joblib.parallel_config`` for parallel work within the task.
    dumps : callable
        The last resort for results of classes that only ``__main__`` has.

    Returns
    -------
    result : bytes
        For ``unpack_result``.

    Raises
    ------
    WorkerDied
        If the task called ``sys.exit``.
    Exception
        What the task raised, or RuntimeError if that would not arrive.
    """

    def run() -> bytes:
        function, args, kwargs = _CallUnpickler(io.BytesIO(payload), [_read_only(v) for v in large]).load()
        with parallel_config(**nested):
            result = function(*args, **kwargs)
        try:
            return pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception:
            # What pickle raises for the same cause differs between types and versions.
            return dumps(result)

    return run_guarded(run, (), {})


def unpack_result(result: bytes) -> Any:
    """What a task returned.

    Raises
    ------
    WorkerDied
        If it cannot be unpickled here.
    """
    try:
        return pickle.loads(result)
    except Exception as error:
        # Whatever somebody's __reduce__ raises.
        raise WorkerDied(f"what it returned does not arrive: {error}", "culprit") from error


def n_bytes(value: Any) -> int:
    """Roughly how large a container of data is in memory; 0 for anything else."""
    if isinstance(value, list | tuple):
        some = value[:: max(1, len(value) // 64)]
        # A list of rows or texts; what is deeper is counted too low, which costs time only.
        return sys.getsizeof(value) + len(value) * sum(map(sys.getsizeof, some)) // max(1, len(some))
    if hasattr(value, "indptr") and hasattr(value, "data"):
        return value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
    if hasattr(value, "memory_usage"):
        return int(np.sum(value.memory_usage()))
    if hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0


def _read_only(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or not value.flags.writeable:
        return value
    view = value.view()
    view.flags.writeable = False
    return view
