"""Many AES-256-GCM ciphertexts, each under a key of its own: libsodium's one call instead of an object a key.

Both ways make and open the same ciphertexts (RFC 5116; 12-byte nonce, 16-byte tag). libsodium's takes half the time and
needs a processor with AES instructions (docs/decisions/0028-libsodium-opens.md); where there are none, `cryptography`
does it.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl._sodium import ffi, lib  # nacl.bindings checks each argument and takes eight times as long

from members.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES

Decrypt = Callable[[bytes, bytes, bytes, bytes], bytes]
"""key, nonce, ciphertext with its tag, AAD → plaintext; raises InvalidTag, or ValueError for a wrong length."""

_USUAL_BYTES = 16_384


def decrypter() -> Decrypt:
    """Return the faster way that this processor has, for use by one thread."""
    return SodiumDecrypter() if lib.sodium_init() >= 0 and lib.crypto_aead_aes256gcm_is_available() else decrypt


def decrypt(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Open one ciphertext by `cryptography`."""
    return AESGCM(key).decrypt(nonce, sealed, aad)


class SodiumDecrypter:
    """Opens one ciphertext after the other by libsodium, into the same memory: for one thread."""

    def __init__(self) -> None:
        self._reserve(_USUAL_BYTES)

    def __call__(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Open one ciphertext; see `Decrypt`."""
        size = len(sealed) - TAG_BYTES
        if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES or size < 0:
            raise ValueError("A key, a nonce or a ciphertext has the wrong length")
        if size > self._size:
            self._reserve(size)
        # libsodium reads exactly the lengths that it is told, and writes `size` bytes.
        if self._open(self._plain, self._none, self._none, sealed, len(sealed), aad, len(aad), nonce, key):
            raise InvalidTag
        plain: bytes = self._view[:size]
        return plain

    def _reserve(self, size: int) -> None:
        self._size = size
        self._plain = ffi.new("unsigned char[]", max(size, 1))
        self._view = ffi.buffer(self._plain)
        self._open, self._none = lib.crypto_aead_aes256gcm_decrypt, ffi.NULL


Encrypt = Callable[[bytes, bytes, bytes, bytes], bytes]
"""key, nonce, plaintext, AAD → ciphertext with its tag; raises ValueError for a wrong length."""


def encrypter() -> Encrypt:
    """Return the faster way that this processor has, for use by one thread."""
    return SodiumEncrypter() if lib.sodium_init() >= 0 and lib.crypto_aead_aes256gcm_is_available() else encrypt


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Seal one text by `cryptography`."""
    return AESGCM(key).encrypt(nonce, plaintext, aad)


class SodiumEncrypter:
    """Seals one text after the other by libsodium, into the same memory: for one thread."""

    def __init__(self) -> None:
        self._reserve(_USUAL_BYTES)

    def __call__(self, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Seal one text; see `Encrypt`."""
        if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
            raise ValueError("A key or a nonce has the wrong length")
        size = len(plaintext) + TAG_BYTES
        if size > self._size:
            self._reserve(size)
        # libsodium reads exactly the lengths that it is told, and writes `size` bytes.
        none = self._none
        if self._seal(self._sealed, none, plaintext, len(plaintext), aad, len(aad), none, nonce, key):
            raise ValueError("A text is too long to be sealed")
        sealed: bytes = self._view[:size]
        return sealed

    def _reserve(self, size: int) -> None:
        self._size = size
        self._sealed = ffi.new("unsigned char[]", size)
        self._view = ffi.buffer(self._sealed)
        self._seal, self._none = lib.crypto_aead_aes256gcm_encrypt, ffi.NULL
