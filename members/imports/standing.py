"""What the vault holds of a batch of rows before it is decided: members, suppressed ones, those met already."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from members.imports.columns import Row
from members.imports.suppressed import find_suppressed
from members.imports.turns import SLICE, give_way
from members.keyring import HashColumns, KeyRings, Ring

SQL = sql.load(__package__ or "", "standing.sql")


class Standing(NamedTuple):
    """A batch's hashes, and what the vault holds of it by a row's place: members, suppressed ones, seen ones.

    `barred`: topics that a member must not join by a file. `presumed`: nothing was looked up, all are taken for new.
    """

    hashes: HashColumns
    existing: Mapping[int, asyncpg.Record]
    suppressed: frozenset[int]
    seen: frozenset[int]
    barred: Mapping[UUID, frozenset[UUID]] = MappingProxyType({})
    presumed: bool = False


async def find_standing(
    pool: asyncpg.Pool, rings: KeyRings, ring: Ring, rows: Sequence[Row], import_id: UUID | None, *, dry_run: bool
) -> Standing:
    """Find which addresses are members or suppressed, and which of them the file `import_id` has brought already."""
    hashes = await _hashes(ring, rows)
    existing: dict[int, asyncpg.Record] = {}
    for version, digests in hashes.lookup.items():
        found = await pool.fetch(SQL["existing"], ring.account_id, version, b"".join(digests), import_id)
        if found:
            by_hash = {one["hmac"]: one for one in found}
            existing |= {place: by_hash[digest] for place, digest in enumerate(digests) if digest in by_hash}
    suppressed = await find_suppressed(pool, rings, ring, rows, hashes.suppression)
    if dry_run:
        marks = [mark(suppression) for suppression in hashes.suppression]
        seen = {row["ord"] for row in await pool.fetch(SQL["marked"], import_id, marks)}
    else:
        of_file = ((place, one["seen"] or one["import_id"] == import_id) for place, one in existing.items())
        seen = {place for place, met in of_file if met and import_id is not None}
    return Standing(hashes, existing, suppressed, frozenset(seen))


async def presume_new(ring: Ring, rows: Sequence[Row]) -> Standing:
    """Take it for granted that none of the addresses is a member or suppressed (presumption.py)."""
    return Standing(await _hashes(ring, rows), {}, frozenset(), frozenset(), presumed=True)


async def _hashes(ring: Ring, rows: Sequence[Row]) -> HashColumns:
    hashes = HashColumns([], {version: [] for version in ring.addresses})
    for start in range(0, len(rows), SLICE):
        hashes.extend(ring.hash_columns([row.address.key for row in rows[start : start + SLICE]]))
        await give_way()
    return hashes


def mark(suppression_hash: bytes) -> UUID:
    """Return what a dry run, which makes no members, remembers of an address: the first half of its keyed hash."""
    return UUID(bytes=suppression_hash[:16])
