"""Arrays that a Dask cluster holds for a search, so that they travel once and not with every task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from distributed import Client, Future


class SharedData:
    """Values and their places on the cluster; all of it runs in the client's event loop.

    Parameters
    ----------
    client : distributed.Client
        An asynchronous one.
    """

    def __init__(self, client: Client) -> None:
        self._client: Any = client
        self._sent: dict[int, asyncio.Future[Any]] = {}

    def adopt(self, i: int, future: Future) -> None:
        """Take over what the user has scattered: the value with this id, which stays the user's to keep."""
        self._sent[i] = asyncio.get_running_loop().create_future()
        self._sent[i].set_result(Future(future.key, client=self._client))

    async def send(self, value: Any) -> Future:
        """The value's place on the cluster; it goes there when it is first asked for."""
        if id(value) not in self._sent:
            sending = asyncio.ensure_future(self._client.scatter([value], hash=False))
            sending.add_done_callback(_look_at)
            self._sent[id(value)] = sending
        return _place(await asyncio.shield(self._sent[id(value)]))

    def forget_lost(self, values: Iterable[Any]) -> None:
        """Let those values be sent again of which the last copy went with its worker."""
        for value in values:
            sent = self._sent.get(id(value))
            if sent is None or not sent.done():
                continue
            failed = sent.cancelled() or sent.exception() is not None
            if failed or _place(sent.result()).status != "finished":
                del self._sent[id(value)]

    async def close(self) -> None:
        """Stop sending, and let the cluster drop what was sent."""
        for sending in self._sent.values():
            sending.cancel()
        await asyncio.gather(*self._sent.values(), return_exceptions=True)
        self._sent.clear()


def _place(sent: Any) -> Future:
    return sent[0] if isinstance(sent, list) else sent


def _look_at(sending: asyncio.Future[Any]) -> None:
    # Who waits for the results is told of a failure; asyncio need not print it as one that nobody saw.
    if not sending.cancelled():
        sending.exception()
