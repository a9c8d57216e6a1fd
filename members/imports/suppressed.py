"""Which rows of a batch name an address that is suppressed: by itself or by its domain, in this account or in all."""

from collections.abc import Sequence

import asyncpg

from core import sql
from members.global_suppressions import suppressed_everywhere
from members.imports.columns import Row
from members.keyring import AddressHashes, KeyRings, Ring
from members.writing import domain_hash

SQL = sql.load(__package__ or "", "suppressed.sql")


async def find_suppressed(
    pool: asyncpg.Pool, rings: KeyRings, ring: Ring, rows: Sequence[Row], hashes: Sequence[AddressHashes]
) -> frozenset[int]:
    """Return the places of such rows. `hashes`: the rows' own, in their order."""
    domains = {domain_hash(ring.tag(domain)): domain for domain in {row.address.domain for row in rows}}
    addresses = [hashed.suppression for hashed in hashes]
    by_address = await pool.fetch(SQL["by_address"], ring.account_id, addresses)
    by_domain = await pool.fetch(SQL["by_domain"], ring.account_id, list(domains))
    everywhere = await suppressed_everywhere(pool, rings, [row.address.key for row in rows])
    places = {row["ord"] for row in by_address}
    if by_domain or everywhere:
        found = {domains[row["hash"]] for row in by_domain}
        places.update(
            place for place, row in enumerate(rows) if row.address.domain in found or row.address.key in everywhere
        )
    return frozenset(places)
