"""Opens many members of one account: what is the same for all of them is made once.

A member that was altered, moved to another row or account, or has lost its key is told apart from the others, one by
one, and never read.
"""

from collections.abc import Collection, Iterator, Mapping
from struct import Struct

from core.errors import Tampered
from members.aead import NONE, WRAPPED_BYTES, Decrypt, decrypter, memory, view
from members.binary_copy import TRAILER
from members.profile import FORMAT, HEADER, key_aad
from members.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES

_NONCE_AT = HEADER.size
_PROFILE_AT = HEADER.size + NONCE_BYTES
_WRAPPED_KEY_BYTES = WRAPPED_BYTES - NONCE_BYTES
_USUAL_BYTES = 16_384

# Of a row of binary COPY: number of fields; length and bytes of member_id, of ring_version; length, nonce and rest of
# wrapped; length, header and nonce of sealed, whose rest follows. So a row is taken apart in one step.
_ROW = Struct(">6x16s4xii12s48si5s12s")
_WRAPPED_AT = 34
_LENGTH = Struct(">i")
_FILL = bytes(_ROW.size)
_NO_KEY = (b"", b"")


class Opener:
    """Opens what members/profile.py seals; for one thread. `keys`: the ring's seal keys by version."""

    def __init__(self, account_id: bytes, keys: Mapping[int, bytes], decrypt: Decrypt | None = None) -> None:
        self._keys = {version: (key, key_aad(version, account_id, b"")) for version, key in keys.items()}
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError("A seal key has the wrong length")
        self._place = account_id + b"member"
        self._decrypt = decrypt or decrypter()
        self._own = memory(KEY_BYTES)
        self._reserve(_USUAL_BYTES)

    def open_bytes(self, member_id: bytes, sealed: bytes, ring_version: int, wrapped: bytes) -> bytes:
        """Open a member's key and with it the profile's bytes (members/profile.py `load`); raise Tampered."""
        self._unwrap(member_id, ring_version, wrapped)
        nonce, content, aad = sealed[_NONCE_AT:_PROFILE_AT], sealed[_PROFILE_AT:], sealed[:_NONCE_AT]
        size = len(content)
        if size > self._size:
            self._reserve(size)
        if not sealed or sealed[0] != FORMAT:
            raise Tampered("A sealed profile has an unknown format")
        aad += self._place + member_id
        if size < TAG_BYTES or self._decrypt(self._plain, NONE, NONE, content, size, aad, len(aad), nonce, self._own):
            raise Tampered("A sealed member was altered, moved or sealed by another key")
        opened: bytes = self._view[: size - TAG_BYTES]
        return opened

    def open_key(self, member_id: bytes, ring_version: int, wrapped: bytes) -> bytes:
        """Open a member's key; raise Tampered."""
        self._unwrap(member_id, ring_version, wrapped)
        key: bytes = view(self._own)[:]
        return key

    def open_rows(
        self, block: bytes, at: int, traces: Collection[bytes] | None
    ) -> Iterator[tuple[bytes, int, bytes | None]]:
        """Open the rows (member_id, ring_version, wrapped, sealed) of a block of binary COPY, from `at` on.

        Gives out the id, the key's version and the profile's bytes of each member in whose profile one of `traces`
        stands, two at most (None: of everyone), and of those that don't open: their profile is None. A block holds
        whole rows. This is the inner loop of a scan: nothing is called in it that need not be.
        """
        end, rows = len(block) - len(TRAILER), b"".join((block, _FILL))
        unpack, keys, place, own, none = _ROW.unpack_from, self._keys, self._place, self._own, NONE
        decrypt, plain, plainly, room = self._decrypt, self._plain, self._view, self._size
        one, other = (*((b"",) if traces is None else traces), None)[:2]
        while at < end:
            member_id, version, key_size, key_nonce, key, size, header, nonce = unpack(rows, at)
            begin = at + _ROW.size
            if key_size != WRAPPED_BYTES:
                # It opens nothing; only where the next row begins is left to be told.
                (size,) = _LENGTH.unpack_from(rows, at + _WRAPPED_AT + key_size)
            at += _WRAPPED_AT + key_size + _LENGTH.size + size
            content = rows[begin:at]
            size = len(content)
            if size > room:
                self._reserve(size)
                plain, plainly, room = self._plain, self._view, self._size
            ring_key, key_place = keys.get(version, _NO_KEY)
            key_place += member_id
            aad = header + place + member_id
            if (
                ring_key
                and key_size == WRAPPED_BYTES
                and size >= TAG_BYTES
                and header[0] == FORMAT
                and not decrypt(own, none, none, key, len(key), key_place, len(key_place), key_nonce, ring_key)
                and not decrypt(plain, none, none, content, size, aad, len(aad), nonce, own)
            ):
                profile = plainly[: size - TAG_BYTES]
                if one in profile or (other is not None and other in profile):
                    yield member_id, version, profile
            else:
                yield member_id, version, None

    def _unwrap(self, member_id: bytes, ring_version: int, wrapped: bytes) -> None:
        """Open a member's key into memory; raise Tampered."""
        ring_key, place = self._keys.get(ring_version, _NO_KEY)
        if not ring_key:
            raise Tampered("A member key names a ring version that is not open")
        nonce, key, aad = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place + member_id
        if len(wrapped) != WRAPPED_BYTES or self._decrypt(
            self._own, NONE, NONE, key, len(key), aad, len(aad), nonce, ring_key
        ):
            raise Tampered("A member key was altered, moved or wrapped by another key")

    def _reserve(self, size: int) -> None:
        self._size = size
        self._plain = memory(size)
        self._view = view(self._plain)
