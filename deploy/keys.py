"""Key files with versions, made on first start, private: the link-signing keys and the webhook keys.

JSON: `{"primary": 1, "keys": {"1": "<32 bytes, base64>"}}`. Every process that uses a file is given the same one; a new
version is added to all of them before it is made primary, so that what the old one made still opens.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import orjson

from core.errors import ConfigurationError
from core.tokens import KEY_BYTES, LinkSigner
from deploy import private_file
from scheduler.webhooks.signing import WebhookKeys

T = TypeVar("T")

_LINKS = "the link-signing keys"
_WEBHOOKS = "the webhook keys"


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
