"""Which rows of a batch name an address that is suppressed: by itself or by its domain, in this account or in all."""

from collections.abc import Sequence

from core import sql
from members.connection import Connection
from members.global_suppressions import suppressed_everywhere
from members.imports.columns import Row
from members.keyring import KeyRings, Ring
from members.writing import domain_hash

SQL = sql.load(__package__ or "", "suppressed.sql")


async def find_suppressed(
    connection: Connection, rings: KeyRings, ring: Ring, rows: Sequence[Row], hashes: Sequence[bytes]
) -> frozenset[int]:
    """Return the places of such rows. `hashes`: their suppression hashes, in their order."""
    domains = {domain_hash(ring.tag(domain)): domain for domain in {row.address.domain for row in rows}}
    by_address = await connection.fetch(SQL["by_address"], ring.account_id, b"".join(hashes))
    by_domain = await connection.fetch(SQL["by_domain"], ring.account_id, list(domains))
    everywhere = await suppressed_everywhere(connection, rings, [row.address.key for row in rows])
    if not (by_address or by_domain or everywhere):
        return frozenset()
    named, at = {row["hash"] for row in by_address}, {domains[row["hash"]] for row in by_domain}
    return frozenset(
        place
        for place, (row, hashed) in enumerate(zip(rows, hashes, strict=True))
        if hashed in named or row.address.domain in at or row.address.key in everywhere
    )
