"""What victims do on their own pages: one signs up and never confirms, one changes their address by their mail's link.

Forms are read and sent as a browser would, and letters are read out of the mailbox.
"""

import asyncio
import re
from binascii import a2b_base64
from collections.abc import Mapping
from email import message_from_bytes, policy

import httpx
import orjson

from core.errors import TodokuError
from deploy.demo.rest import Api
from deploy.demo.stage import Stage
from deploy.theft.victims import Victim

_STAMP = re.compile(r'name="stamp" value="([^"]+)"')
_LINK = re.compile(r"https?://\S+/[lp]/[\w-]+")
_TOO_FAST = 2.5
"""Seconds: a form that is filled in within less is asked for once more."""
_POLL = 0.2
_PATIENCE = 60.0


class VisitFailed(TodokuError):  # noqa: N818 - named by meaning, as all errors here
    """A page or a letter was not what it has to be."""

    code = "visit-failed"
    title = "A member's page did not do what it was asked"


async def visit(stage: Stage, api: Api, *, newcomer: Victim, mover: Victim, moved: Victim) -> None:
    """Have `newcomer` sign up alone, and `mover`, who was sent mail, change to the address of `moved`."""
    async with httpx.AsyncClient(trust_env=False, timeout=30, follow_redirects=True) as browser:
        await _sign_up(stage, api, browser, newcomer)
        await _move(stage, browser, mover, moved)
    for _ in range(int(_PATIENCE / _POLL)):
        if (await api.post("members/search", {"email": moved.email}))["items"]:
            return
        await asyncio.sleep(_POLL)
    raise VisitFailed("The address was not changed")


async def _sign_up(stage: Stage, api: Api, browser: httpx.AsyncClient, newcomer: Victim) -> None:
    [sender, *_] = (await api.get("senders"))["items"]
    branding = await api.change("account/branding", {"sender": sender["id"], "signup_open": True})
    form = branding["signup_url"]
    fields = {"email": newcomer.email, "a.phone": newcomer.phone, "a.note": newcomer.note, "consent": "on"}
    answer = await _fill_in(browser, form, form, fields, after=_TOO_FAST)
    if not answer.url.path.endswith("/sent"):
        raise VisitFailed("The form was not taken")
    await _letter(stage, browser, newcomer, "/l/")


async def _move(stage: Stage, browser: httpx.AsyncClient, mover: Victim, moved: Victim) -> None:
    choices = await _letter(stage, browser, mover, "/p/")
    page = str((await browser.get(choices)).url)
    await _fill_in(browser, page, f"{page.partition('?')[0]}/address", {"address": moved.email})
    for address_of in (moved, mover):
        link = await _letter(stage, browser, address_of, "/l/")
        await _fill_in(browser, link, link, {"action": "accept"})


async def _fill_in(
    browser: httpx.AsyncClient, page: str, target: str, fields: Mapping[str, str], *, after: float = 0
) -> httpx.Response:
    """Open a page and send its form; VisitFailed unless it is there and taken."""
    shown = await browser.get(page)
    stamp = _STAMP.search(shown.text)
    if stamp is None:
        raise VisitFailed(f"A page without a form was answered ({shown.status_code})")
    await asyncio.sleep(after)
    answer = await browser.post(target, data={**fields, "stamp": stamp[1]})
    if not answer.is_success:
        raise VisitFailed(f"A form was answered {answer.status_code}")
    return answer


async def _letter(stage: Stage, browser: httpx.AsyncClient, victim: Victim, kind: str) -> str:
    """Wait for mail to a victim that has a link of a kind; return the link."""
    for _ in range(int(_PATIENCE / _POLL)):
        feed = await browser.get(f"{stage.mailbox_url}/messages.jsonl", params={"limit": 1000, "raw": "true"})
        for mail in map(orjson.loads, feed.content.splitlines()):
            if mail["rcpt_to"] != [victim.email]:
                continue
            body = message_from_bytes(a2b_base64(mail["raw"]), policy=policy.default).get_body(("plain",))
            links = [link for link in _LINK.findall(body.get_content() if body else "") if kind in link]
            if links:
                return str(links[0])
        await asyncio.sleep(_POLL)
    raise VisitFailed("A letter did not arrive")
