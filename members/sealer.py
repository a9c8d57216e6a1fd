"""Seals many new members of one account: what is the same for all of them is made once."""

from members.aead import Encrypter, encrypter
from members.profile import FORMAT, HEADER, key_aad
from members.sealing import KEY_BYTES, NONCE_BYTES

RANDOM_BYTES = KEY_BYTES + 2 * NONCE_BYTES
"""What sealing a new member takes of randomness: its key and two nonces."""

_KEY_NONCE_AT = KEY_BYTES + NONCE_BYTES


class Sealer:
    """Seals as members/profile.py does; for one thread. `key`: the ring's seal key of version `ring_version`."""

    def __init__(self, account_id: bytes, ring_version: int, key: bytes, way: Encrypter | None = None) -> None:
        self._header = HEADER.pack(FORMAT, ring_version)
        self._place = self._header + account_id + b"member"
        self._key = key
        self._key_place = key_aad(ring_version, account_id, b"")
        self._seal = (way or encrypter()).seal

    def seal_new(self, member_id: bytes, content: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Seal a profile's bytes under a key that is made now; return them and the wrapped key.

        `random`: RANDOM_BYTES fresh random bytes, used nowhere else.
        """
        key, nonce, key_nonce = random[:KEY_BYTES], random[KEY_BYTES:_KEY_NONCE_AT], random[_KEY_NONCE_AT:]
        sealed = self._seal(key, nonce, content, self._place + member_id)
        wrapped = self._seal(self._key, key_nonce, key, self._key_place + member_id)
        return self._header + nonce + sealed, key_nonce + wrapped
