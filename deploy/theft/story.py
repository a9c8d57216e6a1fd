"""What a service lives through before it is robbed: every way that a member's address or values can take into it."""

import asyncio
from binascii import a2b_base64
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import orjson

from core.clock import Clock
from core.errors import TodokuError
from deploy.demo import marketer
from deploy.demo.mail import read_mail
from deploy.demo.rest import Api, Refused, open_api
from deploy.demo.stage import Stage
from deploy.theft.victims import DOMAIN, Victim, to_csv
from deploy.theft.visits import visit

_ATTRIBUTES = (
    {"name": "phone", "type": "text", "protection": "sealed", "ask_at_signup": True},
    {"name": "note", "type": "text", "protection": "sealed", "ask_at_signup": True},
    {"name": "plan", "type": "text", "protection": "matchable"},
    {"name": "city", "type": "text", "protection": "open"},
)
_LETTER = {
    "name": "news",
    "subject": "{{ name }} 様へ",
    "html": "<p>{{ name }} 様 ({{ phone }})</p><p>{{ note }}</p><a href='https://example.com/news'>news</a>",
}
_AHEAD = timedelta(seconds=1.5)
_POLL = 0.2
_PATIENCE = 60.0
LATER = 3
"""How many victims come in by hand; the others by a file."""


class StoryStuck(TodokuError):  # noqa: N818 - named by meaning, as all errors here
    """Something that was waited for did not come."""

    code = "story-stuck"
    title = "The service did not do what it was asked"


async def play(stage: Stage, victims: Sequence[Victim], clock: Clock) -> None:
    """Live through it: file, form, search, wrong input, mail that arrives, fails and comes back, own pages, erasure."""
    *others, newcomer, moved = victims
    by_hand, by_file = others[-LATER:], others[:-LATER]
    async with open_api(stage.api_url, stage.api_key) as api:
        for attribute in _ATTRIBUTES:
            await api.post("attributes", attribute)
        await _import(api, by_file)
        made = [await api.post("members", _member(one)) for one in by_hand]
        await _ask(api, by_file[3], by_hand[0])
        await _look_for(api, by_hand[2])
        await _export(api, by_hand[2])
        await _mistype(api, by_hand[0])
        await _send(api, clock)
        await api.post("suppressions", {"email": f"nobody-{by_hand[1].email}"})
        await _act(stage)
        await visit(stage, api, newcomer=newcomer, mover=by_hand[2], moved=moved)
        await api.post(f"members/{made[0]['id']}/erase", {})
        await _refused(api.post("members", _member(by_hand[1])))


def _member(victim: Victim) -> dict[str, Any]:
    values = {"name": victim.name, "phone": victim.phone, "note": victim.note, "plan": victim.plan, "city": "osaka"}
    consent = {"source": "form", "given_at": "2026-01-01T00:00:00+09:00", "origin": victim.origin}
    return {"email": victim.email, "attributes": values, "consent": consent}


async def _import(api: Api, victims: Sequence[Victim]) -> None:
    """Bring a file in, with a row that is no address, and one that stands twice."""
    sheet = to_csv(victims, without=("domain", "origin"))
    bad = f"{victims[0].email.partition('@')[0]}@,{victims[0].name},{victims[0].phone},,\r\n"
    content = (sheet + bad + sheet.splitlines(keepends=True)[1]).encode("cp932")
    found = await api.upload("imports", "members.csv", content, {"consent_source": "form"})
    found = await _once(partial(api.get, f"imports/{found['id']}"), {"finished", "failed"})
    if (found["state"], found["created"], found["rejected"]) != ("finished", len(victims), 2):
        raise StoryStuck("The import did not come to what the file says")
    await api.get_text(f"imports/{found['id']}/rejects")


async def _ask(api: Api, one: Victim, other: Victim) -> None:
    """Search, and ask for an address where ids belong, as people do who know no better."""
    found = await api.post("members/search", {"email": one.email})
    if len(found["items"]) != 1:
        raise StoryStuck("The search did not find a member who is there")
    await _refused(api.get(f"members/{other.email}"))
    await _refused(api.get("members", cursor=other.email))


