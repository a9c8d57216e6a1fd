"""Hands the mailbox out to the recipients, range by range, as mail arrives."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import httpx

from core.clock import Clock
from deploy.demo import recipients
from deploy.demo.ledger import Delivered, SentOn

BATCH = 200
"""Mails in one range: about half a second's reading."""
_AT_ONCE = 4
_POLL = 0.1
PAUSE = 3.5
"""Seconds for which a mail lies unread: who asks for something sooner than a person can is taken for a machine."""


class Reader:
    """Goes through a mailbox that is only added to. `take` gets each mail once; `executor` has settled processes."""

    def __init__(
        self, executor: Executor, http: httpx.AsyncClient, take: Callable[[Delivered | SentOn], None], clock: Clock
    ) -> None:
        self.arrived = 0
        self.read = 0
        self._executor = executor
        self._http = http
        self._take = take
        self._clock = clock
        self._handed_out = 0
        self._lying = 0
        self._noted: deque[tuple[float, int]] = deque()

    async def read_on(self, ended: asyncio.Event) -> None:
        """Read what arrives until `ended` is set and nothing is left."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                over = ended.is_set()
                await self._look()
                while self._handed_out < self._lying and len(under_way) < _AT_ONCE:
                    limit = min(BATCH, self._lying - self._handed_out)
                    under_way.add(asyncio.create_task(self._read_range(self._handed_out, limit)))
                    self._handed_out += limit
                if not under_way and over and self._handed_out == self.arrived:
                    return
                done, under_way = await _some(under_way)
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()

    async def _look(self) -> None:
        """Note how far the mailbox goes now, and how far it went a while ago."""
        self.arrived = (await self._http.get("/status")).raise_for_status().json()["last_id"]
        now = self._clock.monotonic()
        self._noted.append((now, self.arrived))
        while self._noted and self._noted[0][0] <= now - PAUSE:
            self._lying = self._noted.popleft()[1]

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
