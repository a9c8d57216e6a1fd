"""Signed, versioned tokens for what comes back: opens, clicks, unsubscribes, bounces.

A token names a delivery (run and sequence number) and a slot of it, nothing personal. All the tokens of one
message are cut from one keyed extendable output (SHAKE256 keyed by a fixed-length prefix, FIPS 202; the sponge
admits no length extension), because twenty MACs a message cost as much as rendering it. Slot n's tag is the n-th
13 bytes (104 bits) of that output, so a changed slot, run, sequence number or version fails.

Behind the token of a link may stand a part of its target that is the reader's own, sealed by AES-SIV (RFC 5297): the
token is its associated data, so it opens behind no other. It needs no nonce, and a mail composed again is the same.

Base64 turns 36 bytes (version, run, sequence number, slot, tag) into 48 characters exactly, so the tokens of a message
are encoded in one piece and cut apart. pybase64 does that in a seventh of the standard library's time.

The same keys sign whatever else must come back as it went out (a form's stamp), apart from tokens: `sign`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_256
from hmac import compare_digest
from operator import itemgetter
from struct import Struct
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pybase64 import b64decode, b64encode

from core.errors import ConfigurationError, Tampered

SLOT_OPEN = 0
SLOT_UNSUBSCRIBE = 1
SLOT_RETURN_PATH = 2
SLOT_LETTER = 3
"""The one link of a letter, which leads to its reader's page."""
SLOT_PREFERENCES = 4
SLOT_COMPLAINT = 5
SLOT_REPLY = 6
SLOT_HONEYPOT = 7
SLOT_WEB = 8
SLOT_LINK = 16
"""Link n of a message (from 0) has the slot SLOT_LINK + n."""

MAX_LINKS = 500
PERSONAL = "{+personal}"
"""Ends the kept target of a link that goes on with what is sealed behind its token: a URI template (RFC 6570)."""
KEY_BYTES = 32

ADDRESSED = (SLOT_RETURN_PATH, SLOT_COMPLAINT, SLOT_REPLY)
"""The slots whose tokens stand in a mail address."""

_SEALING_KEY = 64
_TAG = 13
_ADDRESS_TAG = 9
_TOKEN_CHARS = 48
_ADDRESS_CHARS = 60
_HEAD = 21
_SIGNATURE = 16


@dataclass(frozen=True, slots=True)
class TokenContent:
    """What an authentic token names."""

    run_id: UUID
    seq: int
    slot: int


