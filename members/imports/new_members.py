"""New members on their way into the vault: packed as they are decided, written by one binary COPY a table.

A batch of 8,000 is some megabytes. What all of them share stands in each row but is packed once; a member's own fields
are packed when it is sealed, so that writing is one join a table. Addresses are written first, as they alone may be
refused, and by hash: two imports of the same addresses wait for each other in one order, never in a circle.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from core import sql
from members.addresses import Address
from members.aead import WRAPPED_BYTES
from members.binary_copy import NULL, field, fields, integer, length, stream, timestamp
from members.connection import Lent
from members.keyring import HashColumns, Ring
from members.profile import Value, dump_parts
from members.writing import domain_hash

SQL = sql.load(__package__ or "", "new_members.sql")

_MEMBER_COLUMNS = ("account_id", "status", "import_id", "created_at", "updated_at", "generation", "member_id", "tag",
                   "suppression_hash", "sealed", "facets")  # fmt: skip
_KEY_COLUMNS = ("account_id", "ring_version", "member_id", "wrapped")
_ADDRESS_COLUMNS = ("account_id", "index_version", "hmac", "member_id")
_CONSENT_COLUMNS = ("account_id", "kind", "source", "occurred_at", "recorded_at", "form_version", "confirmed_at",
                    "scope", "member_id")  # fmt: skip

_UUID, _HASH = length(16), length(32)
_WRAPPED = length(WRAPPED_BYTES)


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
        self._addresses: dict[int, list[bytes]] = {version: [] for version in ring.addresses}

    def __len__(self) -> int:
        return len(self.ids)

    def add(
        self,
        ids: Sequence[UUID],
        addresses: Sequence[Address],
        hashes: HashColumns,
        values: Sequence[dict[str, Value]],
        facets: Sequence[bytes],
        random: bytes,
    ) -> None:
        """Seal and pack some, all that is said of them in one order. `facets`: fields (facet_fields.py).

        `random`: RANDOM_BYTES (members/sealer.py) fresh random bytes for each, used nowhere else.
        """
        members = [member_id.bytes for member_id in ids]
        contents = [dump_parts(address.mailbox, own) for address, own in zip(addresses, values, strict=True)]
        profiles, keys = self._sealer.seal_all(members, contents, random)
        domains = {address.domain for address in addresses}
        tags = {domain: field(domain_hash(self._ring.tag(domain))) for domain in domains}
        rows = zip(members, addresses, hashes.suppression, profiles, facets, strict=True)
        self._members += [
            b"".join((member, tags[address.domain], _HASH, hashed, length(len(profile)), profile, facet))
            for member, address, hashed, profile, facet in rows
        ]
        self._keys += [member + _WRAPPED + key for member, key in zip(members, keys, strict=True)]
        for version, digests in hashes.lookup.items():
            own = zip(digests, members, strict=True)
            self._addresses[version] += [digest + _UUID + member for digest, member in own]
        self.ids += ids

    async def write(self, connection: Lent) -> None:
        """Write all of them, in the caller's transaction; UniqueViolationError if one of the addresses is taken."""
        ring = self._ring
        account = field(ring.account_id.bytes)
        # Asked for once, as the columns' default is a function call a row.
        now = timestamp(await connection.fetchval(SQL["moment"]))
        came = NULL if self._import_id is None else field(self._import_id.bytes)
        for version, rows in self._addresses.items():
            # Sorted by hash, each leaf of the index is touched once a batch.
            same = account + integer(version) + _HASH
            await _copy(connection, "public", "address_index", _ADDRESS_COLUMNS, same, sorted(rows))
        same = account + field(b"active") + came + now + now + integer(ring.generation) + _UUID
        await _copy(connection, "public", "member", _MEMBER_COLUMNS, same, self._members)
        same = account + integer(ring.primary_seal) + _UUID
        await _copy(connection, "keys", "member_key", _KEY_COLUMNS, same, self._keys)

    async def record(
        self,
        connection: Lent,
        scopes: Iterable[str],
        source: str,
        given_at: datetime | None,
        form_version: str | None,
        confirmed_at: datetime | None,
    ) -> None:
        """Record that all of them consented to each of the scopes: `given_at`, or now.

        From here until the commit the account's chain is held: so it comes after all else, and not before the batch
        ahead has committed, or that one would wait for this one and this one for it.
        """
        now: datetime = await connection.fetchval(SQL["moment"])
        said = [field(self._ring.account_id.bytes), field(b"given"), field(source.encode()), timestamp(given_at or now)]
        said += [timestamp(now), NULL if form_version is None else field(form_version.encode())]
        said += [NULL if confirmed_at is None else timestamp(confirmed_at)]
        begins = [b"".join((*said, field(scope.encode()), _UUID)) for scope in scopes]
        rows = [begin + member_id.bytes for member_id in self.ids for begin in begins]
        await _copy(connection, "public", "consent", _CONSENT_COLUMNS, b"", rows)


async def _copy(
    connection: Lent, schema: str, table: str, columns: tuple[str, ...], same: bytes, rows: list[bytes]
) -> None:
    content = stream(fields(len(columns)) + same, rows)
    await connection.copy_to_table(table, schema_name=schema, columns=columns, source=content, format="binary")
