"""What runs on a Dask cluster for a search: in its workers, and in the nannies that watch over these."""

from __future__ import annotations

import os
import signal
from typing import Any

import cloudpickle
from distributed import get_worker

from skhpo.execution._parcels import run_packed

BEGUN = "skhpo-begun"
"""Topic under which workers tell that a task began."""


def run_on_worker(payload: bytes, large: list[Any], key: str | None) -> bytes:
    """Run a packed call in a worker; it tells when it begins if it is given a key to tell."""
    if key is not None:
        get_worker().log_event(BEGUN, key)
    return run_packed(payload, large, {"backend": "dask"}, cloudpickle.dumps)


def is_up(dask_worker: Any) -> bool:
    """Whether a nanny has seen its worker start; runs in the nanny."""
    return dask_worker.process is not None and dask_worker.process.status.name == "running"


def kill_worker(dask_worker: Any) -> None:
    """Kill the process of a worker; runs in its nanny, which starts it again."""
    os.kill(dask_worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
