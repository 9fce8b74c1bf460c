"""Workers of a Ray cluster, for ``joblib.parallel_config(backend="ray")``.

joblib's glue from Ray is a pool that looks every tenth of a second whether something is done, and that
cannot tell who died. Here each worker is an actor of its own: one task at a time, so that a death
has one cause.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import (
    ActorUnavailableError,
    GetTimeoutError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)

from skhpo.evaluation import Call
from skhpo.execution._parcels import Packer, run_packed, unpack_result
from skhpo.execution._workers import WorkerDied, Workers, failing

_MOST_RESTARTS = 3
"""How often a task begins anew that was lost with a whole machine, and how many actors may fail to start."""

_DEATHS = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError)

_STALE_AFTER = 1.0
"""Seconds of idleness after which an actor is asked for a sign of life before it runs a task."""

_ROOM_HOLDS = 1.0
"""Seconds for which the size of the cluster is not asked for again."""


class _Process:
    """The actor: a process that runs one task at a time."""

    def __init__(self, nested: dict[str, Any]) -> None:
        self._nested = nested
        n_cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        # What joblib takes for the size of this machine, so that n_jobs=-1 within a task is what Ray granted.
        os.environ["LOKY_MAX_CPU_COUNT"] = str(max(1, int(n_cpus)))

    def node(self) -> str:
        """The machine it is on; answers when it has started."""
        return ray.get_runtime_context().get_node_id()

    def run(self, payload: bytes, *large: Any) -> bytes:
        """Run a packed call."""
        return run_packed(payload, large, self._nested, cloudpickle.dumps)


@dataclass(eq=False)
class _Slot:
    """An actor and what is known of it."""

    actor: Any
    node: str | None = None
    idle_since: float = 0.0
    killed: bool = False


@dataclass(eq=False)
class _Task:
    """A packed call, and the actor that runs it since ``begun``."""

    token: Any
    payload: bytes
    large: Sequence[Any]
    slot: _Slot | None = None
    begun: float = 0.0
    sign_of_life: Any = None
    n_restarts: int = 0


class RayWorkers(Workers):
    """Actors on a Ray cluster, as many as ``n_jobs`` asks for and the cluster has room for.

    Ray's threads only put into a queue what ended; all else happens in the thread that calls.

    Parameters
    ----------
    backend : joblib's Ray backend
        Its ``ray_remote_args`` are the actors' options; each takes one CPU by default.
    n_jobs : int or None
        Actors; -1 is as many as the cluster has room for, -2 one less, None what the backend takes it for.
    timed : bool, default=False
        Whether ``seconds_running`` will be asked for; here that costs nothing.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0.
    """

    in_process = False
    can_kill = True
    blames_exactly = True

    def __init__(self, backend: Any, n_jobs: int | None, *, timed: bool = False) -> None:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; allowed are None, -1 and positive integers.")
        self._n_jobs = int(getattr(backend, "default_n_jobs", 1) if n_jobs is None else n_jobs)
        if not ray.is_initialized():
            # As the backend itself does; it stays for whoever comes next.
            ray.init()
        self._options = {"num_cpus": 1, **(backend.ray_remote_args or {})}
        self._options |= {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": 1}
        nested, n_nested = backend.get_nested_backend()
        self._nested = {"backend": nested, "n_jobs": n_nested}
        self._packer = Packer(cloudpickle.CloudPickler)
        self._sent: dict[int, Any] = {}
        self._events: SimpleQueue[tuple[_Slot | _Task, Future[Any]]] = SimpleQueue()
        self._finished: deque[tuple[Any, Callable[[], Any]]] = deque()
        self._starting: set[_Slot] = set()
        self._idle: list[_Slot] = []
        self._waiting: deque[_Task] = deque()
        self._running: dict[Any, _Task] = {}
        self._n_failed_starts = 0
        self._room, self._room_as_of = 0, -math.inf
        self._fill()

    @property
    def n_workers(self) -> int:
        """Actors that the cluster has room for, at most ``n_jobs``; at least 1, since room may come back."""
        return max(1, min(self._n_actors(), self._room_now()))

    def submit(self, token: Any, call: Call) -> None:
        """Give a task to an idle actor, or to the first that starts or becomes free."""
        try:
            payload, large = self._packer.pack(call)
            for value in large:
                if id(value) not in self._sent:
                    self._sent[id(value)] = ray.put(value)
        except Exception as error:
            # Pickling raises what the objects' own methods raise.
            self._finished.append((token, failing(error)))
            return
        self._waiting.append(_Task(token, payload, [self._sent[id(value)] for value in large]))
        self._take_events()
        self._dispatch()

    def next_finished(self, timeout: float | None = None) -> tuple[Any, Callable[[], Any]] | None:
        """Next task that ended.

        Raises
        ------
        RuntimeError
            If no actor can be started.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._finished:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                self._on_event(*self._events.get(timeout=left))
            except Empty:
                return None
            self._dispatch()
        return self._finished.popleft()

    def seconds_running(self, token: Any) -> float:
        """Since the task was given to an actor that had started."""
        self._take_events()
        self._dispatch()
        task = self._running.get(token)
        return 0.0 if task is None else time.monotonic() - task.begun

    def kill(self, token: Any) -> None:
        """Kill the actor that runs a task; no other task is lost."""
        task = self._running.get(token)
        if task is not None and task.slot is not None:
            task.slot.killed = True
            ray.kill(task.slot.actor)

    def close(self, *, abort: bool) -> None:
        """Kill the actors and release what was sent; Ray itself goes on."""
        busy = [task.slot for task in self._running.values() if task.slot is not None]
        for slot in (*self._starting, *self._idle, *busy):
            ray.kill(slot.actor)
        for left in (self._starting, self._idle, self._waiting, self._running, self._sent, self._finished):
            left.clear()

    def _n_actors(self) -> int:
        """How many actors there should be; more than there is room for where an autoscaler may make some."""
        return self._n_jobs if self._n_jobs > 0 else max(1, self._room_now() + 1 + self._n_jobs)

    def _room_now(self) -> int:
        """For how many actors the cluster has the resources."""
        if time.monotonic() - self._room_as_of > _ROOM_HOLDS:
            total = ray.cluster_resources()
            needed = {
                "CPU": self._options["num_cpus"],
                "GPU": self._options.get("num_gpus"),
                "memory": self._options.get("memory"),
                **(self._options.get("resources") or {}),
            }
            rooms = [int(total.get(name, 0) // amount) for name, amount in needed.items() if amount]
            self._room = min(rooms) if rooms else int(total.get("CPU", 1))
            self._room_as_of = time.monotonic()
        return self._room

    def _fill(self) -> None:
        """Start actors in the place of those that died, and as the cluster grows."""
        for _ in range(self._n_actors() - len(self._starting) - len(self._idle) - len(self._running)):
            slot = _Slot(ray.remote(_Process).options(**self._options).remote(self._nested))
            self._starting.add(slot)
            self._watch(slot, slot.actor.node.remote())

    def _watch(self, what: _Slot | _Task, answer: Any) -> None:
        events = self._events
        answer.future().add_done_callback(lambda future: events.put((what, future)))

    def _dispatch(self) -> None:
        """Give waiting tasks to idle actors."""
        self._fill()
        while self._waiting and self._idle:
            slot = self._idle.pop()
            task = self._waiting.popleft()
            task.slot, task.begun = slot, time.monotonic()
            # An actor may have gone while it was idle, for which no task is to be blamed.
            is_stale = task.begun - slot.idle_since > _STALE_AFTER
            task.sign_of_life = slot.actor.node.remote() if is_stale else None
            self._running[task.token] = task
            self._watch(task, slot.actor.run.remote(task.payload, *task.large))

    def _take_events(self) -> None:
        while not self._events.empty():
            self._on_event(*self._events.get())

    def _on_event(self, what: _Slot | _Task, future: Future[Any]) -> None:
        if isinstance(what, _Slot):
            self._on_started(what, future)
        else:
            self._on_ended(what, future)

    def _on_started(self, slot: _Slot, future: Future[str]) -> None:
        self._starting.discard(slot)
        error = future.exception()
        if error is None:
            slot.node = future.result()
            self._n_failed_starts = 0
            self._set_idle(slot)
            return
        self._n_failed_starts += 1
        if self._n_failed_starts > _MOST_RESTARTS:
            raise RuntimeError(
                f"No actor could be started on the Ray cluster, {self._n_failed_starts} failed in a row."
            ) from error

    def _on_ended(self, task: _Task, future: Future[bytes]) -> None:
        slot = task.slot
        if slot is None or self._running.get(task.token) is not task:
            return  # from before it began anew
        del self._running[task.token]
        error = future.exception()
        if isinstance(error, _DEATHS):
            ray.kill(slot.actor)
            is_innocent = _never_began(task) or _machine_is_gone(slot, error)
            if is_innocent and not slot.killed and task.n_restarts < _MOST_RESTARTS:
                task.n_restarts += 1
                self._waiting.appendleft(task)
            else:
                self._finished.append((task.token, failing(WorkerDied(str(error)))))
            return
        if not slot.killed:
            self._set_idle(slot)
        if error is None:
            retrieve: Callable[[], Any] = partial(unpack_result, future.result())
        else:
            retrieve = failing(error.cause if isinstance(error, RayTaskError) else error)
        self._finished.append((task.token, retrieve))

    def _set_idle(self, slot: _Slot) -> None:
        slot.idle_since = time.monotonic()
        self._idle.append(slot)


def _never_began(task: _Task) -> bool:
    """Whether an actor was dead before it got the task."""
    if task.sign_of_life is None:
        return False
    try:
        ray.get(task.sign_of_life, timeout=1.0)
    except (*_DEATHS, GetTimeoutError):
        return True
    return False


def _machine_is_gone(slot: _Slot, error: BaseException) -> bool:
    """Whether an actor died because its machine left, and not by what it ran.

    Of a process that died Ray hears at once, from the machine it was on. A machine that is silent is taken
    for dead after some time, and its actors are unavailable until then.
    """
    if isinstance(error, ActorUnavailableError) or getattr(error, "preempted", False):
        return True
    return any(node["NodeID"] == slot.node and not node["Alive"] for node in ray.nodes())
