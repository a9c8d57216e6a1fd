"""Key files with versions, made on first start, private: the link-signing keys and the webhook keys.

JSON: `{"primary": 1, "keys": {"1": "<32 bytes, base64>"}}`. Every process that uses a file is given the same one; a new
version is added to all of them before it is made primary, so that what the old one made still opens.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import orjson

from core.errors import ConfigurationError, Conflict, NotFound
from core.tokens import KEY_BYTES, LinkSigner
from deploy import private_file
from scheduler.webhooks.signing import WebhookKeys

T = TypeVar("T")

_LAST_VERSION = 255
_LINKS = "the link-signing keys"
_WEBHOOKS = "the webhook keys"


@dataclass(frozen=True, slots=True)
class Versions:
    """The keys of a file by version, from 0 to 255: the one that is `primary` makes, all open."""

    keys: Mapping[int, bytes]
    primary: int

    def added(self, key: bytes) -> "Versions":
        """Return them with one more, which opens and makes nothing yet. Conflict if there is no version left."""
        version = max(self.keys) + 1
        if version > _LAST_VERSION:
            raise Conflict("There is no version left: a token has one byte for it")
        return Versions({**self.keys, version: key}, self.primary)

    def promoted(self) -> "Versions":
        """Return them with the newest as primary."""
        return Versions(self.keys, max(self.keys))

    def without(self, version: int) -> "Versions":
        """Return them without one, by which nothing opens then. NotFound, or Conflict for the primary."""
        if version not in self.keys:
            raise NotFound("There is no such version")
        if version == self.primary:
            raise Conflict("The primary version makes the links of today: promote another first")
        return Versions({number: key for number, key in self.keys.items() if number != version}, self.primary)


def load_link_keys(path: Path) -> Versions:
    """Return what the file of the link-signing keys holds; raises as `load_signer` does."""
    load_signer(path)
    return _load(path, _LINKS, Versions)


def save(path: Path, versions: Versions) -> None:
    """Write a file of keys, whole or not at all."""
    written = {str(version): b64encode(key).decode() for version, key in versions.keys.items()}
    private_file.write(path, orjson.dumps({"primary": versions.primary, "keys": written}) + b"\n")


def load_signer(path: Path) -> LinkSigner:
    """Return the signer of the file; ConfigurationError if it is missing, open to others or broken."""
    return _load(path, _LINKS, LinkSigner)


def load_or_create_signer(path: Path, random: Callable[[int], bytes] = os.urandom) -> LinkSigner:
    """Return the signer of the file, making the file with one key first if it is not there."""
    _create(path, random)
    return load_signer(path)


def load_webhook_keys(path: Path) -> WebhookKeys:
    """Return the webhook keys of the file; ConfigurationError if it is missing, open to others or broken."""
    return _load(path, _WEBHOOKS, WebhookKeys)


def load_or_create_webhook_keys(path: Path, random: Callable[[int], bytes] = os.urandom) -> WebhookKeys:
    """Return the webhook keys of the file, making the file with one key first if it is not there."""
    _create(path, random)
    return load_webhook_keys(path)


def _create(path: Path, random: Callable[[int], bytes]) -> None:
    key = b64encode(random(KEY_BYTES)).decode()
    if not path.exists():
        private_file.create(path, orjson.dumps({"primary": 1, "keys": {"1": key}}) + b"\n")


def _load(path: Path, what: str, make: Callable[[Mapping[int, bytes], int], T]) -> T:
    content = private_file.read(path, what=what)
    if content is None:
        raise ConfigurationError(f"{what.capitalize()} are missing: {path} (made by `todoku up` or `todoku migrate`)")
    try:
        found = orjson.loads(content)
        keys = {int(version): b64decode(key, validate=True) for version, key in found["keys"].items()}
        return make(keys, int(found["primary"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        # Without its cause: that would quote the file.
        raise ConfigurationError(f"{what.capitalize()} in {path} are not readable") from None
