"""One member brought over: a new key, the profile sealed anew, indexes and facets by today's keys and definitions.

Pure. A member needs only the parts that changed since its generation: where its seal version is the primary one its key
stays, and where no index key or attribute changed its profile is sealed anew without being read. Where it is read,
values of attributes that are gone are left out of it.
"""

import orjson

from members.addresses import index_key
from members.attribute import Definitions
from members.binary_copy import NULL
from members.facets import renewed_facets
from members.keyring import Ring
from members.profile import Profile, dump, load, seal_bytes
from members.resealing.rows import Lagging, array, renewed
from members.sealing import KEY_BYTES, NONCE_BYTES


class Renewal:
    """By what members are renewed. `reread_before`: who is of an earlier generation gets indexes and facets anew."""

    def __init__(self, ring: Ring, reread_before: int) -> None:
        self.ring = ring
        self._reread_before = reread_before
        self._opener = ring.opener()
        self._sealer = ring.sealer()

    def renew(self, row: Lagging, definitions: Definitions, random: bytes) -> bytes:
        """Return what a member becomes, as it is written. `random`: RANDOM_BYTES fresh bytes. Raises Tampered.

        `definitions`: read after the row was, so that a value of none of them is one of an attribute that is gone.
        """
        own, member, generation, version, wrapped, sealed, _ = row
        content = self._opener.open_bytes(member, sealed, version, wrapped)
        if generation < self._reread_before:
            return self._reread(row, content, definitions, random)
        if version == self.ring.primary_seal:
            return renewed(own, None, None, None, NULL)
        again, key = self._sealer.seal_new(member, content, random)
        return renewed(own, again, key, None, NULL)

    def keys(self, row: Lagging, random: bytes) -> tuple[bytes, bytes]:
        """Return the old and the new key of a member that gets one: what else is sealed under it must follow."""
        _, member, _, version, wrapped, _, _ = row
        return self._opener.open_key(member, version, wrapped), random[:KEY_BYTES]

    def _reread(self, row: Lagging, content: bytes, definitions: Definitions, random: bytes) -> bytes:
        ring = self.ring
        own, member, _, version, wrapped, _, facets = row
        address, values = load(content)
        kept = {name: value for name, value in values.items() if name in definitions}
        sealed = key = None
        if len(kept) < len(values):
            content = dump(Profile(address, kept))
        if version != ring.primary_seal:
            sealed, key = self._sealer.seal_new(member, content, random)
        elif len(kept) < len(values):
            sealed = self._seal_again(member, version, self._opener.open_key(member, version, wrapped), content, random)
        written = orjson.dumps(renewed_facets(orjson.loads(facets or b"{}"), kept, definitions, ring))
        hmacs = array([hmac for _, hmac in ring.hashes(index_key(address)).lookup])
        return renewed(own, sealed, key, written, hmacs)

    def _seal_again(self, member: bytes, version: int, key: bytes, content: bytes, random: bytes) -> bytes:
        nonce, account = random[KEY_BYTES : KEY_BYTES + NONCE_BYTES], self.ring.account_id.bytes
        return seal_bytes(content, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce)
