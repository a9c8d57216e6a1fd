"""AES-256-GCM as it is used everywhere in the vault: a fresh 96-bit nonce in front, bound to its place by the AAD."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Tampered

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def wrap(cipher: AESGCM, plaintext: bytes, aad: bytes, nonce: bytes) -> bytes:
    """Return nonce | ciphertext. `nonce`: 12 random bytes, never used twice with one key."""
    return nonce + cipher.encrypt(nonce, plaintext, aad)


def unwrap(cipher: AESGCM, sealed: bytes, aad: bytes) -> bytes:
    """Return the plaintext; raise Tampered if the bytes, the key or the place are not those of `wrap`."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Tampered("A sealed value is cut short")
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag:
        raise Tampered("A sealed value was altered, moved or sealed by another key") from None
