"""From what the user chose, ``n_jobs`` and a joblib backend, to an executor."""

from __future__ import annotations

from skhpo._devices import Devices
from skhpo._warnings import warn_user
from skhpo.execution._devices import DeviceExecutor, find_slots
from skhpo.execution._executors import Executor, SerialExecutor
from skhpo.execution._gathering import GatheringExecutor
from skhpo.execution._joblib import JoblibWorkers, active_backend
from skhpo.execution._supervision import SupervisedExecutor
from skhpo.execution._workers import Workers


def open_executor(
    n_jobs: int | None, trial_timeout: float | None = None, devices: Devices | None = None
) -> Executor:
    """The executor that ``n_jobs``, the active joblib backend and ``devices`` ask for.

    Parameters
    ----------
    n_jobs : int or None
        As everywhere in scikit-learn: None is 1 outside a ``joblib.parallel_config``, -1 all cores.
    trial_timeout : float, optional
        Seconds that one task may take.
    devices : Devices, optional
        Where nets are trained; by default where they are.

    Returns
    -------
    executor : Executor
        A context manager. Serial where joblib would not run anything in parallel.

    Raises
    ------
    TypeError, ValueError
        If there are no such devices, or the backend's workers cannot use them.

    Warns
    -----
    UserWarning
        If there is a ``trial_timeout`` and no way to hold it, or there are more slots than workers.
    """
    slots = {} if devices is None else _slots_of(devices, n_jobs)
    together = 1 if devices is None else devices.together
    workers = _open_workers(n_jobs, timed=trial_timeout is not None)
    executor: Executor = SerialExecutor() if workers is None else SupervisedExecutor(workers, trial_timeout)
    if trial_timeout is not None and (workers is None or not workers.can_kill):
        _warn(executor, f"trial_timeout={trial_timeout} has no effect: {_why_not(workers)}")
    n_slots = sum(slots.values())
    if n_slots > executor.n_workers:
        _warn(
            executor,
            f"devices has {n_slots} slots, of which n_jobs={n_jobs} uses {executor.n_workers}. "
            f"Pass n_jobs={n_slots} to use all.",
        )
    if slots:
        executor = DeviceExecutor(executor, slots)
    return executor if together == 1 else GatheringExecutor(executor, together)


def _warn(executor: Executor, message: str) -> None:
    """Tell the user; where a warning is an error, nothing stays open."""
    try:
        warn_user(message)
    except UserWarning:
        executor.close(abort=True)
        raise


def _slots_of(devices: Devices, n_jobs: int | None) -> dict[str, int]:
    """The slots that the active backend's workers can use."""
    slots = find_slots(devices)
    backend, _ = active_backend(n_jobs)
    family = type(backend).__module__
    if family == "joblib._dask" or family.startswith("ray."):
        if devices.slots in (None, "auto"):
            return {}
        raise ValueError(
            f"devices={devices.slots!r} names devices of this machine, and the workers of Dask and Ray may "
            "be on others. Give each worker its own there, as CUDA_VISIBLE_DEVICES does, and the net "
            'device="cuda".'
        )
    if type(backend).__name__ == "MultiprocessingBackend" and any(name.startswith("cuda") for name in slots):
        raise ValueError(
            "Processes of the multiprocessing backend are forks of this one, in which CUDA does not work. "
            "Use loky, joblib's default, or threading."
        )
    return slots


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
