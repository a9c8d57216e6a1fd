"""What a marketer sets on a campaign, and the rules that hold without asking any database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from scheduler.campaigns.states import State

LONGEST_NAME = 200
HEAVIEST = 100
HIGHEST_RATE = 1_000_000_000
MOST_RULES = 100
_KINDS = {"segments": "seg", "groups": "grp"}
_TOPIC = "top"


@dataclass(frozen=True, slots=True)
class CampaignFields:
    """`audience` is {"all": true}, or "segments" and "groups" (ids as they are shown); either may have "exclude".

    A "topic" keeps an audience to those in that topic, or is all of them by itself.
    `report_by` names what reports tell recipients apart by: "segments" and "groups" (ids as they are shown) and
    "attributes"; of a part that is left out, and of all of them if it is None: what there is (members/traits.py).
    `weight` (1 to 100) is the share among campaigns that run at the same time; `rate_per_hour` bounds messages an hour.
    `track_honeypot` is None where the account decides, when the campaign is scheduled.
    """

    name: str
    sender_id: UUID
    template_id: UUID
    audience: Mapping[str, Any]
    weight: int = 10
    rate_per_hour: int | None = None
    track_opens: bool = True
    track_clicks: bool = True
    track_honeypot: bool | None = None
    resend_uncertain: bool = False
    report_by: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it is shown. The last five describe its newest run and are None while it is a draft.

    `resume_at` is when a suspended run goes on by itself, None for one that is not suspended.
    """

    campaign_id: UUID
    account_id: UUID
    fields: CampaignFields
    state: State
    revision: int
    created_at: datetime
    updated_at: datetime
    run_id: UUID | None
    starts_at: datetime | None
    local_time: str | None
    time_zone: str | None
    resume_at: datetime | None


def require_valid(fields: CampaignFields) -> None:
    """Raise InvalidInput with every fault of `fields` at once."""
    faults = [*_own_faults(fields), *audience_faults(fields.audience)]
    if faults:
        raise InvalidInput("The campaign is not valid", faults)


def _own_faults(fields: CampaignFields) -> list[Fault]:
    faults = []
    if not fields.name.strip() or len(fields.name) > LONGEST_NAME or not fields.name.isprintable():
        faults.append(Fault("/name", "length", f"The name must be one line of 1 to {LONGEST_NAME} characters"))
    if not 1 <= fields.weight <= HEAVIEST:
        faults.append(Fault("/weight", "range", f"The weight must be from 1 to {HEAVIEST}"))
    if fields.rate_per_hour is not None and not 1 <= fields.rate_per_hour <= HIGHEST_RATE:
        faults.append(Fault("/rate_per_hour", "range", f"The rate must be from 1 to {HIGHEST_RATE}"))
    return faults


def audience_faults(audience: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the shape of an audience; whether its segments exist only the vault knows."""
    faults = [
        Fault(f"/audience/{_escape(key)}", "unknown", "There is no such part of an audience")
        for key in audience
        if key not in {"all", "segments", "groups", "exclude", "topic"}
    ]
    included = _lists(audience, "/audience", faults)
    excluded = audience.get("exclude", {})
    if isinstance(excluded, Mapping):
        faults += [
            Fault(f"/audience/exclude/{_escape(key)}", "unknown", "There is no such part of an exclusion")
            for key in excluded
            if key not in {"segments", "groups"}
        ]
        _lists(excluded, "/audience/exclude", faults)
    else:
        faults.append(Fault("/audience/exclude", "type", "Must be an object"))
    if "topic" in audience and not _is_id(_TOPIC, audience["topic"]):
        faults.append(Fault("/audience/topic", "type", "Must be an id"))
    if "all" in audience:
        if audience["all"] is not True:
            faults.append(Fault("/audience/all", "type", "Must be true, or left out"))
        elif included:
            faults.append(Fault("/audience/all", "contradiction", "All members, or segments and groups: not both"))
    elif not included and "topic" not in audience and not faults:
        faults.append(Fault("/audience", "required", "Name at least one segment or group, a topic, or all members"))
    return faults


def topic_of(audience: Mapping[str, Any]) -> UUID | None:
    """Return the topic that is written about to a checked audience, None if it names none."""
    return ids.decode(_TOPIC, audience["topic"]) if "topic" in audience else None


def _lists(part: Mapping[str, Any], pointer: str, faults: list[Fault]) -> int:
    """Check `segments` and `groups` of one part; return how many ids they name."""
    count = 0
    for key, kind in _KINDS.items():
        named = part.get(key, [])
        if not isinstance(named, list | tuple):
            faults.append(Fault(f"{pointer}/{key}", "type", "Must be a list of ids"))
            continue
        if len(named) > MOST_RULES:
            faults.append(Fault(f"{pointer}/{key}", "length", f"At most {MOST_RULES} ids"))
            continue
        faults += [
            Fault(f"{pointer}/{key}/{index}", "type", "Must be an id")
            for index, item in enumerate(named)
            if not _is_id(kind, item)
        ]
        count += len(named)
    return count


def _is_id(kind: str, item: object) -> bool:
    try:
        ids.decode(kind, str(item))
    except NotFound:
        return False
    return True


def _escape(key: str) -> str:
    """Write `key` as a token of a JSON pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")
