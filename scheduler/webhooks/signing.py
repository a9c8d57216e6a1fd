"""Secrets of webhooks and the signatures made with them, as Standard Webhooks (v1) has them: pure.

No secret is stored. Each is derived from the installation's webhook key, which stands in a file of its own: whoever has
the database, or a copy of it, can sign nothing. A new secret is the next number under the newest key.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from core.errors import ConfigurationError

KEY_BYTES = 32
PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class SecretName:
    """Which secret: the webhook's n-th, and the version of the key that it is derived from."""

    webhook_id: UUID
    key_version: int
    number: int


class WebhookKeys:
    """Derives secrets. `keys` maps a version (0 to 255) to 32 secret bytes; new secrets are made from `primary`."""

    def __init__(self, keys: Mapping[int, bytes], primary: int) -> None:
        if primary not in keys:
            raise ConfigurationError("The primary webhook key is missing")
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise ConfigurationError(f"A webhook key must be {KEY_BYTES} bytes")
        self._keys = dict(keys)
        self.primary = primary

    def secret(self, name: SecretName) -> bytes:
        """Return a secret of 32 bytes: HMAC-SHA256 as a PRF. ConfigurationError if its key is not in the file."""
        key = self._keys.get(name.key_version)
        if key is None:
            raise ConfigurationError("A webhook's secret was made from a key that is not in the file any more")
        about = b"todoku webhook v1\0" + name.webhook_id.bytes + name.number.to_bytes(4, "big")
        return hmac.new(key, about, sha256).digest()


def shown(secret: bytes) -> str:
    """Return a secret as the receiver is given it."""
    return PREFIX + b64encode(secret).decode()


def headers(message_id: str, timestamp: int, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """Return the three headers of a post. `timestamp` in seconds since 1970; a signature for each of `secrets`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (b64encode(hmac.new(secret, signed, sha256).digest()).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in made),
    }
