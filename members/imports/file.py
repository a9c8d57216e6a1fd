"""An uploaded file and its rejects at rest: blocks sealed by the import's own key, bound to import, kind and place."""

from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sql
from core.errors import NotFound
from members.keyring import KeyRings
from members.sealing import unwrap, wrap
from members.vault import ring_for

SQL = sql.load(__package__ or "", "file.sql")

MAX_BLOCK = 1 << 20
"""Blocks hold at most 1 MiB."""


def block_aad(import_id: UUID, kind: str, no: int) -> bytes:
    """Return what binds a block of `kind` (file, reject) to its place."""
    return b"import" + import_id.bytes + kind.encode() + no.to_bytes(8, "big")


def key_aad(account_id: UUID, import_id: UUID) -> bytes:
    """Return what binds an import's wrapped key to it."""
    return account_id.bytes + b"import_key" + import_id.bytes


def seal_block(cipher: AESGCM, import_id: UUID, kind: str, no: int, content: bytes, nonce: bytes) -> bytes:
    """Seal one block."""
    return wrap(cipher, content, block_aad(import_id, kind, no), nonce)


def open_block(cipher: AESGCM, import_id: UUID, kind: str, no: int, sealed: bytes) -> bytes:
    """Open one block; raise Tampered."""
    return unwrap(cipher, sealed, block_aad(import_id, kind, no))


async def open_key(rings: KeyRings, row: asyncpg.Record) -> AESGCM:
    """Open the import's own key from its row (account_id, import_id, ring_version, wrapped); raise Tampered."""
    ring = await ring_for(rings, row["account_id"], {row["ring_version"]})
    aad = key_aad(row["account_id"], row["import_id"])
    return AESGCM(unwrap(ring.sealing[row["ring_version"]], row["wrapped"], aad))


class SealedFile:
    """The blocks of one import's file, read in order."""

    def __init__(self, pool: asyncpg.Pool, import_id: UUID, cipher: AESGCM) -> None:
        self._pool = pool
        self._import_id = import_id
        self._cipher = cipher

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
