"""Where and when the work runs: executors, stopping rules, and the one loop."""

from skhpo.execution._executors import Executor, SerialExecutor, TaskLost
from skhpo.execution._loop import run
from skhpo.execution._opening import open_executor
from skhpo.execution._progress import ProgressLines
from skhpo.execution._proposals import InitialCandidate, Proposals
from skhpo.execution._racing import FoldRace
from skhpo.execution._stopping import Never, Progress, StoppingRule, Timeout
from skhpo.execution._supervision import SupervisedExecutor
from skhpo.execution._workers import WorkerDied, Workers

__all__ = [
    "Executor",
    "FoldRace",
    "InitialCandidate",
    "Never",
    "Progress",
    "ProgressLines",
    "Proposals",
    "SerialExecutor",
    "StoppingRule",
    "SupervisedExecutor",
    "TaskLost",
    "Timeout",
    "WorkerDied",
    "Workers",
    "open_executor",
    "run",
]
