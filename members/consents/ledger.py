"""Writes consents into the ledger and reads a member's back; the database chains what is written."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, Tampered
from members.connection import Connection, Lent
from members.consents import chain, evidence
from members.consents.evidence import Evidence
from members.member import Consent, ConsentKind, ConsentRecord
from members.scopes import ALL, topic_scope

SQL = sql.load(__package__ or "", "ledger.sql")

CONTENT = (
    "kind",
    "scope",
    "source",
    "form_version",
    "occurred_at",
    "recorded_at",
    "confirmed_at",
    "commitment",
)
"""The columns of a record that say something, in the order in which `chain.record_hash` takes them."""
LEFT = "left the topic"
"""The source of a withdrawal that nobody gave a source for."""
MAX_SOURCE = 200
MAX_FORM_VERSION = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded; without `occurred_at` it is now."""

    kind: ConsentKind
    scope: str
    source: str
    occurred_at: datetime | None = None
    form_version: str | None = None
    confirmed_at: datetime | None = None


def check(consent: Consent | None) -> None:
    """Raise InvalidInput, with every fault, unless a consent says by what and when, in aware times."""
    if consent is None:
        return
    faults = []
    if not 0 < len(consent.source) <= MAX_SOURCE:
        faults.append(Fault("/consent/source", "bad-source", f"1 to {MAX_SOURCE} characters"))
    if consent.form_version is not None and not 0 < len(consent.form_version) <= MAX_FORM_VERSION:
        faults.append(Fault("/consent/form_version", "bad-version", f"1 to {MAX_FORM_VERSION} characters"))
    for name, at in (("given_at", consent.given_at), ("confirmed_at", consent.confirmed_at)):
        if at is not None and at.tzinfo is None:
            faults.append(Fault(f"/consent/{name}", "no-offset", "The time needs an offset"))
    if consent.origin is not None and not _is_address(consent.origin):
        faults.append(Fault("/consent/origin", "not-an-ip-address", "An IPv4 or IPv6 address"))
    if faults:
        raise InvalidInput("A consent record needs a source and a time", faults)


def given(consent: Consent | None, topics: Collection[UUID] = ()) -> list[Entry]:
    """Return what a consent is recorded as: one entry for all mail, and one for each topic that is joined by it."""
    if consent is None:
        return []
    return [
        Entry("given", scope, consent.source, consent.given_at, consent.form_version, consent.confirmed_at)
        for scope in (ALL, *map(topic_scope, topics))
    ]


def withdrawn(
    source: str | None, topics: Collection[UUID] = (), since: Mapping[str, datetime] = MappingProxyType({})
) -> list[Entry]:
    """Return what is recorded of taking consent back: to all mail by `source` if it is given, and to topics left.

    `since`: by scope, when it was, where that is known: the time of a stop, by which it is known again when that is
    carried in. Without one it is now.
    """
    entries = [] if source is None else [Entry("withdrawn", ALL, source, since.get(ALL))]
    scopes = map(topic_scope, topics)
    return entries + [Entry("withdrawn", scope, source or LEFT, since.get(scope)) for scope in scopes]


def prove(
    consent: Consent | None, account_id: UUID, member_id: UUID, key: bytes, random: Callable[[int], bytes]
) -> Evidence | None:
    """Seal where a consent came from under the member's key; None where it does not say."""
    if consent is None or consent.origin is None:
        return None
    return evidence.seal(
        evidence.normal(consent.origin),
        key=key,
        account_id=account_id,
        member_id=member_id,
        random=random(evidence.RANDOM_BYTES),
    )


async def record(
    connection: Lent, account_id: UUID, member_id: UUID, entries: Sequence[Entry], proof: Evidence | None = None
) -> None:
    """Add entries to the ledger in one statement, so in one link; `proof` is where the given ones came from."""
    if not entries:
        return
    if proof is not None:
        await evidence.keep(connection, account_id, member_id, proof)
    await connection.execute(
        SQL["record"],
        account_id,
        member_id,
        [entry.kind for entry in entries],
        [entry.scope for entry in entries],
        [entry.source[:MAX_SOURCE] for entry in entries],
        [entry.occurred_at for entry in entries],
        [entry.form_version for entry in entries],
        [entry.confirmed_at for entry in entries],
        [proof and proof.commitment if entry.kind == "given" else None for entry in entries],
    )


async def stands(connection: Connection, account_id: UUID, member_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the members whose last word on all mail is a consent."""
    return {row["member_id"] for row in await connection.fetch(SQL["stands"], account_id, list(member_ids))}


async def records_of(
    connection: Connection, account_id: UUID, member_id: UUID, key: bytes | None
) -> list[ConsentRecord]:
    """Return a member's records, oldest first. `key`: the member's, to open origins by; None once it is gone."""
    rows = await connection.fetch(SQL["of_member"], account_id, member_id)
    return [
        ConsentRecord(
            kind=row["kind"],
            scope=row["scope"],
            source=row["source"],
            form_version=row["form_version"],
            occurred_at=row["occurred_at"],
            recorded_at=row["recorded_at"],
            confirmed_at=row["confirmed_at"],
            origin=_origin(row, account_id, member_id, key),
            link=row["link"],
            hash=chain.record_hash(account_id, member_id, *(row[name] for name in CONTENT)),
        )
        for row in rows
    ]


def _origin(row: asyncpg.Record, account_id: UUID, member_id: UUID, key: bytes | None) -> str | None:
    if key is None or row["sealed"] is None:
        return None
    try:
        proof = Evidence(row["commitment"], row["sealed"])
        return evidence.unseal(proof, key=key, account_id=account_id, member_id=member_id)
    except Tampered:
        return None


def _is_address(origin: str) -> bool:
    try:
        return bool(evidence.normal(origin))
    except ValueError:
        return False
