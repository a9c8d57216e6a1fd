"""Opens many members of one account: what is the same for all of them is made once."""

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag

from core.errors import Tampered
from members.aead import Decrypter, decrypter
from members.profile import FORMAT, HEADER, key_aad
from members.sealing import NONCE_BYTES

_KEY_AT = NONCE_BYTES
_NONCE_AT = HEADER.size
_PROFILE_AT = HEADER.size + NONCE_BYTES


class Opener:
    """Opens what members/profile.py seals; for one thread. `keys`: the ring's seal keys by version."""

    def __init__(self, account_id: bytes, keys: Mapping[int, bytes], way: Decrypter | None = None) -> None:
        self._keys = {version: (key, key_aad(version, account_id, b"")) for version, key in keys.items()}
        self._place = account_id + b"member"
        way = way or decrypter()
        self._open, self._open_envelope = way.open, way.open_envelope

    def open_bytes(self, member_id: bytes, sealed: bytes, ring_version: int, wrapped: bytes) -> bytes:
        """Open a member's key and with it the profile's bytes (members/profile.py `load`); raise Tampered."""
        try:
            ring_key, place = self._keys[ring_version]
            aad = sealed[:_NONCE_AT] + self._place + member_id
            if aad[0] == FORMAT:
                return self._open_envelope(ring_key, wrapped, place + member_id, sealed, _NONCE_AT, aad)
        except (KeyError, InvalidTag, ValueError):
            pass
        # Once more, step by step, to say what is wrong.
        return self.open_profile(member_id, sealed, self.open_key(member_id, ring_version, wrapped))

    def open_key(self, member_id: bytes, ring_version: int, wrapped: bytes) -> bytes:
        """Open a member's key; raise Tampered."""
        try:
            ring_key, place = self._keys[ring_version]
            return self._open(ring_key, wrapped[:_KEY_AT], wrapped[_KEY_AT:], place + member_id)
        except KeyError:
            raise Tampered("A member key names a ring version that is not open") from None
        except (InvalidTag, ValueError):
            raise Tampered("A member key was altered, moved or wrapped by another key") from None

    def open_profile(self, member_id: bytes, sealed: bytes, key: bytes) -> bytes:
        """Open a profile's bytes by the member's key; raise Tampered."""
        aad = sealed[:_NONCE_AT] + self._place + member_id
        if aad[0] != FORMAT:
            raise Tampered("A sealed profile has an unknown format")
        try:
            return self._open(key, sealed[_NONCE_AT:_PROFILE_AT], sealed[_PROFILE_AT:], aad)
        except (InvalidTag, ValueError):
            raise Tampered("A sealed member was altered, moved or sealed by another key") from None
