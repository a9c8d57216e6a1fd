"""New members on their way into the vault: packed as they are decided, written by one binary COPY a table.

A batch of 4,000 is a few megabytes. What all of them share stands in each row but is packed once; a member's own fields
are packed when it is sealed, so that writing is one join a table. The order of writes is the same for everyone (rows,
keys, then addresses by hash): two imports of the same addresses wait for each other in one order, never in a circle.
"""

from struct import Struct
from typing import Any
from uuid import UUID

import orjson

from core import sql
from members.addresses import Address
from members.aead import WRAPPED_BYTES
from members.binary_copy import NULL, field, fields, integer, length, stream, timestamp
from members.connection import Lent
from members.keyring import AddressHashes, Ring
from members.profile import Value, dump_parts

SQL = sql.load(__package__ or "", "new_members.sql")

_MEMBER_COLUMNS = ("account_id", "status", "import_id", "created_at", "updated_at", "generation", "member_id", "tag",
                   "suppression_hash", "sealed", "facets")  # fmt: skip
_KEY_COLUMNS = ("account_id", "ring_version", "member_id", "wrapped")
_ADDRESS_COLUMNS = ("account_id", "index_version", "hmac", "member_id")

_UUID = length(16)
_HMAC = length(32)
_WRAPPED = length(WRAPPED_BYTES)
# A member's own fields up to its sealed profile; the length of member_id stands in what all rows share.
_MEMBER = Struct(">16siqi32si")
# The length of its facets, and the version of jsonb's binary form, which is 1 and then the text.
_FACETS = Struct(">ib")
_TAG_BYTES, _HASH_BYTES, _JSONB = 8, 32, 1


class NewMembers:
    """The new members of one batch, in its order. `ids`: who they are."""

    __slots__ = ("_addresses", "_import_id", "_keys", "_members", "_ring", "_sealer", "ids")

    def __init__(self, ring: Ring, import_id: UUID | None) -> None:
        self.ids: list[UUID] = []
        self._ring = ring
        self._import_id = import_id
        self._sealer = ring.sealer()
        self._members: list[bytes] = []
        self._keys: list[bytes] = []
        self._addresses: list[list[bytes]] = [[] for _ in ring.addresses]

    def __len__(self) -> int:
        return len(self.ids)

    def add(
        self,
        member_id: UUID,
        address: Address,
        hashes: AddressHashes,
        values: dict[str, Value],
        facets: dict[str, Any],
        random: bytes,
    ) -> None:
        """Seal and pack one. `random`: RANDOM_BYTES (members/sealer.py) fresh random bytes, used nowhere else."""
        member = member_id.bytes
        sealed, wrapped = self._sealer.seal_new(member, dump_parts(address.mailbox, values), random)
        written, tag = orjson.dumps(facets), self._ring.tag(address.domain)
        own = _MEMBER.pack(member, _TAG_BYTES, tag, _HASH_BYTES, hashes.suppression, len(sealed))
        self._members.append(b"".join((own, sealed, _FACETS.pack(len(written) + 1, _JSONB), written)))
        self._keys.append(member + _WRAPPED + wrapped)
        for rows, (_, digest) in zip(self._addresses, hashes.lookup, strict=True):
            rows.append(digest + _UUID + member)
        self.ids.append(member_id)

    async def write(self, connection: Lent) -> None:
        """Write all of them, in the caller's transaction; UniqueViolationError if one of the addresses is taken."""
        ring = self._ring
        account = field(ring.account_id.bytes)
        # Asked for once, as the columns' default is a function call a row.
        now = timestamp(await connection.fetchval(SQL["moment"]))
        came = NULL if self._import_id is None else field(self._import_id.bytes)
        same = account + field(b"active") + came + now + now + integer(ring.generation) + _UUID
        await _copy(connection, "public", "member", _MEMBER_COLUMNS, same, self._members)
        same = account + integer(ring.primary_seal) + _UUID
        await _copy(connection, "keys", "member_key", _KEY_COLUMNS, same, self._keys)
        for version, rows in zip(ring.addresses, self._addresses, strict=True):
            # Sorted by hash, each leaf of the index is touched once a batch.
            same = account + integer(version) + _HMAC
            await _copy(connection, "public", "address_index", _ADDRESS_COLUMNS, same, sorted(rows))


async def _copy(
    connection: Lent, schema: str, table: str, columns: tuple[str, ...], same: bytes, rows: list[bytes]
) -> None:
    content = stream(fields(len(columns)) + same, rows)
    await connection.copy_to_table(table, schema_name=schema, columns=columns, source=content, format="binary")
