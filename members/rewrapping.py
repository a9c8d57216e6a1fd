"""Wraps the vault's keys by another KEK: the rings' and the installation's own. What they open stays as it is.

Each key commits by itself, so that a call that was broken off is made good by the next: it finds what is left by the
fingerprint of the KEK that wrapped it.
"""

import asyncpg

from core import sql
from members.kek import KekProvider
from members.keyring import ring_aad

SQL = sql.load(__package__ or "", "rewrapping.sql")


async def rewrap_vault(pool: asyncpg.Pool, kek: KekProvider) -> int:
    """Wrap by `kek`, which also opens what the previous one wrapped; return how many keys that were.

    Raises Tampered at a key that neither opens.
    """
    fingerprint = kek.fingerprint
    rings = await pool.fetch(SQL["rings"], fingerprint)
    for account_id, purpose, version, wrapped in rings:
        aad = ring_aad(account_id, purpose, version)
        again = await kek.wrap(await kek.unwrap(wrapped, aad), aad)
        await pool.execute(SQL["rewrap_ring"], account_id, purpose, version, wrapped, again, fingerprint)
    own = await pool.fetch(SQL["installation"], fingerprint)
    for purpose, wrapped in own:
        aad = purpose.encode()
        again = await kek.wrap(await kek.unwrap(wrapped, aad), aad)
        await pool.execute(SQL["rewrap_installation"], purpose, wrapped, again, fingerprint)
    return len(rings) + len(own)
