"""Asks for what a mail leads to, as its reader or a machine would, and notes what was not answered as it should be.

By httpcore, which httpx stands on: tens of thousands of requests on the cores that they are asked of, at two thirds of
what httpx takes for one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpcore

from deploy.demo.behaviour import Acts
from deploy.demo.machines import Sweep
from deploy.demo.mail import Mail

_PIXEL, _REDIRECT, _HIDDEN, _TO_PAGES, _DONE = (
    *(("image/gif", 200), ("", 302), ("", 204), ("", 303), ("text/plain", 200)),
)

_SECONDS = 30.0
TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), _SECONDS)}
"""Of each request, as httpcore takes them."""

_FORM = (("content-type", "application/x-www-form-urlencoded"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is looked at of an answer; header fields that are not there are empty."""

    status: int
    content_type: str
    location: str


class Asker:
    """What is asked about one mail, whose links lead to `targets`; words without an address go into `faults`."""

    def __init__(
        self, http: httpcore.AsyncConnectionPool, mail: Mail, targets: Sequence[str], faults: list[str]
    ) -> None:
        self._http = http
        self._mail = mail
        self._targets = targets
        self._faults = faults

    async def act(self, acts: Acts) -> None:
        """Do what a reader does, one thing after another."""
        for _ in range(acts.opens):
            await self._load(acts.loader)
        for number in acts.clicks:
            await self._follow(number, acts.browser)
        leave = self._mail.unsubscribe
        if not (acts.looks or acts.unsubscribes):
            return
        if leave is None:
            self._faults.append("no one-click unsubscribe is offered")
            return
        if acts.looks:
            self._expect(await self._get(leave, acts.browser), _TO_PAGES, "the unsubscribe page did not answer")
        for _ in range(acts.unsubscribes):
            # RFC 8058 section 3.2: what a mail program sends when its button is pressed.
            answer = await self._ask("POST", leave, _FORM, b"List-Unsubscribe=One-Click")
            self._expect(answer, _DONE, "an unsubscribe was not taken")

    async def sweep(self, sweep: Sweep) -> None:
        """Do what a machine does: its links at once, behind the hidden one and before the image."""
        if sweep.hidden and self._mail.hidden is not None:
            answer = await self._get(self._mail.hidden, sweep.agent)
            self._expect(answer, _HIDDEN, "the hidden link led somewhere")
        await asyncio.gather(*(self._follow(number, sweep.agent) for number in range(sweep.links)))
        await self._load(sweep.agent)

    async def _load(self, agent: str) -> None:
        answer = await self._get(self._mail.pixel, agent) if self._mail.pixel else None
        self._expect(answer, _PIXEL, "the pixel did not answer")

    async def _follow(self, number: int, agent: str) -> None:
        links = self._mail.links
        answer = await self._get(links[number], agent) if number < len(links) else None
        right = answer is not None and answer.location == self._targets[number]
        self._expect(answer if right else None, _REDIRECT, "a link did not lead where it should")

    async def _get(self, url: str, agent: str) -> Answer:
        return await self._ask("GET", url, (("user-agent", agent),))

    async def _ask(
        self, method: str, url: str, fields: Sequence[tuple[str, str]], content: bytes | None = None
    ) -> Answer:
        # A redirect is looked at, never followed.
        answer = await self._http.request(method, url, headers=fields, content=content, extensions=TIMEOUTS)
        found = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        return Answer(answer.status, found.get(b"content-type", ""), found.get(b"location", ""))

    def _expect(self, answer: Answer | None, wanted: tuple[str, int], fault: str) -> None:
        kind, status = wanted
        if answer is None or answer.status != status or not answer.content_type.startswith(kind):
            self._faults.append(fault)
