"""The keys of uploaded files, wrapped anew by the primary seal version: the files themselves stay as they are."""

from collections.abc import Callable

import asyncpg

from core import logs, sql
from core.errors import Tampered
from members.fence import hold_keys
from members.imports.file import key_aad
from members.keyring import Ring
from members.sealing import NONCE_BYTES, unwrap, wrap

SQL = sql.load(__package__ or "", "imports.sql")

log = logs.get()


async def rewrap_imports(pool: asyncpg.Pool, ring: Ring, random: Callable[[int], bytes]) -> None:
    """Wrap the key of each of the account's imports by the primary version; one that can't be opened is left alone.

    Raises Overtaken if keys changed since `ring` was read.
    """
    for row in await pool.fetch(SQL["keys"], ring.account_id, ring.primary_seal):
        version, aad = row["ring_version"], key_aad(ring.account_id, row["import_id"])
        try:
            key = unwrap(ring.sealing[version], row["wrapped"], aad)
        except (KeyError, Tampered):
            log.warning("import_key_unreadable", import_id=str(row["import_id"]))
            continue
        wrapped = wrap(ring.sealing[ring.primary_seal], key, aad, random(NONCE_BYTES))
        async with pool.acquire() as connection, connection.transaction():
            await hold_keys(connection, ring)
            await connection.execute(SQL["rewrap"], row["import_id"], version, ring.primary_seal, wrapped)
