"""All that is held on one member, gathered for the member: as values, as JSON, as lines for a spreadsheet."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO
from typing import Any

import orjson

from api.pages.services import PageServices
from core import ids
from members import passwords, sessions
from members.formulas import disarm
from members.member import ConsentRecord, Member
from members.proven import Proof
from members.scopes import shown_scope
from members.sessions import Session
from tracking.mails import Mail, Stop


@dataclass(frozen=True, slots=True)
class Held:
    """What both databases hold on a member."""

    member: Member
    consents: Sequence[ConsentRecord]
    stops: Sequence[Stop]
    mails: Sequence[Mail]
    sessions: Sequence[Session]
    password_since: datetime | None


async def gather(services: PageServices, proof: Proof) -> Held:
    """Read all of it; the vault's part is of one moment."""
    account_id, member_id = proof.account_id, proof.member_id
    async with services.proven.opened(proof) as mine:
        member = await mine.members.get(account_id, member_id)
        consents = await mine.members.consents(account_id, member_id)
        listed = await sessions.listed(mine.connection, proof)
        since = await passwords.since(mine.connection, proof)
    stops = await services.mails.stops(account_id, member_id)
    mails = [mail async for mail in services.mails.sent(account_id, member_id)]
    return Held(member, consents, stops, mails, listed, since)


def as_json(held: Held) -> bytes:
    """Return all of it as one JSON object, indented to be read."""
    content = {
        "profile": _profile(held.member),
        "consents": [_consent(record) for record in held.consents],
        "stops": [{**asdict(stop), "scope": shown_scope(stop.scope)} for stop in held.stops],
        "mails": [_mail(mail) for mail in held.mails],
        "sessions": [{"created_at": one.created_at, "last_seen_at": one.last_seen_at} for one in held.sessions],
        "password_set_at": held.password_since,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def as_csv(held: Held) -> bytes:
    """Return all of it as lines (what, name, value), fit for a spreadsheet: nothing in it runs as a formula.

    UTF-8 with a byte order mark, by which Excel knows it.
    """
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["what", "name", "value"])
    writer.writerows([disarm(cell) for cell in row] for row in _lines(held))
    return text.getvalue().encode("utf-8-sig")


def _lines(held: Held) -> Iterator[tuple[str, str, str]]:
    for name, value in _profile(held.member).items():
        yield "profile", name, _cell(value)
    parts: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "consent": [_consent(record) for record in held.consents],
        "stop": [{**asdict(stop), "scope": shown_scope(stop.scope)} for stop in held.stops],
        "mail": [_mail(mail) for mail in held.mails],
    }
    for what, items in parts.items():
        for number, item in enumerate(items, 1):
            for name, value in item.items():
                yield f"{what} {number}", name, _cell(value)
    for number, session in enumerate(held.sessions, 1):
        yield f"session {number}", "created_at", _cell(session.created_at)
        yield f"session {number}", "last_seen_at", _cell(session.last_seen_at)


def _profile(member: Member) -> dict[str, Any]:
    return {
        "email": member.address,
        "status": member.status,
        "paused_until": member.paused_until,
        "topics": [ids.encode("top", topic) for topic in member.topics],
        "groups": [ids.encode("grp", group) for group in member.groups],
        "tracking": member.tracking,
        "least_days": member.least_days,
        **{f"attribute {name}": value for name, value in member.values.items()},
        "created_at": member.created_at,
        "updated_at": member.updated_at,
    }


def _consent(record: ConsentRecord) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "scope": shown_scope(record.scope),
        "source": record.source,
        "form_version": record.form_version,
        "occurred_at": record.occurred_at,
        "confirmed_at": record.confirmed_at,
        "origin": record.origin,
    }


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "run": ids.encode("run", mail.run_id),
        "campaign": mail.campaign,
        "starts_at": mail.starts_at,
        "outcome": mail.outcome,
        "at": mail.at,
        "omitted": mail.omitted,
        "events": list(mail.events),
    }


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case list() | dict():
            return orjson.dumps(value).decode()
        case _:
            return str(value)
