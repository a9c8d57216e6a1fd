"""Many AES-256-GCM ciphertexts, each under a key of its own: libsodium's one call instead of an object a key.

Both ways make and open the same ciphertexts (RFC 5116; 12-byte nonce, 16-byte tag). libsodium's takes half the time and
needs a processor with AES instructions (docs/decisions/0028-libsodium-opens.md); where there are none, `cryptography`
does it.

An envelope is a text sealed under a key of its own, beside that key, wrapped under another. A vault holds millions of
them: what lies between the two ciphertexts stays in memory that is used again.
"""

from typing import Any, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl._sodium import ffi, lib  # nacl.bindings checks each argument and takes eight times as long

from members.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES

WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
"""A wrapped key: nonce and ciphertext."""

RANDOM_BYTES = KEY_BYTES + 2 * NONCE_BYTES
"""What an envelope takes of randomness: its key, the text's nonce, the key's nonce."""

_USUAL_BYTES = 16_384
_KEY_NONCE_AT = KEY_BYTES + NONCE_BYTES
_WRAPPED_KEY_BYTES = KEY_BYTES + TAG_BYTES


Memory: TypeAlias = Any
"""Bytes that are written to in place, as libsodium takes them."""

NONE: Memory = ffi.NULL
"""Says that something is not wanted."""


def memory(size: int) -> Memory:
    """Return so many bytes of memory; `view` reads them."""
    return ffi.new("unsigned char[]", max(size, 1))


def view(of: Memory) -> Any:
    """Return what reads memory by slices, each a copy."""
    return ffi.buffer(of)


class Decrypt(Protocol):
    """Opens one ciphertext with its tag into memory, called as libsodium's `crypto_aead_aes256gcm_decrypt` is.

    Returns 0, or another number if any of it was altered. Reads and writes exactly the lengths that it is told: who
    calls it makes sure of them, and of 32 bytes of key and 12 of nonce.
    """

    def __call__(
        self,
        plain: Memory,
        plain_size: Memory,
        secret_nonce: Memory,
        sealed: bytes,
        sealed_size: int,
        aad: bytes,
        aad_size: int,
        nonce: bytes,
        key: bytes | Memory,
        /,
    ) -> int:
        """Open one."""


class Encrypter(Protocol):
    """Makes one envelope after the other: for one thread. Raises ValueError for a wrong length."""

    def seal_envelope(self, key: bytes, key_aad: bytes, text: bytes, aad: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Return the sealed text and its key, wrapped under `key`, each with its nonce in front.

        `random`: RANDOM_BYTES fresh random bytes, used nowhere else.
        """


def decrypter() -> Decrypt:
    """Return the faster way that this processor has."""
    return sodium_decrypt if _has_sodium() else plain_decrypt


def encrypter() -> Encrypter:
    """Return the faster way that this processor has."""
    return SodiumEncrypter() if _has_sodium() else PlainEncrypter()


def _has_sodium() -> bool:
    return bool(lib.sodium_init() >= 0 and lib.crypto_aead_aes256gcm_is_available())


sodium_decrypt: Decrypt = lib.crypto_aead_aes256gcm_decrypt


def plain_decrypt(
    plain: Memory,
    _size: Memory,
    _secret: Memory,
    sealed: bytes,
    _sealed_size: int,
    aad: bytes,
    _aad_size: int,
    nonce: bytes,
    key: bytes | Memory,
    /,
) -> int:
    """Open by `cryptography`; see `Decrypt`."""
    try:
        opened = AESGCM(key if isinstance(key, bytes) else view(key)[:]).decrypt(nonce, sealed, aad)
    except InvalidTag:
        return -1
    view(plain)[: len(opened)] = opened
    return 0


class PlainEncrypter:
    """Seals by `cryptography`."""

    def seal_envelope(self, key: bytes, key_aad: bytes, text: bytes, aad: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Make an envelope; see `Encrypter`."""
        if len(random) != RANDOM_BYTES:
            raise ValueError("The randomness has the wrong length")
        own, nonce, key_nonce = random[:KEY_BYTES], random[KEY_BYTES:_KEY_NONCE_AT], random[_KEY_NONCE_AT:]
        sealed, wrapped = AESGCM(own).encrypt(nonce, text, aad), AESGCM(key).encrypt(key_nonce, own, key_aad)
        return nonce + sealed, key_nonce + wrapped


class SodiumEncrypter:
    """Seals by libsodium, into the same memory each time."""

    def __init__(self) -> None:
        self._encrypt, self._none = lib.crypto_aead_aes256gcm_encrypt, ffi.NULL
        self._wrapped = ffi.new("unsigned char[]", _WRAPPED_KEY_BYTES)
        self._wrapped_view = ffi.buffer(self._wrapped)
        self._reserve(_USUAL_BYTES)

    def seal_envelope(self, key: bytes, key_aad: bytes, text: bytes, aad: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Make an envelope; see `Encrypter`."""
        if len(key) != KEY_BYTES or len(random) != RANDOM_BYTES:
            raise ValueError("A key or the randomness has the wrong length")
        own, nonce, key_nonce = random[:KEY_BYTES], random[KEY_BYTES:_KEY_NONCE_AT], random[_KEY_NONCE_AT:]
        encrypt, none, size = self._encrypt, self._none, len(text) + TAG_BYTES
        if size > self._size:
            self._reserve(size)
        if encrypt(self._sealed, none, text, len(text), aad, len(aad), none, nonce, own):
            raise ValueError("A text is too long to be sealed")
        encrypt(self._wrapped, none, own, KEY_BYTES, key_aad, len(key_aad), none, key_nonce, key)
        return nonce + self._view[:size], key_nonce + self._wrapped_view[:]

    def _reserve(self, size: int) -> None:
        self._size = size
        self._sealed = ffi.new("unsigned char[]", size)
        self._view = ffi.buffer(self._sealed)
