"""Many AES-256-GCM ciphertexts, each under a key of its own: libsodium's one call instead of an object a key.

Both ways make and open the same ciphertexts (RFC 5116; 12-byte nonce, 16-byte tag). libsodium's takes half the time and
needs a processor with AES instructions (docs/decisions/0028-libsodium-opens.md); where there are none, `cryptography`
does it.

An envelope is a text sealed under a key of its own, beside that key, wrapped under another. It is made and opened in
one step, since a vault holds millions of them: what lies between the ciphertexts stays in memory that is used again.
"""

from typing import Protocol

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


class Decrypter(Protocol):
    """Opens one ciphertext after the other: for one thread. Raises InvalidTag, or ValueError for a wrong length."""

    def open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return the plaintext of a ciphertext with its tag."""

    def open_envelope(self, key: bytes, wrapped: bytes, key_aad: bytes, sealed: bytes, at: int, aad: bytes) -> bytes:
        """Return what is sealed under the wrapped key. Each has its nonce in front; `sealed` counts from `at` on."""


class Encrypter(Protocol):
    """Makes one envelope after the other: for one thread. Raises ValueError for a wrong length."""

    def seal_envelope(self, key: bytes, key_aad: bytes, text: bytes, aad: bytes, random: bytes) -> tuple[bytes, bytes]:
        """Return the sealed text and its key, wrapped under `key`, each with its nonce in front.

        `random`: RANDOM_BYTES fresh random bytes, used nowhere else.
        """


def decrypter() -> Decrypter:
    """Return the faster way that this processor has."""
    return SodiumDecrypter() if _has_sodium() else PlainDecrypter()


def encrypter() -> Encrypter:
    """Return the faster way that this processor has."""
    return SodiumEncrypter() if _has_sodium() else PlainEncrypter()


def _has_sodium() -> bool:
    return bool(lib.sodium_init() >= 0 and lib.crypto_aead_aes256gcm_is_available())


class PlainDecrypter:
    """Opens by `cryptography`."""

    def open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Open one; see `Decrypter`."""
        return AESGCM(key).decrypt(nonce, sealed, aad)

    def open_envelope(self, key: bytes, wrapped: bytes, key_aad: bytes, sealed: bytes, at: int, aad: bytes) -> bytes:
        """Open an envelope; see `Decrypter`."""
        own = self.open(key, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_aad)
        return self.open(own, sealed[at : at + NONCE_BYTES], sealed[at + NONCE_BYTES :], aad)


class SodiumDecrypter:
    """Opens by libsodium, into the same memory each time. It reads and writes exactly the lengths that it is told."""

    def __init__(self) -> None:
        self._decrypt, self._none = lib.crypto_aead_aes256gcm_decrypt, ffi.NULL
        self._key = ffi.new("unsigned char[]", KEY_BYTES)
        self._reserve(_USUAL_BYTES)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Open one; see `Decrypter`."""
        size, none = len(sealed) - TAG_BYTES, self._none
        if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES or size < 0:
            raise ValueError("A key, a nonce or a ciphertext has the wrong length")
        if size > self._size:
            self._reserve(size)
        if self._decrypt(self._plain, none, none, sealed, len(sealed), aad, len(aad), nonce, key):
            raise InvalidTag
        plain: bytes = self._view[:size]
        return plain

    def open_envelope(self, key: bytes, wrapped: bytes, key_aad: bytes, sealed: bytes, at: int, aad: bytes) -> bytes:
        """Open an envelope; see `Decrypter`."""
        own, none, decrypt, begin = self._key, self._none, self._decrypt, at + NONCE_BYTES
        size = len(sealed) - begin - TAG_BYTES
        if len(key) != KEY_BYTES or len(wrapped) != WRAPPED_BYTES or size < 0:
            raise ValueError("A key or a ciphertext has the wrong length")
        if size > self._size:
            self._reserve(size)
        nonce, inner = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        if decrypt(own, none, none, inner, _WRAPPED_KEY_BYTES, key_aad, len(key_aad), nonce, key):
            raise InvalidTag
        nonce, inner = sealed[at:begin], sealed[begin:]
        if decrypt(self._plain, none, none, inner, size + TAG_BYTES, aad, len(aad), nonce, own):
            raise InvalidTag
        plain: bytes = self._view[:size]
        return plain

    def _reserve(self, size: int) -> None:
        self._size = size
        self._plain = ffi.new("unsigned char[]", max(size, 1))
        self._view = ffi.buffer(self._plain)


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
