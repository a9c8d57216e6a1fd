"""Hands the mailbox out to the recipients, range by range, as mail arrives."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import httpx

from deploy.demo import recipients
from deploy.demo.ledger import Delivered

BATCH = 200
"""Mails in one range: about half a second's reading."""
_AT_ONCE = 4
_POLL = 0.1


class Reader:
    """Goes through a mailbox that is only added to. `take` gets each mail once; `executor` has settled processes."""

    def __init__(self, executor: Executor, http: httpx.AsyncClient, take: Callable[[Delivered], None]) -> None:
        self.arrived = 0
        self.read = 0
        self._executor = executor
        self._http = http
        self._take = take
        self._handed_out = 0

    async def read_on(self, ended: asyncio.Event) -> None:
        """Read what arrives until `ended` is set and nothing is left."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                over = ended.is_set()
                self.arrived = (await self._http.get("/status")).raise_for_status().json()["last_id"]
                while self._handed_out < self.arrived and len(under_way) < _AT_ONCE:
                    limit = min(BATCH, self.arrived - self._handed_out)
                    under_way.add(asyncio.create_task(self._read_range(self._handed_out, limit)))
                    self._handed_out += limit
                if not under_way and over:
                    return
                done, under_way = await _some(under_way)
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()

    async def _read_range(self, after: int, limit: int) -> None:
        mails = await asyncio.get_running_loop().run_in_executor(self._executor, recipients.receive, after, limit)
        self.read += limit
        for mail in mails:
            self._take(mail)


async def _some(tasks: set[asyncio.Task[None]]) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    """Wait until one of them is done, or for a moment."""
    if tasks:
        return await asyncio.wait(tasks, timeout=_POLL, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(_POLL)
    return set(), set()
