"""What a key-encryption key must do, wherever it is kept."""

from typing import Protocol


class KekProvider(Protocol):
    """Wraps and unwraps keys of 32 bytes and a little more; the key itself may never leave a machine of its own."""

    @property
    def fingerprint(self) -> str:
        """Names the key (16 hex digits of a hash) and tells nothing of it."""

    async def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Seal `key`; `aad` says what it is for and must be given again to unwrap it. Raises Unavailable."""

    async def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Open a wrapped key; raise Tampered if it was altered, moved or wrapped by another KEK, or Unavailable."""
