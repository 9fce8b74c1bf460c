"""Who is to blame when a worker dies, and how long a task may take: the same for all backends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from skhpo.evaluation import Call
from skhpo.execution._executors import Executor, TaskLost
from skhpo.execution._workers import WorkerDied, Workers, failing, giving


class SupervisedExecutor(Executor):
    """Runs tasks on workers that may die, and loses none but those that killed theirs.

    Where it is known whose process died first, that task is the culprit, and those who had to die with it run
    again. Where it is not, all who ran are suspects: they run again, one at a time, and who dies alone
    is the culprit. On a cluster a task is given a second chance, as machines leave for
    reasons of their own.

    Parameters
    ----------
    workers : Workers
    trial_timeout : float, optional
        Seconds that a task may take; by default as many as it likes. Nothing where workers cannot be
        killed.
    """

    def __init__(self, workers: Workers, trial_timeout: float | None = None) -> None:
        self._workers = workers
        self._limit = trial_timeout if workers.can_kill else None
        self._calls: dict[Any, Call] = {}
        self._waiting: deque[Any] = deque()
        self._in_flight: set[Any] = set()
        self._suspects: deque[Any] = deque()
        self._alone: Any = None
        self._on_second_chance: set[Any] = set()
        self._overdue: set[Any] = set()
        self._bystanders: set[Any] = set()
        self.in_process = workers.in_process
        self.n_ahead = workers.n_ahead

    @property
    def n_workers(self) -> int:
        """As many as there are now."""
        return max(1, self._workers.n_workers)

    def submit(self, token: Any, call: Call) -> None:
        """Hand a task to a free worker, or keep it until the suspects have been heard."""
        self._calls[token] = call
        self.n_running += 1
        self._waiting.append(token)
        self._start_more()

    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Block until any task ends for good."""
        while True:
            self._end_overdue()
            ended = self._workers.next_finished(self._patience())
            if ended is None:
                continue
            token, retrieve = ended
            self._in_flight.remove(token)
            outcome: Callable[[], Any]
            try:
                outcome = giving(retrieve())
            except WorkerDied as death:
                loss = self._judge(token, death)
                if loss is None:
                    self._start_more()
                    continue
                outcome = failing(loss)
            except Exception as error:
                # Whatever a model raises is for the loop to raise, under the name of its candidate.
                outcome = failing(error)
            self._forget(token)
            self._start_more()
            return token, outcome

    def close(self, *, abort: bool) -> None:
        """Give the workers back, or kill what runs on them."""
        self._workers.close(abort=abort)

    def _judge(self, token: Any, death: WorkerDied) -> TaskLost | None:
        """The verdict on a task whose worker died; None lets it run again."""
        if token in self._overdue:
            return TaskLost(f"it took longer than trial_timeout={self._limit} seconds")
        if death.blame == "bystander" or token in self._bystanders:
            self._bystanders.discard(token)
            if token == self._alone:
                self._alone = None
                self._suspects.appendleft(token)
            else:
                self._waiting.appendleft(token)
            return None
        if death.blame == "culprit" or token == self._alone or token in self._on_second_chance:
            return TaskLost(f"its worker died: {death}")
        if self._workers.blames_exactly:
            self._on_second_chance.add(token)
            self._waiting.appendleft(token)
        else:
            self._suspects.append(token)
        return None

    def _forget(self, token: Any) -> None:
        del self._calls[token]
        self.n_running -= 1
        self._overdue.discard(token)
        self._bystanders.discard(token)
        self._on_second_chance.discard(token)
        if token == self._alone:
            self._alone = None

    def _start_more(self) -> None:
        """Start what may start: one suspect when nothing else runs, or all others."""
        if self._suspects and not self._in_flight:
            self._alone = self._suspects.popleft()
            self._start(self._alone)
        if self._suspects or self._alone is not None:
            return
        while self._waiting and len(self._in_flight) < self.n_workers + self.n_ahead:
            self._start(self._waiting.popleft())

    def _start(self, token: Any) -> None:
        self._in_flight.add(token)
        self._workers.submit(token, self._calls[token])

    def _end_overdue(self) -> None:
        if self._limit is None:
            return
        overdue = {t for t in self._in_flight if self._workers.seconds_running(t) >= self._limit}
        if not overdue:
            return
        self._overdue |= overdue
        if not self._workers.blames_exactly:
            self._bystanders = self._in_flight - self._overdue
        for token in overdue:
            self._workers.kill(token)

    def _patience(self) -> float | None:
        """Seconds after which a task may be overdue."""
        if self._limit is None:
            return None
        running = [self._workers.seconds_running(token) for token in self._in_flight]
        least = min((self._limit - seconds for seconds in running), default=1.0)
        # Who has not begun yet begins at an unknown time.
        return max(0.02, min(least, 1.0 if 0.0 in running else least))
