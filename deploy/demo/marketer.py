"""The one at the API: defines attributes, imports the file, makes sender, segments, templates and campaigns."""

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from core import ids
from deploy.demo.campaigns import Campaign
from deploy.demo.names import PREFECTURES, RANKS
from deploy.demo.rest import Api, Refused
from deploy.demo.sheet import MAPPING, Sheet

_POLL = 0.2

_ATTRIBUTES: Sequence[Mapping[str, Any]] = (
    {"name": "prefecture", "type": "choice", "protection": "open", "label": {"ja": "都道府県", "en": "Prefecture"}},
    {"name": "rank", "type": "choice", "protection": "matchable", "label": {"ja": "会員ランク", "en": "Rank"}},
    {"name": "points", "type": "number", "protection": "open", "label": {"ja": "ポイント", "en": "Points"}},
    {"name": "birthday", "type": "date", "protection": "sealed", "label": {"ja": "誕生日", "en": "Birthday"}},
    {"name": "street", "type": "text", "protection": "sealed", "label": {"ja": "住所", "en": "Street"}},
)
_CHOICES = {"prefecture": PREFECTURES, "rank": RANKS}

REPLY_TO = "help@shop.example.jp"
_SENDER = {
    "name": "届く商店",
    "address": "news@shop.example.jp",
    "reply_to": REPLY_TO,
    "postal_address": "東京都千代田区千代田1-1",
    "contact": "https://shop.example.jp/contact",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: its counts, and the rejected lines with the reasons that the reject file gives."""

    created: int
    updated: int
    unchanged: int
    rejects: tuple[tuple[int, str], ...]


async def define_attributes(api: Api) -> None:
    """Define what the file brings beside the built-in name."""
    for attribute in _ATTRIBUTES:
        choices = [
            {"value": value, "label": {"ja": label}} for value, label in _CHOICES.get(attribute["name"], {}).items()
        ]
        await api.post("attributes", {**attribute, **({"choices": choices} if choices else {})})


async def import_sheet(api: Api, sheet: Sheet, on_progress: Callable[[int, int | None], None]) -> Imported:
    """Upload the file and watch it being imported; `on_progress` gets rows done and rows in all, once known."""
    fields = {"mapping": orjson.dumps(MAPPING).decode(), "consent_source": "demo 2026, form A"}
    found = await api.upload("imports", "members.csv", sheet.content, fields)
    while found["state"] not in {"finished", "failed"}:
        await asyncio.sleep(_POLL)
        found = await api.get(f"imports/{found['id']}")
        on_progress(found["progress"]["done"], found["progress"]["total"])
    if found["state"] == "failed":
        raise Refused(f"The import failed: {'; '.join(found['errors'])}")
    rejects = csv.DictReader(io.StringIO(await api.get_text(f"imports/{found['id']}/rejects"), newline=""))
    return Imported(
        created=found["created"],
        updated=found["updated"],
        unchanged=found["unchanged"],
        rejects=tuple((int(row["line"]), row["reason"]) for row in rejects),
    )


async def make_sender(api: Api) -> tuple[str, Sequence[Mapping[str, str]]]:
    """Make the sender; return its id and the DNS records that the API says to publish."""
    made = await api.post("senders", _SENDER)
    return made["id"], made["dns_records"]


async def make_campaign(api: Api, campaign: Campaign, sender: str) -> str:
    """Make template, segment and draft of a campaign, have it checked; return its id."""
    letter = campaign.letter
    template = await api.post(
        "templates",
        {"name": campaign.key, "subject": letter.subject, "preheader": letter.preheader, "html": letter.html},
    )
    audience: dict[str, Any] = {"all": True}
    if campaign.rule is not None:
        segment = await api.post("segments", {"name": campaign.key, "rule": campaign.rule})
        audience = {"segments": [segment["id"]]}
    draft = {"name": campaign.name, "sender": sender, "template": template["id"], "audience": audience}
    made = await api.post("campaigns", draft)
    checked = await api.post(f"campaigns/{made['id']}/check", {})
    if not checked["ready"] or checked["links"] != list(letter.links):
        raise Refused(f"The campaign {campaign.key} can't be sent: {checked['errors']}")
    return str(made["id"])


async def schedule(api: Api, campaign_id: str, at: datetime) -> str:
    """Schedule a campaign; return its run's id."""
    scheduled = await api.post(f"campaigns/{campaign_id}/schedule", {"at": at.isoformat()})
    return str(scheduled["run"])


async def settled_until(api: Api, campaign_id: str) -> datetime:
    """Return before when a campaign's report has told people from machines."""
    return datetime.fromisoformat((await api.get(f"reports/campaigns/{campaign_id}"))["settled_until"])


async def left_out(api: Api, rule: Mapping[str, Any], expected: Mapping[str, int], *, tries: int) -> Mapping[str, int]:
    """Return whom a preview of the rule leaves out, by reason: asked again until it is as expected, or often enough."""
    found: Mapping[str, int] = {}
    for _ in range(tries):
        found = dict(sorted((await api.post("segments/preview", {"rule": rule}))["left_out"].items()))
        if found == expected:
            break
        await asyncio.sleep(_POLL)
    return found


def name_in_mails(campaign_id: str) -> str:
    """Return how a campaign is called in the Feedback-ID of its mails."""
    return ids.decode("cmp", campaign_id).hex


def reasons(rejects: Sequence[tuple[int, str]]) -> Mapping[str, int]:
    """Count rejects by reason."""
    return dict(sorted(Counter(reason for _, reason in rejects).items()))
