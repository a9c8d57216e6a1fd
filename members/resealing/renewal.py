"""One member brought over: a new key, the profile sealed anew, indexes and facets by today's keys and definitions.

Pure. A member needs only the parts that changed since its generation: where its seal version is the primary one its key
stays, and where no index key or protection changed its profile is sealed anew without being read.
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
from members.profile import load
from members.sealing import KEY_BYTES

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

    def __init__(self, ring: Ring, definitions: Definitions, reread_before: int) -> None:
        self.ring = ring
        self._definitions = definitions
        self._reread_before = reread_before
        self._opener = ring.opener()
        self._sealer = ring.sealer()

    def renew(self, row: asyncpg.Record, random: bytes) -> tuple[Renewed, Iterable[Indexed], Rekeyed]:
        """Renew a member from its row and its key's. `random`: RANDOM_BYTES fresh bytes. Raises Tampered."""
        ring, version, member_id = self.ring, row["ring_version"], row["member_id"]
        wrapped, sealed, member = row["wrapped"], row["sealed"], member_id.bytes
        if wrapped is None:
            raise Tampered("The member's key is missing")
        key = self._opener.open_key(member, version, wrapped)
        content = self._opener.open_profile(member, sealed, key)
        rekeyed: Rekeyed = None
        if version != ring.primary_seal:
            rekeyed = key, random[:KEY_BYTES]
            sealed, wrapped = self._sealer.seal_new(member, content, random)
        facets: str | None = None
        indexed: Sequence[Indexed] = ()
        if row["generation"] < self._reread_before:
            profile = load(content)
            facets = orjson.dumps(renewed_facets(row["facets"], profile.values, self._definitions, ring)).decode()
            lookup = ring.hashes(index_key(profile.address)).lookup
            indexed = [Indexed(member_id, index_version, hmac) for index_version, hmac in lookup]
        return Renewed(member_id, row["revision"], sealed, wrapped, facets), indexed, rekeyed
