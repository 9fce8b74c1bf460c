"""From what the user chose, ``n_jobs`` and a joblib backend, to an executor."""

from __future__ import annotations

from skhpo._warnings import warn_user
from skhpo.execution._executors import Executor, SerialExecutor
from skhpo.execution._joblib import JoblibWorkers, active_backend
from skhpo.execution._supervision import SupervisedExecutor
from skhpo.execution._workers import Workers


def open_executor(n_jobs: int | None, trial_timeout: float | None = None) -> Executor:
    """The executor that ``n_jobs`` and the active joblib backend ask for.

    Parameters
    ----------
    n_jobs : int or None
        As everywhere in scikit-learn: None is 1 outside a ``joblib.parallel_config``, -1 all cores.
    trial_timeout : float, optional
        Seconds that one task may take.

    Returns
    -------
    executor : Executor
        A context manager. Serial where joblib would not run anything in parallel.

    Warns
    -----
    UserWarning
        If there is a ``trial_timeout`` and no way to hold it.
    """
    workers = _open_workers(n_jobs, timed=trial_timeout is not None)
    executor = SerialExecutor() if workers is None else SupervisedExecutor(workers, trial_timeout)
    if trial_timeout is not None and (workers is None or not workers.can_kill):
        try:
            warn_user(f"trial_timeout={trial_timeout} has no effect: {_why_not(workers)}")
        except UserWarning:
            executor.close(abort=True)
            raise
    return executor


def _why_not(workers: Workers | None) -> str:
    """Why a task cannot be ended, and what could be done."""
    if workers is None or workers.in_process:
        where = "in this process" if workers is None else "in threads"
        return f"tasks run {where}. Pass n_jobs=2 or more, with a joblib backend of processes."
    return (
        "these workers cannot be ended. Those of loky, multiprocessing and Ray can, of Dask where each has "
        "a nanny that starts it again."
    )


def _open_workers(n_jobs: int | None, *, timed: bool) -> Workers | None:
    """Workers of the active backend, or None where work is done in this process one by one."""
    backend, n_cluster_jobs = active_backend(n_jobs)
    # By name: neither library is imported for this.
    family = type(backend).__module__
    if family == "joblib._dask":
        from skhpo.execution._dask import DaskWorkers

        return DaskWorkers(backend, n_cluster_jobs, timed=timed)
    if family.startswith("ray."):
        from skhpo.execution._ray import RayWorkers

        return RayWorkers(backend, n_cluster_jobs, timed=timed)
    workers = JoblibWorkers(n_jobs)
    if workers.n_workers == 1:
        workers.close(abort=False)
        return None
    return workers
