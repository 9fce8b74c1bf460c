"""Many tasks handed over as one: for nets that are trained together as one batched model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from skhpo._warnings import warn_user
from skhpo.evaluation import Call, gathered, wants_device
from skhpo.execution._executors import Executor
from skhpo.execution._workers import failing, giving


class GatheringExecutor(Executor):
    """Gathers tasks that train nets and hands up to so many of them over at once.

    Where the bundle as a whole comes to nothing, because it does not fit into memory, kills its worker or
    raises, its halves are tried, down to the single task which that is owed to.

    Parameters
    ----------
    inner : Executor
    size : int
        Of a bundle, at most.
    """

    def __init__(self, inner: Executor, size: int) -> None:
        self._inner, self._size = inner, size
        self._calls: dict[Any, Call] = {}
        self._waiting: deque[Any] = deque()
        self._parts: deque[tuple[Any, ...]] = deque()
        self._ended: deque[tuple[Any, Callable[[], Any]]] = deque()
        self._told: set[str] = set()
        self.in_process = inner.in_process

    @property
    def n_workers(self) -> int:
        """As many tasks as fill the workers with bundles; none more while one waits that takes a worker."""
        if self._ended:
            # Whoever is asked next is to know of them.
            return self.n_running
        if any(not wants_device(self._calls[token]) for token in self._waiting):
            return self.n_running
        return self._inner.n_workers * self._size

    def submit(self, token: Any, call: Call) -> None:
        """Keep a task until its bundle is full, or nothing more comes."""
        self._calls[token] = call
        self.n_running += 1
        self._waiting.append(token)

    def wait(self) -> tuple[Any, Callable[[], Any]]:
        """Block until any task ends for good."""
        while not self._ended:
            self._hand_over()
            tokens, retrieve = self._inner.wait()
            if not wants_device(self._calls[tokens[0]]):
                self._ended.append((tokens[0], retrieve))
                continue
            try:
                bundle = retrieve()
            except Exception as error:
                # Whatever a model raises, or ends its worker with, belongs to one of them.
                if len(tokens) == 1:
                    self._ended.append((tokens[0], failing(error)))
                else:
                    self._halve(tokens)
                continue
            self._tell(bundle["reasons"])
            self._take_apart(tokens, bundle["outcomes"], bundle.get("one_by_one", False))
        token, outcome = self._ended.popleft()
        del self._calls[token]
        self.n_running -= 1
        return token, outcome

    def close(self, *, abort: bool) -> None:
        """Give the workers back."""
        self._inner.close(abort=abort)

    def _hand_over(self) -> None:
        while (self._parts or self._waiting) and (free := self._inner.n_workers - self._inner.n_running) > 0:
            tokens = self._parts.popleft() if self._parts else self._next_bundle(free)
            calls = [self._calls[token] for token in tokens]
            self._inner.submit(tokens, gathered(calls) if wants_device(calls[0]) else calls[0])

    def _next_bundle(self, free: int) -> tuple[Any, ...]:
        """The first task that waits, with others if it trains a net."""
        if not wants_device(self._calls[self._waiting[0]]):
            return (self._waiting.popleft(),)
        nets = [token for token in self._waiting if wants_device(self._calls[token])]
        # Shared out evenly: a batched model of half as many nets takes half as long at best.
        tokens = tuple(nets[: min(self._size, -(-len(nets) // free))])
        for token in tokens:
            self._waiting.remove(token)
        return tokens

    def _take_apart(self, tokens: tuple[Any, ...], outcomes: list[Any], one_by_one: bool) -> None:
        """What came of each; None is to be done again, by itself or in halves if it is all of them."""
        again = [token for token, outcome in zip(tokens, outcomes, strict=True) if outcome is None]
        if len(again) == len(tokens) and not one_by_one:
            self._halve(tokens)
            return
        self._parts.extend((token,) for token in again)
        self._ended.extend(
            (token, giving(outcome))
            for token, outcome in zip(tokens, outcomes, strict=True)
            if outcome is not None
        )

    def _halve(self, tokens: tuple[Any, ...]) -> None:
        middle = len(tokens) // 2
        self._parts.extend((tokens[:middle], tokens[middle:]))

    def _tell(self, reasons: list[str]) -> None:
        """Say once why nets are trained one by one."""
        for reason in reasons:
            if reason not in self._told:
                self._told.add(reason)
                warn_user(f"Nets are trained one by one although together={self._size}: {reason}")
