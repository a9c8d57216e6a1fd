"""What every write of a member does besides, in the same transaction: index, suppression."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
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
from members.scopes import ALL, GLOBAL, topic_scope
from members.values import check_values, defaults, is_nothing, missing_values

SQL = sql.load(__package__ or "", "writing.sql")

STOP_MARGIN = timedelta(seconds=5)
"""A consent lifts an earlier stop only if it is later by more than this: within 5 s the stop wins."""

_LIFTED_BY_CONSENT = frozenset({"unsubscribed", "erased"})


async def insert_address(connection: Lent, ring: Ring, member_id: UUID, address: Address) -> None:
    """Index the member's address under every open index key."""
    index = ring.hashes(address.key).lookup
    versions, digests = [version for version, _ in index], [digest for _, digest in index]
    await connection.execute(SQL["insert_address"], ring.account_id, member_id, versions, digests)


async def suppress(
    connection: Lent,
    account_id: UUID,
    suppression_hash: bytes,
    reason: str,
    scopes: Collection[str] = (ALL,),
    since: Mapping[str, datetime] = MappingProxyType({}),
) -> None:
    """Suppress an address by its hash in some scopes, from now on or `since` what is said of a scope.

    What is suppressed already stays as it is.
    """
    times = [since.get(scope) for scope in scopes]
    await connection.execute(SQL["suppress"], account_id, suppression_hash, reason, list(scopes), times)


async def lift_or_refuse(
    connection: Lent,
    account_id: UUID,
    suppression_hash: bytes,
    tag: int,
    consent: Consent | None,
    topics: Collection[UUID] = (),
) -> None:
    """Raise Suppressed if the address or its domain (`tag`) is, for all mail or for one of the topics to be joined.

    A newer consent lifts what the address's owner did alone (unsubscribed, erased).
    """
    scopes = [ALL, *map(topic_scope, topics)]
    rows = await connection.fetch(
        SQL["suppressions"], account_id, [suppression_hash, domain_hash(tag)], [*scopes, GLOBAL]
    )
    for row in rows:
        stopped_at: datetime = row["occurred_at"]
        of_owner = row["hash"] == suppression_hash and row["scope"] != GLOBAL and row["reason"] in _LIFTED_BY_CONSENT
        if consent is None or not of_owner or consent.given_at <= stopped_at + STOP_MARGIN:
            raise Suppressed(f"The address is on the suppression list: {row['reason']}")
    if rows:
        await connection.execute(SQL["lift_suppressions"], account_id, suppression_hash, scopes)


def domain_hash(tag: int) -> bytes:
    """Return what a domain is suppressed by: its destination tag, 8 bytes where an address has 32."""
    return tag.to_bytes(8, "big", signed=True)


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

    Values of removed attributes stay, unseen, until re-sealing clears them.
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
