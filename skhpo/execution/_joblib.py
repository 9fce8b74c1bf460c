"""The only file that touches joblib's interface for authors of backends.

``joblib.Parallel`` draws its tasks from an iterator, ahead of time and in a thread of its own. A search
that decides on its next task with the last result in hand cannot be such an iterator, so it hands
tasks to the backend one by one, as ``Parallel`` itself does inside.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal

from joblib import Parallel
from joblib._parallel_backends import LokyBackend, MultiprocessingBackend
from joblib.externals.loky.process_executor import ShutdownExecutorError
from joblib.parallel import BatchedCalls, get_active_backend

from skhpo._sklearn import carry_configuration
from skhpo.evaluation import Call
from skhpo.execution._tasks import run_guarded
from skhpo.execution._workers import WorkerDied, Workers, failing

_POLL = 1.0
"""Seconds between looks at processes whose pool does not tell when one of them dies."""

_PATIENCE = 5.0
"""Seconds in which a pool may end by itself."""

_JOBLIB_MAPS_FROM, _WE_MAP_FROM = 1024**2, 100_000
"""Bytes from which on an array goes to the workers once, as a memory map, and not with every task."""


def active_backend(n_jobs: int | None) -> tuple[Any, int | None]:
    """The joblib backend that the user has chosen, and the number of jobs on it.

    Parameters
    ----------
    n_jobs : int or None
        None takes the number of the active ``joblib.parallel_config``.
    """
    backend, configured = get_active_backend()
    if n_jobs is None:
        n_jobs = backend.default_n_jobs if configured is None else configured
    return backend, n_jobs


class JoblibWorkers(Workers):
    """Workers of a joblib backend: loky, threading, multiprocessing, or somebody's own.

    Parameters
    ----------
    n_jobs : int or None
        As for ``joblib.Parallel``.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0, or the backend does not tell when a task is done.
    """

    blames_exactly = False

    def __init__(self, n_jobs: int | None) -> None:
        self._finished: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._ended: deque[tuple[Any, Callable[[], Any]]] = deque()
        self._running: dict[int, Any] = {}
        self._serials = itertools.count()
        self._wrapped: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._marks: str | None = None
        self._pids: frozenset[int] = frozenset()
        self._dead: frozenset[int] = frozenset()
        self._parallel = Parallel(n_jobs=n_jobs)
        if _options(self._parallel).get("max_nbytes") == _JOBLIB_MAPS_FROM:
            # Nobody chose this, and unlike joblib's usual tasks ours have the same arrays again and again.
            self._parallel = Parallel(n_jobs=n_jobs, max_nbytes=_WE_MAP_FROM)
        self._parallel.__enter__()
        try:
            self._backend = self._parallel._backend
            self._n_workers = self._parallel._effective_n_jobs()
            self.in_process = bool(getattr(self._backend, "supports_sharedmem", False))
            self.can_kill = isinstance(self._backend, LokyBackend | MultiprocessingBackend)
            if self.n_workers > 1:
                self._check_backend()
                self._backend.start_call()
                self._pids = self._worker_pids()
                if not self.in_process:
                    self.n_ahead = self.n_workers
                    self._marks = tempfile.mkdtemp(prefix="skhpo-")
        except BaseException:
            self._parallel.__exit__(None, None, None)
            raise

    @property
    def n_workers(self) -> int:
        """1 where the backend fell back to sequential work; such a pool takes no tasks."""
        return self._n_workers

    def submit(self, token: Any, call: Call) -> None:
        """Start a call on a free worker."""
        serial = next(self._serials)
        function, args, kwargs = call
        if not self.in_process:
            function, args, kwargs = run_guarded, (function, args, kwargs, str(self._mark(serial))), {}
        if function not in self._wrapped:
            self._wrapped[function] = carry_configuration(function)
        batch = BatchedCalls(
            [(self._wrapped[function], args, kwargs)],
            self._backend.get_nested_backend(),
            self._use_own_memmaps if isinstance(self._backend, LokyBackend) else None,
        )
        self._running[serial] = token
        # The name before joblib 1.5.
        submit = self._backend.submit if hasattr(self._backend, "submit") else self._backend.apply_async
        try:
            submit(batch, callback=partial(self._on_done, serial))
        except (BrokenExecutor, ShutdownExecutorError) as error:
            # Somebody died, or somebody else ended the pool, while nothing was running.
            self._replace_workers(str(error))

    def next_finished(self, timeout: float | None = None) -> tuple[Any, Callable[[], Any]] | None:
        """The next call that ended, in whatever way."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ended:
            try:
                serial, out = self._finished.get(timeout=self._patience(deadline))
            except Empty:
                if self._pids != (pids := self._worker_pids()):
                    self._dead = self._pids - pids
                    self._replace_workers("its process is gone")
                elif self._pids and not self._backend._pool._result_handler.is_alive():
                    # By what it could not unpickle, in silence too.
                    self._replace_workers("its result did not arrive")
                elif deadline is not None and time.monotonic() >= deadline:
                    return None
                continue
            if serial not in self._running:
                # The late word of a worker that was given up.
                continue
            if (death := _death(out)) is not None:
                self._replace_workers(death)
            else:
                return self._take(serial), partial(self._retrieve, out)
        return self._ended.popleft()

    def seconds_running(self, token: Any) -> float:
        """By the mark that the worker made."""
        for serial, other in self._running.items():
            if other == token and (mark := self._read_mark(serial)) is not None:
                return time.monotonic() - mark[1]
        return 0.0

    def kill(self, token: Any) -> None:
        """Kill all workers: these pools do not survive the death of one."""
        if token in self._running.values():
            self._replace_workers("it was ended")

    def close(self, *, abort: bool) -> None:
        """Release the workers, or kill what still runs on them."""
        if abort:
            self._abort()
        elif self.n_workers > 1:
            self._backend.stop_call()
        self._parallel.__exit__(None, None, None)
        if self._marks is not None:
            shutil.rmtree(self._marks, ignore_errors=True)

    def _check_backend(self) -> None:
        if not self._backend.supports_retrieve_callback:
            raise ValueError(
                f"The joblib backend {type(self._backend).__name__} does not call back when a task is "
                "done, so no search can run on it. Allowed are backends with "
                "supports_retrieve_callback=True, as loky, threading, multiprocessing and dask have."
            )

    def _on_done(self, serial: int, out: Any) -> None:
        # Runs in a thread of the backend. Loky's calls back before it kills those who are left, so
        # that who is dead now died by itself.
        try:
            if isinstance(self._backend, LokyBackend) and not self._dead and _death(out) is not None:
                processes = dict(getattr(self._backend._workers, "_processes", {}))
                self._dead = frozenset(pid for pid, p in processes.items() if p.exitcode is not None)
        finally:
            self._finished.put((serial, out))

    def _mark(self, serial: int) -> Path:
        """The file that the worker makes when it begins a task, with the number of its process."""
        return Path(self._marks or "", str(serial))

    def _read_mark(self, serial: int) -> tuple[int, float] | None:
        """Process of a task and the time on the monotonic clock when it began; None if it has not."""
        try:
            pid, begun = self._mark(serial).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid), float(begun)

    def _take(self, serial: int) -> Any:
        """The token of a task that is not running any more."""
        if self._marks is not None:
            self._mark(serial).unlink(missing_ok=True)
        return self._running.pop(serial)

    def _retrieve(self, out: Any) -> Any:
        (result,) = self._backend.retrieve_result_callback(out)
        return result

    def _patience(self, deadline: float | None) -> float | None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._pids:
            return left
        return _POLL if left is None else min(left, _POLL)

    def _worker_pids(self) -> frozenset[int]:
        """The processes of a pool that replaces a dead one in silence, its task forgotten."""
        if not isinstance(self._backend, MultiprocessingBackend):
            return frozenset()
        return frozenset(process.pid for process in self._backend._pool._pool)

    def _abort(self) -> None:
        """Kill the workers; the backend is without any then."""
        if not isinstance(self._backend, MultiprocessingBackend) or self._backend._pool is None:
            self._backend.abort_everything(ensure_ready=False)
            return
        # A process that was killed while it waited for a task holds the lock of the queue, for which the
        # pool's own end would wait for ever.
        pool, self._backend._pool = self._backend._pool, None
        end = Thread(target=pool.terminate, daemon=True)
        end.start()
        end.join(_PATIENCE)
        if end.is_alive():
            for process in pool._pool:
                process.kill()

    def _replace_workers(self, reason: str) -> None:
        """Kill what runs and begin with new workers; who had no result by then comes to ``WorkerDied``."""
        self._abort()
        while not self._finished.empty():
            serial, out = self._finished.get()
            if serial in self._running and _death(out) is None:
                self._ended.append((self._take(serial), partial(self._retrieve, out)))
        for serial, blame in self._blame().items():
            self._ended.append((self._take(serial), failing(WorkerDied(reason, blame))))
        self._dead = frozenset()
        # With all arguments: abort_everything(ensure_ready=True) forgets those of the memory maps.
        options = _options(self._parallel)
        self._backend.configure(n_jobs=self._parallel.n_jobs, parallel=self._parallel, **options)
        self._pids = self._worker_pids()

    def _blame(self) -> dict[int, Literal["culprit", "bystander"] | None]:
        """Who among those that ran is to blame for the death of ``self._dead``."""
        marks = {serial: self._read_mark(serial) for serial in self._running}
        if not self._dead:
            return dict.fromkeys(marks)
        # A process may have more than one mark: what it had finished is lost too if it was not yet read.
        latest: dict[int, int] = {}
        for serial, mark in sorted(marks.items(), key=lambda item: item[1][1] if item[1] else 0.0):
            if mark is not None:
                latest[mark[0]] = serial
        # A process may die before it says that it has begun, as by a class that cannot be imported.
        is_all_known = self._dead <= latest.keys()
        culprits = {latest[pid] for pid in self._dead & latest.keys()}
        return {
            serial: "culprit" if serial in culprits else "bystander" if mark or is_all_known else None
            for serial, mark in marks.items()
        }

    def _use_own_memmaps(self) -> None:
        # Loky's workers are shared by all Parallel objects of this process; the folder of memory maps
        # must be this pool's whenever one of its tasks is pickled.
        self._backend._workers._temp_folder_manager.set_current_context(self._parallel._id)


def _options(parallel: Parallel) -> dict[str, Any]:
    """What a backend is configured with, beside the number of jobs."""
    # The second name is that before joblib 1.5.
    return parallel._backend_kwargs if hasattr(parallel, "_backend_kwargs") else parallel._backend_args


def _death(out: Any) -> str | None:
    """How a worker died, if that is what came of its task."""
    error = out.exception() if hasattr(out, "exception") and not out.cancelled() else None
    if isinstance(error, BrokenExecutor | ShutdownExecutorError | CancelledError):
        cause = "" if error.__cause__ is None else f" ({str(error.__cause__).strip()})"
        return f"{error}{cause}"
    return None
