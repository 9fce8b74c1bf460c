"""Workers of a Dask cluster, for ``joblib.parallel_config(backend="dask")``.

joblib's own glue waits for futures that never end when a worker is killed, and Dask of itself runs a task
that kills its worker on three more of them. So each task is bound to a worker with a free thread, which
then is known by name: when it is gone, its tasks are lost, at the cost of no other worker.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import cloudpickle
from distributed import Client, Future, KilledWorker, rejoin, secede
from distributed.client import ClosedClientError, FutureCancelledError

from skhpo._warnings import warn_user
from skhpo.evaluation import Call
from skhpo.execution._dask_data import SharedData
from skhpo.execution._dask_remote import BEGUN, is_up, kill_worker, run_on_worker
from skhpo.execution._parcels import Packer, unpack_result
from skhpo.execution._workers import WorkerDied, Workers, failing

_MOST_RESTARTS = 3
"""How often a task begins anew that was lost with nobody to blame."""

_LOOKS_EVERY = 1.0
"""Seconds after which who waits for a result looks whether there still is a scheduler."""

_ALONE_FOR = 60.0
"""Seconds without any worker after which the user is told."""


@dataclass
class _Member:
    """A worker of the cluster: its threads that take our tasks, and those tasks."""

    n_slots: int
    has_nanny: bool
    is_ready: bool = False
    is_shunned: bool = False
    is_leaving: bool = False
    tasks: set[_Task] = field(default_factory=set)


@dataclass(eq=False)
class _Task:
    token: Any
    payload: bytes
    large: list[Any]
    key: str = ""
    address: str | None = None
    watch: asyncio.Task[None] | None = None
    begun: float | None = None
    n_restarts: int = 0


class DaskWorkers(Workers):
    """Threads of the workers of a Dask cluster, wherever they are.

    All state belongs to the client's event loop; this thread packs calls and waits for results.

    Parameters
    ----------
    backend : joblib's Dask backend
        Its ``client``, ``submit_kwargs``, ``wait_for_workers_timeout`` and the data of ``scatter=`` are used.
    n_jobs : int or None
        Most tasks at once; None and -1 are all threads, -2 all but one.
    timed : bool, default=False
        Whether workers tell when a task begins. Else ``seconds_running`` counts from when it was
        given to a worker, the transfer of arrays included.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0.
    TimeoutError
        If no worker comes in time.

    Notes
    -----
    A task that runs on a worker without a nanny cannot be killed; at an abort it is abandoned on any worker
    and runs to its end there.
    """

    in_process = False

    def __init__(self, backend: Any, n_jobs: int | None, *, timed: bool = False) -> None:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; allowed are None, -1 and positive integers.")
        self._n_jobs, self._timed = n_jobs, timed
        self._submit_kwargs = dict(backend.submit_kwargs)
        self._only = self._submit_kwargs.pop("workers", None)
        for name in ("allow_other_workers", "key", "pure"):
            self._submit_kwargs.pop(name, None)
        self._packer = Packer(cloudpickle.Pickler)
        self._finished: SimpleQueue[tuple[Any, Callable[[], Any]]] = SimpleQueue()
        self._tasks: dict[Any, _Task] = {}
        self._waiting: deque[_Task] = deque()
        self._bound: dict[str, _Task] = {}
        self._members: dict[str, _Member] = {}
        self._gone: set[str] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._n_slots = 0
        self._alone_since = time.monotonic()
        # Until a worker comes that runs several tasks in its threads.
        self.blames_exactly = True
        self._lost_scheduler = False
        # A client of our own: its event handlers and keys are nobody else's, and go with it.
        theirs = backend.client
        self._client: Client = theirs.sync(_connect_like, theirs)
        self._data = SharedData(self._client)
        self._loop: Any = self._client.loop
        self._seceded = _secede()
        try:
            self._client.sync(self._open, backend.data_futures)
            if self._n_slots == 0 and backend.wait_for_workers_timeout:
                self._wait_for_workers(backend.wait_for_workers_timeout)
        except BaseException:
            self.close(abort=True)
            raise

    @property
    def n_workers(self) -> int:
        """Threads of the cluster now, at most ``n_jobs``; at least 1, since workers may come back."""
        n = self._n_slots
        if self._n_jobs is not None:
            n = min(n, self._n_jobs) if self._n_jobs > 0 else n + 1 + self._n_jobs
        return max(1, n)

    # Read only, where the base class has an attribute: it changes as workers join and leave.
    @property
    def can_kill(self) -> bool:  # type: ignore[override]
        """Whether all workers have a nanny, which starts them again."""
        return all(member.has_nanny for member in list(self._members.values()))

    def submit(self, token: Any, call: Call) -> None:
        """Bind a task to a worker with a free thread, or have it wait for one."""
        try:
            payload, large = self._packer.pack(call)
        except Exception as error:
            # Pickling raises what the objects' own methods raise.
            self._finished.put((token, failing(error)))
            return
        task = self._tasks[token] = _Task(token, payload, large)
        self._loop.add_callback(self._enqueue, task)

    def next_finished(self, timeout: float | None = None) -> tuple[Any, Callable[[], Any]] | None:
        """Next task that ended.

        Raises
        ------
        ConnectionError
            If the scheduler is gone, and all tasks with it.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _LOOKS_EVERY if deadline is None else min(_LOOKS_EVERY, deadline - time.monotonic())
            try:
                token, retrieve = self._finished.get(timeout=max(0.0, left))
            except Empty:
                token = retrieve = None
            if self._lost_scheduler or self._client.status != "running":
                raise ConnectionError(
                    "The connection to the Dask scheduler is lost, and all running tasks with it. "
                    "A search with storage= can be continued from its journal."
                )
            if retrieve is not None:
                self._tasks.pop(token, None)
                return token, retrieve
            if left <= 0:
                return None
            self._tell_if_alone()

    def seconds_running(self, token: Any) -> float:
        """Since the worker told that the task began or, unless ``timed``, since it was given the task."""
        task = self._tasks.get(token)
        begun = None if task is None else task.begun
        return 0.0 if begun is None else time.monotonic() - begun

    def kill(self, token: Any) -> None:
        """Kill the worker that runs a task; others which run there begin anew elsewhere.

        Its nanny starts it again. A worker without a nanny, which came after ``can_kill`` was asked for, is
        left alone with the task.
        """
        self._client.sync(self._kill, self._tasks[token])

    def close(self, *, abort: bool) -> None:
        """Cancel what runs or waits and release all data; the user's client and cluster go on."""
        if self._client.status != "closed":
            self._client.sync(self._shut)
        self._tasks.clear()
        if self._seceded:
            self._seceded = False
            rejoin()

    def _tell_if_alone(self) -> None:
        if self._n_slots > 0:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > _ALONE_FOR:
            self._alone_since = math.inf
            warn_user(
                f"The Dask cluster has had no worker for {_ALONE_FOR:.0f} seconds. The search goes on when "
                "one comes. A LocalCluster gives a worker up that dies again and again: see "
                "distributed.deploy.lost-worker-timeout in Dask's configuration.",
            )

    # From here on: in the event loop.

    async def _open(self, data_futures: dict[int, Future]) -> None:
        for i, future in data_futures.items():
            # The backend holds the objects of scatter=, so that their ids remain theirs.
            self._data.adopt(i, future)
        self._client.subscribe_topic("all", self._on_cluster_event)
        if self._timed:
            self._client.subscribe_topic(BEGUN, self._on_begun)
        await self._refresh()

    def _wait_for_workers(self, timeout: float) -> None:
        try:
            self._client.sync(self._probe, timeout)
        except TimeoutError:
            raise TimeoutError(
                f"No worker of the Dask cluster that may take tasks came within {timeout} seconds. Start "
                "workers, or wait longer: "
                f"parallel_config(backend='dask', wait_for_workers_timeout={max(10, 2 * timeout)})."
            ) from None

    async def _probe(self, timeout: float) -> None:
        # A task that waits, unlike one who looks, makes an adaptive cluster grow.
        probe = self._client.submit(int, pure=False, workers=self._only, **self._submit_kwargs)
        await asyncio.wait_for(probe, timeout)
        while self._n_slots == 0:
            await self._refresh()
            await asyncio.sleep(0.1)

    async def _refresh(self) -> None:
        """Learn which workers there are."""
        scheduler: Any = self._client.scheduler
        workers = (await scheduler.identity(n_workers=-1))["workers"]
        ready = await self._ready(workers)
        for address, info in workers.items():
            if address in self._gone:
                continue  # left while the answer was on its way
            if address not in self._members:
                self._client.subscribe_topic(address, partial(self._on_worker_event, address))
            member = self._members.setdefault(address, _Member(0, False))
            member.is_ready |= address in ready
            is_used = member.is_ready and not member.is_shunned
            member.n_slots = self._slots_of(address, info) if is_used else 0
            self.blames_exactly &= member.n_slots <= 1
            member.has_nanny = info["nanny"] is not None
        self._dispatch()
        if any(info["status"] != "running" for info in workers.values()) or not all(
            member.is_ready for member in self._members.values()
        ):
            # Workers that have just come change their status before anyone can have asked to be told.
            asyncio.get_running_loop().call_later(0.2, self._refresh_soon)

    async def _ready(self, workers: dict[str, Any]) -> set[str]:
        """Workers that may be given tasks, of those that could not before.

        The scheduler knows a worker before its nanny does, and a nanny whose worker dies in between gives
        it up for good.
        """
        new = {address for address in workers if not getattr(self._members.get(address), "is_ready", False)}
        with_nanny = [address for address in new if workers[address]["nanny"] is not None]
        if not with_nanny:
            return new
        answers = await self._client.run(is_up, workers=with_nanny, nanny=True, on_error="return")
        # Who answers with an error will not do better later.
        return new - {address for address in with_nanny if answers.get(address, False) is False}

    def _refresh_soon(self) -> None:
        if self._client.status == "running":
            self._in_background(self._refresh())

    def _slots_of(self, address: str, info: dict[str, Any]) -> int:
        """How many of our tasks a worker takes at once."""
        only = [self._only] if isinstance(self._only, str) else self._only
        if only and not {address, info["name"], info["host"]} & set(only):
            return 0
        if info["status"] != "running":
            return 0
        n_slots = int(info["nthreads"])
        for name, needed in (self._submit_kwargs.get("resources") or {}).items():
            if needed:
                n_slots = min(n_slots, int(info["resources"].get(name, 0) // needed))
        return n_slots

    def _on_cluster_event(self, event: tuple[float, Any]) -> None:
        _, message = event
        action = message.get("action") if isinstance(message, dict) else None
        if action == "add-worker":
            self._gone.discard(message["worker"])
            self._refresh_soon()
        elif action == "remove-worker":
            self._on_leaving(message)

    def _on_worker_event(self, address: str, event: tuple[float, Any]) -> None:
        # A worker that is short of memory, or about to leave, takes no tasks.
        _, message = event
        if not isinstance(message, dict) or message.get("action") != "worker-status-change":
            return
        if address in self._members:
            self._members[address].is_leaving = message["status"].startswith("closing")
        self._refresh_soon()

    def _on_begun(self, event: tuple[float, Any]) -> None:
        _, key = event
        if key in self._bound:
            self._bound[key].begun = time.monotonic()

    def _on_leaving(self, message: dict[str, Any]) -> None:
        """A worker is gone: what it was at is lost, or begins anew if it left by intention."""
        address = message["worker"]
        member = self._lose(address)
        if member is None:
            return
        has_died = not message["expected"] and not member.is_leaving
        for task in list(member.tasks):
            if has_died and task.key in message["processing-tasks"]:
                self._end(task, failing(WorkerDied(f"The Dask worker {address} died.")))
            else:
                self._begin_anew(task, f"The Dask worker {address} has left.")
        self._dispatch()

    def _lose(self, address: str) -> _Member | None:
        self._gone.add(address)
        if address in self._members:
            self._client.unsubscribe_topic(address)
        return self._members.pop(address, None)

    def _enqueue(self, task: _Task) -> None:
        self._waiting.append(task)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give waiting tasks to the workers with most free threads."""
        self._n_slots = sum(member.n_slots for member in self._members.values())
        while self._waiting and self._members:
            address, member = max(
                self._members.items(), key=lambda item: item[1].n_slots - len(item[1].tasks)
            )
            if len(member.tasks) >= member.n_slots:
                return
            task = self._waiting.popleft()
            task.key, task.address = f"skhpo-{uuid4().hex}", address
            member.tasks.add(task)
            self._bound[task.key] = task
            task.watch = asyncio.ensure_future(self._watch(task))

    async def _watch(self, task: _Task) -> None:
        """Run a task on its worker until it ends or is given up."""
        future = None
        try:
            large = [await self._data.send(value) for value in task.large]
            future = self._client.submit(
                run_on_worker,
                task.payload,
                large,
                task.key if self._timed else None,
                key=task.key,
                pure=False,
                workers=[task.address],
                **self._submit_kwargs,
            )
            if not self._timed:
                task.begun = time.monotonic()
            result = await future
        except KilledWorker as error:
            self._end(task, failing(WorkerDied(str(error))))
        except FutureCancelledError as error:
            if error.reason == "scheduler-connection-lost" or self._client.status != "running":
                self._lost_scheduler = True
            self._data.forget_lost(task.large)
            self._begin_anew(task, str(error))
            self._dispatch()
        except Exception as error:
            # What the task raised, or Dask about it.
            self._end(task, failing(error))
        else:
            self._end(task, partial(unpack_result, result))
        finally:
            if future is not None:
                future.release()

    def _begin_anew(self, task: _Task, why: str) -> None:
        """Put a task back that was lost with nobody to blame, unless it happens all the time."""
        task.n_restarts += 1
        if task.n_restarts > _MOST_RESTARTS or self._lost_scheduler:
            self._end(task, failing(WorkerDied(why)))
            return
        self._release(task)
        self._waiting.appendleft(task)

    def _end(self, task: _Task, retrieve: Callable[[], Any]) -> None:
        self._release(task)
        self._finished.put((task.token, retrieve))
        self._dispatch()

    def _release(self, task: _Task) -> None:
        """Free the thread that a task was bound to, and stop waiting for it there."""
        self._bound.pop(task.key, None)
        member = self._members.get(task.address or "")
        if member is not None:
            member.tasks.discard(task)
        if task.watch is not None and task.watch is not asyncio.current_task():
            task.watch.cancel()
        task.watch, task.address, task.begun = None, None, None

    async def _kill(self, task: _Task) -> None:
        if task.address is None:
            return
        address = task.address
        member = self._members[address]
        member.n_slots, member.is_shunned = 0, True
        self._end(task, failing(WorkerDied(f"Its Dask worker {address} was killed.", "culprit")))
        if not member.has_nanny:
            # Its other threads go on with what they have.
            return
        self._lose(address)
        for other in list(member.tasks):
            self._begin_anew(other, f"The Dask worker {address} was killed for another task.")
        self._dispatch()
        # A restart as Dask does it would wait four seconds for the task to end by itself.
        await self._client.run(kill_worker, workers=[address], nanny=True, on_error="return")

    async def _shut(self) -> None:
        self._waiting.clear()
        watches = [task.watch for task in self._bound.values() if task.watch is not None]
        for work in (*watches, *self._background):
            work.cancel()
        await asyncio.gather(*watches, *self._background, return_exceptions=True)
        await self._data.close()
        for topic in ("all", BEGUN, *self._members):
            with suppress(ValueError, ClosedClientError):
                self._client.unsubscribe_topic(topic)
        await self._client.close()

    def _in_background(self, work: Any) -> asyncio.Task[Any]:
        # The event loop itself holds its tasks weakly.
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # a scheduler that does not answer is told of by who waits for results


def _secede() -> bool:
    """Leave the worker's pool if this search is a task of the cluster: its own tasks may have to run here."""
    try:
        secede()
    except ValueError:
        return False
    return True


async def _connect_like(client: Any) -> Client:
    return await Client(
        client.scheduler.address,
        security=client.security,
        asynchronous=True,
        set_as_default=False,
        direct_to_workers=client.direct_to_workers,
    )
