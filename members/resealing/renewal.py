"""One member brought over: a new key, the profile sealed anew, indexes and facets by today's keys and definitions.

Pure. A member needs only the parts that changed since its generation: where its seal version is the primary one its key
stays, and where no index key or protection changed its profile is sealed anew without being read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg
import orjson

from core.errors import Tampered
from members.addresses import index_key
from members.attribute import Definitions
from members.facets import renewed_facets
from members.keyring import Ring
from members.profile import load, open_bytes, seal_bytes, unwrap_member_key, wrap_member_key
from members.sealing import KEY_BYTES, NONCE_BYTES

RANDOM_BYTES = KEY_BYTES + 2 * NONCE_BYTES
"""What a renewal takes of randomness: a member key and two nonces."""


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


@dataclass(frozen=True, slots=True)
class Renewal:
    """By what members are renewed. `reread_before`: who is of an earlier generation gets indexes and facets anew."""

    ring: Ring
    definitions: Definitions
    reread_before: int

    def renew(self, row: asyncpg.Record, random: bytes) -> tuple[Renewed, Iterable[Indexed]]:
        """Renew a member from its row and its key's. `random`: RANDOM_BYTES fresh bytes. Raises Tampered."""
        ring, version, member_id = self.ring, row["ring_version"], row["member_id"]
        account, member = ring.account_id.bytes, member_id.bytes
        cipher = ring.sealing.get(version)
        if cipher is None or row["wrapped"] is None:
            raise Tampered("The member's key is missing, or names a ring version that is not open")
        wrapped, sealed = row["wrapped"], row["sealed"]
        key = unwrap_member_key(cipher, wrapped, ring_version=version, account_id=account, member_id=member)
        content = open_bytes(sealed, key=key, account_id=account, member_id=member)
        if version != ring.primary_seal:
            version, key = ring.primary_seal, random[:KEY_BYTES]
            nonce, key_nonce = random[KEY_BYTES:-NONCE_BYTES], random[-NONCE_BYTES:]
            sealed = seal_bytes(
                content, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce
            )
            wrapped = wrap_member_key(
                ring.sealing[version], key, ring_version=version, account_id=account, member_id=member, nonce=key_nonce
            )
        facets: str | None = None
        indexed: Sequence[Indexed] = ()
        if row["generation"] < self.reread_before:
            profile = load(content)
            facets = orjson.dumps(renewed_facets(row["facets"], profile.values, self.definitions, ring)).decode()
            lookup = ring.hashes(index_key(profile.address)).lookup
            indexed = [Indexed(member_id, index_version, hmac) for index_version, hmac in lookup]
        return Renewed(member_id, row["revision"], sealed, wrapped, facets), indexed
