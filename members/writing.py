"""What every write of a member does besides, in the same transaction: index, consent, suppression."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from core import sql
from core.errors import Fault, InvalidInput
from members.addresses import Address
from members.attribute import Definitions
from members.connection import Lent
from members.errors import Suppressed
from members.keyring import Ring
from members.member import Consent
from members.profile import Value
from members.values import check_values, defaults, is_nothing, missing_values

SQL = sql.load(__package__ or "", "writing.sql")

MAX_SOURCE = 200
STOP_MARGIN = timedelta(seconds=5)
"""A consent lifts an earlier stop only if it is later by more than this: within 5 s the stop wins."""

_LIFTED_BY_CONSENT = frozenset({"unsubscribed", "erased"})


async def insert_address(connection: Lent, ring: Ring, member_id: UUID, address: Address) -> None:
    """Index the member's address under every open index key."""
    index = ring.hashes(address.key).lookup
    versions, digests = [version for version, _ in index], [digest for _, digest in index]
    await connection.execute(SQL["insert_address"], ring.account_id, member_id, versions, digests)


async def record_given(connection: Lent, account_id: UUID, member_id: UUID, consent: Consent | None) -> None:
    """Add a consent to the ledger, if there is one."""
    if consent is not None:
        await connection.execute(SQL["consent"], account_id, member_id, "given", consent.source, consent.given_at)


async def record_withdrawn(
    connection: Lent, account_id: UUID, member_id: UUID, source: str, suppression_hash: bytes
) -> None:
    """Note in the ledger that consent was taken back, and suppress the address."""
    await connection.execute(SQL["consent"], account_id, member_id, "withdrawn", source[:MAX_SOURCE], None)
    await suppress(connection, account_id, suppression_hash, "unsubscribed")


async def suppress(connection: Lent, account_id: UUID, suppression_hash: bytes, reason: str) -> None:
    """Suppress an address by its hash; what is suppressed already stays as it is."""
    await connection.execute(SQL["suppress"], account_id, suppression_hash, reason)


async def lift_or_refuse(connection: Lent, account_id: UUID, suppression_hash: bytes, consent: Consent | None) -> None:
    """Raise Suppressed if the address is; a newer consent lifts what its owner did alone (unsubscribed, erased)."""
    row = await connection.fetchrow(SQL["suppression"], account_id, suppression_hash)
    if row is None:
        return
    stopped_at: datetime = row["occurred_at"]
    if consent is None or row["reason"] not in _LIFTED_BY_CONSENT or consent.given_at <= stopped_at + STOP_MARGIN:
        raise Suppressed(f"The address is on the suppression list: {row['reason']}")
    await connection.execute(SQL["lift_suppression"], account_id, suppression_hash)


def checked_consent(consent: Consent | None) -> None:
    """Raise InvalidInput unless a consent says by what and when, in an aware time."""
    if consent is None:
        return
    faults = []
    if not 0 < len(consent.source) <= MAX_SOURCE:
        faults.append(Fault("/consent/source", "bad-source", f"1 to {MAX_SOURCE} characters"))
    if consent.given_at.tzinfo is None:
        faults.append(Fault("/consent/given_at", "no-offset", "The time needs an offset"))
    if faults:
        raise InvalidInput("A consent record needs a source and a time", faults)


def checked_values(values: Mapping[str, object], definitions: Definitions) -> dict[str, Value]:
    """Return a new member's values by key; raise InvalidInput with every wrong or missing one.

    What is not said at all has its default; null says that there shall be none.
    """
    checked = check_values(values, definitions)
    said = {attribute.key for name in values if (attribute := definitions.named(name))}
    checked |= {key: default for key, default in defaults(definitions).items() if key not in said}
    _refuse_missing(checked, definitions)
    return checked


def merged_values(
    old: Mapping[str, Value], changes: Mapping[str, object], definitions: Definitions
) -> dict[str, Value]:
    """Return old values, by key, overlaid with changes by name, where null removes, as does an empty list.

    Values of removed attributes stay, unseen.
    """
    merged = {**old, **check_values(changes, definitions)}
    for name, value in changes.items():
        if is_nothing(value) and (attribute := definitions.named(name)):
            merged.pop(attribute.key, None)
    if changes:
        _refuse_missing(merged, definitions)
    return merged


def _refuse_missing(values: Mapping[str, Value], definitions: Definitions) -> None:
    faults = [
        Fault(f"/attributes/{name}", "required", "This attribute is required")
        for name in missing_values(values, definitions)
    ]
    if faults:
        raise InvalidInput("Required attributes are missing", faults)
