"""Seals many new members of one account: what is the same for all of them is made once."""

from collections.abc import Iterable

from members import aead
from members.aead import Encrypter, encrypter
from members.profile import FORMAT, HEADER, key_aad

RANDOM_BYTES = aead.RANDOM_BYTES
"""What sealing a new member takes of randomness; its key is the first 32 of them."""


class Sealer:
    """Seals as members/profile.py does; for one thread. `key`: the ring's seal key of version `ring_version`."""

    def __init__(self, account_id: bytes, ring_version: int, key: bytes, way: Encrypter | None = None) -> None:
        self._header = HEADER.pack(FORMAT, ring_version)
        self._place = self._header + account_id + b"member"
        self._key = key
        self._key_place = key_aad(ring_version, account_id, b"")
        self._seal_envelope = (way or encrypter()).seal_envelope

    def seal_new(self, member_id: bytes, content: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Seal a profile's bytes under a key that is made now; return them and the wrapped key.

        `random`: RANDOM_BYTES fresh random bytes, used nowhere else.
        """
        key_place, place = self._key_place + member_id, self._place + member_id
        sealed, wrapped = self._seal_envelope(self._key, key_place, content, place, random)
        return self._header + sealed, wrapped

    def seal_all(
        self, member_ids: Iterable[bytes], contents: Iterable[bytes], random: bytes
    ) -> tuple[list[bytes], list[bytes]]:
        """Seal many as `seal_new` does; return the profiles and the wrapped keys. `random`: as much for each."""
        seal, header = self._seal_envelope, self._header
        key, key_place, place = self._key, self._key_place, self._place
        profiles, keys, at = [], [], 0
        for member_id, content in zip(member_ids, contents, strict=True):
            mine = random[at : at + RANDOM_BYTES]
            at += RANDOM_BYTES
            sealed, wrapped = seal(key, key_place + member_id, content, place + member_id, mine)
            profiles.append(header + sealed)
            keys.append(wrapped)
        return profiles, keys