async def _look_for(api: Api, victim: Victim) -> None:
    """Store rules, and ask for what they find, that name values which are not open; search by a part of a name."""
    rules = (
        {"attribute": "plan", "equals": victim.plan},
        {"any": [{"attribute": "note", "contains": victim.note}, {"attribute": "name", "starts_with": victim.name}]},
    )
    for number, rule in enumerate(rules):
        segment = await api.post("segments", {"name": f"segment {number}", "rule": rule})
        shown = await api.post(f"segments/{segment['id']}/preview", {})
        if "state" in shown:
            await _once(partial(api.get, f"segments/previews/{shown['id']}"), {"finished", "failed"})
    found = await api.post("members/search", {"part": victim.name})
    if not found["items"]:
        raise StoryStuck("The search by a part did not find a member who is there")


async def _export(api: Api, victim: Victim) -> None:
    """Have everybody written into a file, and fetch it."""
    made = await api.post("exports", {"format": "csv"})
    await _once(partial(api.get, f"exports/{made['id']}"), {"finished", "failed"})
    if victim.note not in await api.get_text(f"exports/{made['id']}/file"):
        raise StoryStuck("A member is not in the export")


async def _mistype(api: Api, victim: Victim) -> None:
    """Send values where they do not fit: an error repeats nothing of them."""
    await _refused(api.post("members", {"email": f"{victim.email}@", "attributes": {"phone": [victim.phone]}}))
    await _refused(api.post("members", {"email": victim.email, "attributes": {victim.note: victim.phone}}))
    await _refused(api.post("campaigns", {"name": "n", "sender": victim.email, "template": victim.name}))


async def _send(api: Api, clock: Clock) -> None:
    """Send to all of them, and wait until nothing of it is left to do."""
    sender, _ = await marketer.make_sender(api)
    template = await api.post("templates", _LETTER)
    draft = {"name": "news", "sender": sender, "template": template["id"], "audience": {"all": True}}
    campaign = await api.post("campaigns", draft)
    run = await marketer.schedule(api, campaign["id"], clock.now() + _AHEAD)
    await _once(partial(api.get, f"runs/{run}"), {"finished"})
    report = await api.get(f"reports/campaigns/{campaign['id']}")
    if not report["total"]["accepted"] or report["total"]["failed"] != 2:  # noqa: PLR2004 - two of FATES
        raise StoryStuck("The campaign did not come to what the mailbox does with it")


async def _act(stage: Stage) -> None:
    """Open, click, and leave by one click."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        feed = await http.get(f"{stage.mailbox_url}/messages.jsonl", params={"limit": 1000, "raw": "true"})
        mails = [read_mail(a2b_base64(orjson.loads(line)["raw"])) for line in feed.content.splitlines()]
        if not mails or not all(mail.address.endswith(DOMAIN) for mail in mails):
            raise StoryStuck("The mails did not arrive where they should")
        for number, mail in enumerate(mails):
            for url in (mail.pixel, *mail.links):
                if url is not None:
                    await http.get(url, headers={"user-agent": f"Reader of {mail.address}"})
            if number % 3 == 0 and mail.unsubscribe is not None:
                await http.post(mail.unsubscribe, data={"List-Unsubscribe": "One-Click"})


async def _once(asked: Callable[[], Awaitable[Any]], states: Collection[str]) -> Any:
    """Ask until the state is one of those; StoryStuck after a minute."""
    for _ in range(int(_PATIENCE / _POLL)):
        answer = await asked()
        if answer["state"] in states:
            return answer
        await asyncio.sleep(_POLL)
    raise StoryStuck(f"The state was not {' or '.join(states)} within {_PATIENCE:.0f} s")


async def _refused(request: Awaitable[Any]) -> None:
    try:
        await request
    except Refused:
        return
    raise StoryStuck("A request that had to be refused was taken")
