"""The link-signing keys' file: made on first start, private, with versions so that old links still open.

JSON: `{"primary": 1, "keys": {"1": "<32 bytes, base64>"}}`. Every process that mints or opens tokens is given the same
file; a new version is added to all of them before it is made primary.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import orjson

from core.errors import ConfigurationError
from core.tokens import KEY_BYTES, LinkSigner
from deploy import private_file


def load_signer(path: Path) -> LinkSigner:
    """Return the signer of the file; ConfigurationError if it is missing, open to others or broken."""
    content = private_file.read(path, what="the link-signing keys")
    if content is None:
        raise ConfigurationError(f"The link-signing keys are missing: {path} (made by `todoku up` or `todoku migrate`)")
    return _signer(content, path)


def load_or_create_signer(path: Path, random: Callable[[int], bytes] = os.urandom) -> LinkSigner:
    """Return the signer of the file, making the file with one key first if it is not there."""
    key = b64encode(random(KEY_BYTES)).decode()
    if not path.exists():
        private_file.create(path, orjson.dumps({"primary": 1, "keys": {"1": key}}) + b"\n")
    return load_signer(path)


def _signer(content: bytes, path: Path) -> LinkSigner:
    try:
        found = orjson.loads(content)
        keys = {int(version): b64decode(key, validate=True) for version, key in found["keys"].items()}
        return LinkSigner(keys, int(found["primary"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        # Without its cause: that would quote the file.
        raise ConfigurationError(f"The link-signing keys in {path} are not readable") from None
