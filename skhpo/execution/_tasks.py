"""What a worker process runs: a task whose beginning is marked and whose exception can travel."""

from __future__ import annotations

import os
import pickle
import time
import traceback
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

from skhpo.execution._workers import WorkerDied

_NOTHING = object()


def run_guarded(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], mark: str | None = None
) -> Any:
    """Call a function in a worker process.

    Parameters
    ----------
    function : callable
    args : tuple
    kwargs : dict
    mark : str, optional
        Path of a file to make when the call begins: when that was, and in which process, cannot be known
        to the one that handed it out.

    Raises
    ------
    WorkerDied
        If the function ends the process by ``sys.exit``, or returns what cannot be pickled and taken up
        again: some pools do not survive either.
    RuntimeError
        In place of an exception that would not come through unchanged, with its traceback as the text.
    """
    if mark is not None:
        # Without the mark, as on a full disk, only less is known.
        with suppress(OSError):
            Path(mark).write_text(f"{os.getpid()} {time.monotonic()}")
    # What is raised in place of something else is raised outside of its handler: with some libraries loaded
    # exceptions take their context along.
    replacement: Exception
    result = _NOTHING
    try:
        result = function(*args, **kwargs)
        pickle.loads(pickle.dumps(result))
    except SystemExit as error:
        replacement = WorkerDied(f"the task called sys.exit({error.code!r})", "culprit")
    except Exception as error:
        # Whatever a model, or the pickling of what it returned, raises.
        if result is not _NOTHING:
            replacement = WorkerDied(f"what it returned does not arrive: {error}", "culprit")
        elif _travels(error):
            raise
        else:
            replacement = RuntimeError(f"{type(error).__name__} in a worker:\n{traceback.format_exc()}")
    else:
        return result
    raise replacement


def _travels(error: Exception) -> bool:
    """Whether an exception arrives as what it is.

    One that cannot be pickled would take the whole pool with it, and one that a broken pool raises
    would be taken for the death of this worker.
    """
    if isinstance(error, BrokenExecutor | CancelledError):
        return False
    try:
        if type(error).__module__ == "__main__":
            # Known by value here, and by name where it goes.
            pickle.dumps(error.__reduce_ex__(pickle.DEFAULT_PROTOCOL)[1:])
            type(error)(*error.args)
        else:
            pickle.loads(pickle.dumps(error))
    except Exception:
        # Whatever somebody's __reduce__ or __init__ raises.
        return False
    return True
