"""Asks for what a mail leads to, as its reader or a machine would, and notes what was not answered as it should be."""

import asyncio
from collections.abc import Sequence

import httpx

from deploy.demo.behaviour import Acts
from deploy.demo.machines import Sweep
from deploy.demo.mail import Mail

_PIXEL, _REDIRECT, _HIDDEN, _TO_PAGES, _DONE = (
    *(("image/gif", 200), ("", 302), ("", 204), ("", 303), ("text/plain", 200)),
)


class Asker:
    """What is asked about one mail, whose links lead to `targets`; words without an address go into `faults`."""

    def __init__(self, http: httpx.AsyncClient, mail: Mail, targets: Sequence[str], faults: list[str]) -> None:
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
            answer = await self._http.post(leave, data={"List-Unsubscribe": "One-Click"})
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
        right = answer is not None and answer.headers.get("location") == self._targets[number]
        self._expect(answer if right else None, _REDIRECT, "a link did not lead where it should")

    async def _get(self, url: str, agent: str) -> httpx.Response:
        return await self._http.get(url, headers={"user-agent": agent})

    def _expect(self, answer: httpx.Response | None, wanted: tuple[str, int], fault: str) -> None:
        kind, status = wanted
        if (
            answer is None
            or answer.status_code != status
            or not answer.headers.get("content-type", "").startswith(kind)
        ):
            self._faults.append(fault)
