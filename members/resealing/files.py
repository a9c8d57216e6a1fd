"""The keys of files in and out, wrapped anew by the primary seal version: the files themselves stay as they are."""

from collections.abc import Callable

import asyncpg

from core import logs, sql
from core.errors import Tampered
from members.fence import hold_keys
from members.imports.file import key_aad
from members.keyring import Ring
from members.sealing import NONCE_BYTES, unwrap, wrap

SQL = sql.load(__package__ or "", "files.sql")

log = logs.get()

_REWRAP = {"import": "rewrap_import", "export": "rewrap_export"}


async def rewrap_files(pool: asyncpg.Pool, ring: Ring, random: Callable[[int], bytes]) -> None:
    """Wrap the key of each of the account's files by the primary version; one that can't be opened is left alone.

    Raises Overtaken if keys changed since `ring` was read.
    """
    for row in await pool.fetch(SQL["keys"], ring.account_id, ring.primary_seal):
        version, aad = row["ring_version"], key_aad(ring.account_id, row["file_id"])
        try:
            key = unwrap(ring.sealing[version], row["wrapped"], aad)
        except (KeyError, Tampered):
            log.warning("file_key_unreadable", kind=row["kind"], file_id=str(row["file_id"]))
            continue
        wrapped = wrap(ring.sealing[ring.primary_seal], key, aad, random(NONCE_BYTES))
        async with pool.acquire() as connection, connection.transaction():
            await hold_keys(connection, ring)
            await connection.execute(SQL[_REWRAP[row["kind"]]], row["file_id"], version, ring.primary_seal, wrapped)
