"""Where and when the work runs: executors, stopping rules, and the one loop."""

from skhpo.execution._executors import Executor, SerialExecutor, open_executor
from skhpo.execution._loop import run
from skhpo.execution._proposals import Proposals
from skhpo.execution._stopping import Never, Progress, StoppingRule, Timeout

__all__ = [
    "Executor",
    "Never",
    "Progress",
    "Proposals",
    "SerialExecutor",
    "StoppingRule",
    "Timeout",
    "open_executor",
    "run",
]
