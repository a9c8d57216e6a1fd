"""Files at rest, uploaded or to be fetched: blocks sealed by the file's own key, bound to file, kind and place."""

from collections.abc import Callable
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sql
from core.errors import NotFound, Tampered
from members.keyring import KeyRings, Ring
from members.sealing import KEY_BYTES, NONCE_BYTES, unwrap, wrap
from members.vault import ring_for

SQL = sql.load(__package__ or "", "file.sql")

MAX_BLOCK = 1 << 20
"""Blocks hold at most 1 MiB."""

Seal = Callable[[str, int, bytes], bytes]
"""Seals what is to be stored of an import: its kind, its number, its content."""


def block_aad(file_id: UUID, kind: str, no: int) -> bytes:
    """Return what binds a block of `kind` (file, reject, report, export) to its place."""
    return b"import" + file_id.bytes + kind.encode() + no.to_bytes(8, "big")


def key_aad(account_id: UUID, file_id: UUID) -> bytes:
    """Return what binds a file's wrapped key to it."""
    return account_id.bytes + b"import_key" + file_id.bytes


def seal_block(cipher: AESGCM, file_id: UUID, kind: str, no: int, content: bytes, nonce: bytes) -> bytes:
    """Seal one block."""
    return wrap(cipher, content, block_aad(file_id, kind, no), nonce)


def open_block(cipher: AESGCM, file_id: UUID, kind: str, no: int, sealed: bytes) -> bytes:
    """Open one block; raise Tampered."""
    return unwrap(cipher, sealed, block_aad(file_id, kind, no))


def new_key(ring: Ring, file_id: UUID, random: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Make a file's own key; return the ring version that wraps it and the wrapped key."""
    version, aad = ring.primary_seal, key_aad(ring.account_id, file_id)
    return version, wrap(ring.sealing[version], random(KEY_BYTES), aad, random(NONCE_BYTES))


async def open_key(rings: KeyRings, row: asyncpg.Record, id_column: str = "import_id") -> AESGCM:
    """Open a file's own key from its row (account_id, its id, ring_version, wrapped); raise Tampered."""
    ring = await ring_for(rings, row["account_id"], {row["ring_version"]})
    cipher = ring.sealing.get(row["ring_version"])
    if cipher is None:
        raise Tampered("A file's key names a ring version that is not open")
    return AESGCM(unwrap(cipher, row["wrapped"], key_aad(row["account_id"], row[id_column])))


class SealedFile:
    """The blocks of one import's file, read in order."""

    def __init__(self, pool: asyncpg.Pool, import_id: UUID, cipher: AESGCM) -> None:
        self._pool = pool
        self._import_id = import_id
        self._cipher = cipher

    @staticmethod
    async def forget(pool: asyncpg.Pool, import_id: UUID) -> None:
        """Drop what an import that is over needs no more: its blocks, and what its rows met."""
        while not (await pool.execute(SQL["forget_blocks"], import_id)).endswith(" 0"):
            pass
        await SealedFile.forget_seen(pool, import_id)

    @staticmethod
    async def forget_seen(pool: asyncpg.Pool, import_id: UUID) -> None:
        """Drop what its rows met, before the file is run anew."""
        while not (await pool.execute(SQL["forget_seen"], import_id)).endswith(" 0"):
            pass

    async def block(self, no: int) -> bytes | None:
        """Return block `no` (from 0), None past the end; raise Tampered."""
        sealed = await self._pool.fetchval(SQL["block"], self._import_id, no)
        return None if sealed is None else open_block(self._cipher, self._import_id, "file", no, sealed)

    async def reject_block(self, no: int) -> bytes:
        """Return block `no` of the reject file; raise NotFound."""
        sealed = await self._pool.fetchval(SQL["reject_block"], self._import_id, no)
        if sealed is None:
            raise NotFound("No such block")
        return open_block(self._cipher, self._import_id, "reject", no, sealed)

    async def reject_blocks(self) -> list[int]:
        """Return the numbers of the reject file's blocks, in order."""
        return [row["no"] for row in await self._pool.fetch(SQL["reject_blocks"], self._import_id)]
