"""One member brought over: a new key, the profile sealed anew, indexes and facets by today's keys and definitions.

Pure. A member needs only the parts that changed since its generation: where its seal version is the primary one its key
stays, and where no index key or attribute changed its profile is sealed anew without being read. Where it is read,
values of attributes that are gone are left out of it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from core.errors import Tampered
from members.addresses import index_key
from members.attribute import Definitions
from members.facets import renewed_facets
from members.keyring import Ring
from members.profile import Profile, dump, load, seal_bytes
from members.sealing import KEY_BYTES, NONCE_BYTES

Rekeyed: TypeAlias = tuple[bytes, bytes] | None
"""A member's old and new key, where it gets a new one: what else is sealed under it must follow."""


class Renewed(NamedTuple):
    """What a member becomes under the primary versions, if it still is at `revision`. `facets` None: they stay."""

    member_id: UUID
    revision: int
    sealed: bytes
    wrapped: bytes
    facets: str | None


class Indexed(NamedTuple):
    """A row of the address index."""

    member_id: UUID
    version: int
    hmac: bytes


class Renewal:
    """By what members are renewed. `reread_before`: who is of an earlier generation gets indexes and facets anew."""

    def __init__(self, ring: Ring, reread_before: int) -> None:
        self.ring = ring
        self._reread_before = reread_before
        self._opener = ring.opener()
        self._sealer = ring.sealer()

    def renew(
        self, row: asyncpg.Record, definitions: Definitions, random: bytes
    ) -> tuple[Renewed, Iterable[Indexed], Rekeyed]:
        """Renew a member from its row and its key's. `random`: RANDOM_BYTES fresh bytes. Raises Tampered.

        `definitions`: read after the row was, so that a value of none of them is one of an attribute that is gone.
        """
        ring, version, member_id = self.ring, row["ring_version"], row["member_id"]
        wrapped, sealed, member = row["wrapped"], row["sealed"], member_id.bytes
        if wrapped is None:
            raise Tampered("The member's key is missing")
        key = self._opener.open_key(member, version, wrapped)
        content = self._opener.open_profile(member, sealed, key)
        rekeyed: Rekeyed = None
        facets: str | None = None
        indexed: Sequence[Indexed] = ()
        if row["generation"] < self._reread_before:
            address, values = load(content)
            kept = {name: value for name, value in values.items() if name in definitions}
            if len(kept) < len(values):
                content = dump(Profile(address, kept))
                sealed = self._seal_again(member, version, key, content, random)
            facets = orjson.dumps(renewed_facets(row["facets"], kept, definitions, ring)).decode()
            lookup = ring.hashes(index_key(address)).lookup
            indexed = [Indexed(member_id, index_version, hmac) for index_version, hmac in lookup]
        if version != ring.primary_seal:
            rekeyed = key, random[:KEY_BYTES]
            sealed, wrapped = self._sealer.seal_new(member, content, random)
        return Renewed(member_id, row["revision"], sealed, wrapped, facets), indexed, rekeyed

    def _seal_again(self, member: bytes, version: int, key: bytes, content: bytes, random: bytes) -> bytes:
        nonce, account = random[KEY_BYTES : KEY_BYTES + NONCE_BYTES], self.ring.account_id.bytes
        return seal_bytes(content, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce)