class LinkSigner:
    """Mints and opens tokens. `keys` maps a version (0 to 255) to 32 secret bytes; `primary` mints, all open."""

    def __init__(self, keys: Mapping[int, bytes], primary: int) -> None:
        if primary not in keys:
            raise ConfigurationError("The primary link-signing key is missing")
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise ConfigurationError(f"A link-signing key must be {KEY_BYTES} bytes")
        self._keys = {version: b"todoku link v1\0\0" + key for version, key in keys.items()}
        self._signing = {version: b"todoku sign v1\0\0" + key for version, key in keys.items()}
        self._sealing = {
            version: AESSIV(shake_256(b"todoku seal v1\0\0" + key).digest(_SEALING_KEY))
            for version, key in keys.items()
        }
        self._primary = primary

    def for_run(self, run_id: UUID, slots: Sequence[int]) -> "RunTokens":
        """Return what mints `slots` for message after message of a run."""
        return RunTokens(self._keys[self._primary], self._primary, run_id, slots, self._sealing[self._primary])

    def mint(self, run_id: UUID, seq: int, slots: Sequence[int]) -> list[str]:
        """Return a token of 48 URL-safe characters for each of `slots` (RFC 4648 section 5, no padding)."""
        return [token.decode() for token in self.for_run(run_id, slots).mint(seq)[0]]

    def open(self, token: str) -> TokenContent:
        """Return what an authentic token names; raise Tampered for any other text."""
        if len(token) != _TOKEN_CHARS:
            raise Tampered
        raw = _decoded(token)
        head, slot = raw[:_HEAD], int.from_bytes(raw[_HEAD : _HEAD + 2], "big")
        if slot >= SLOT_LINK + MAX_LINKS or head[0] not in self._keys:
            raise Tampered
        if not compare_digest(self._tag(head, slot, _TAG), raw[_HEAD + 2 :]):
            raise Tampered
        return TokenContent(_uuid(head[1:17]), int.from_bytes(head[17:21], "big"), slot)

    def open_link(self, text: str) -> tuple[TokenContent, str]:
        """Return what a token names and what is sealed behind it ("" if nothing is); raise Tampered for other text."""
        token, sealed = text[:_TOKEN_CHARS], text[_TOKEN_CHARS:]
        content = self.open(token)
        if not sealed:
            return content, ""
        try:
            personal = self._sealing[_decoded(token[:4])[0]].decrypt(_decoded(sealed), [token.encode("ascii")])
        except (InvalidTag, ValueError) as error:
            raise Tampered from error
        return content, personal.decode()

    def mint_for_address(self, run_id: UUID, seq: int, slot: int) -> str:
        """Return 60 hexadecimal digits for an address's local part (at most 64), where case may be lost on the way.

        Base32 would be shorter, and the standard library's takes eight times as long. `slot` is one of ADDRESSED.
        """
        head = bytes((self._primary,)) + run_id.bytes + seq.to_bytes(4, "big")
        return (head + self._tag(head, slot, _ADDRESS_TAG)).hex()

    def open_from_address(self, token: str, slot: int) -> TokenContent:
        """Return the delivery that an address's token names; raise Tampered for any other text, or another slot's."""
        if len(token) != _ADDRESS_CHARS:
            raise Tampered
        try:
            raw = bytes.fromhex(token)
        except ValueError as error:
            raise Tampered from error
        head = raw[:_HEAD]
        # fromhex passes over white space: only the canonical spelling is ours.
        if raw.hex() != token.lower():
            raise Tampered
        if head[0] not in self._keys:
            raise Tampered
        if not compare_digest(self._tag(head, slot, _ADDRESS_TAG), raw[_HEAD:]):
            raise Tampered
        return TokenContent(UUID(bytes=head[1:17]), int.from_bytes(head[17:21], "big"), slot)

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Return 17 bytes, the key's version and a MAC of 128 bits, that `is_signed` knows for this purpose alone."""
        return bytes((self._primary,)) + self._signature(self._primary, purpose, message)

    def is_signed(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether `sign` made this signature, by any of the keys."""
        if len(signature) != 1 + _SIGNATURE or signature[0] not in self._keys:
            return False
        return compare_digest(self._signature(signature[0], purpose, message), signature[1:])

    def _signature(self, version: int, purpose: str, message: bytes) -> bytes:
        named = purpose.encode()
        return shake_256(self._signing[version] + bytes((len(named),)) + named + message).digest(_SIGNATURE)

    def _tag(self, head: bytes, slot: int, length: int) -> bytes:
        stream = shake_256(self._keys[head[0]] + head).digest(slot * _TAG + _TAG)
        return stream[slot * _TAG : slot * _TAG + length]


class RunTokens:
    """Mints the same slots for each message of one run; made by `LinkSigner.for_run`."""

    def __init__(self, key: bytes, version: int, run_id: UUID, slots: Sequence[int], sealing: AESSIV) -> None:
        self._head = bytes((version,)) + run_id.bytes
        self._sealing = sealing
        self._key = key
        tags = max(*slots, *ADDRESSED) + 1
        self._length = tags * _TAG
        self._cut = Struct(f"{_TAG}s" * tags).unpack
        self._chosen = itemgetter(*ADDRESSED, *slots)
        self._pieces = [piece for slot in slots for piece in (b"", slot.to_bytes(2, "big"), b"")]
        self._apart = Struct(f"{_TOKEN_CHARS}s" * len(slots)).unpack

    def mint(self, seq: int) -> tuple[tuple[bytes, ...], tuple[str, str, str]]:
        """Return a message's token for each slot, and those of ADDRESSED, as `mint` and `mint_for_address` do."""
        head = self._head + seq.to_bytes(4, "big")
        returns, complaint, reply, *tags = self._chosen(self._cut(shake_256(self._key + head).digest(self._length)))
        pieces = self._pieces.copy()
        pieces[0::3] = [head] * len(tags)
        pieces[2::3] = tags
        return self._apart(b64encode(b"".join(pieces), b"-_")), (
            (head + returns[:_ADDRESS_TAG]).hex(),
            (head + complaint[:_ADDRESS_TAG]).hex(),
            (head + reply[:_ADDRESS_TAG]).hex(),
        )

    def seal(self, token: bytes, personal: str) -> bytes:
        """Return what stands behind one of this run's tokens so that `open_link` gives `personal`; nothing for ""."""
        if not personal:
            return b""
        return b64encode(self._sealing.encrypt(personal.encode(), [token]), b"-_").rstrip(b"=")


def _decoded(text: str) -> bytes:
    """Decode base64url without padding (RFC 4648 section 5); raise Tampered for all but its one canonical spelling."""
    if "+" in text or "/" in text:
        raise Tampered
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError as error:
        raise Tampered from error
    if b64encode(raw, b"-_").rstrip(b"=").decode() != text:
        raise Tampered
    return raw


@lru_cache(maxsize=1_024)
def _uuid(raw: bytes) -> UUID:
    """Make a run's id, which costs more than the rest of opening a token, once for many of its tokens."""
    return UUID(bytes=raw)
