"""A key-encryption key in this process's memory, read from a file of its owner's alone or from the environment.

The first start makes the file, and prints the key's fingerprint and where to keep a copy.
"""

import base64
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import ConfigurationError
from members.sealing import KEY_BYTES, NONCE_BYTES, unwrap, wrap

_PREFIX = "todoku-kek-1:"
_MAX_FILE_BYTES = 4096


class Kek:
    """Wraps keys under AES-256-GCM. `fingerprint` names it (16 hex digits) and tells nothing of it."""

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigurationError("The key-encryption key must be 32 bytes")
        self._cipher = AESGCM(key)
        self._random = random
        self.fingerprint = sha256(b"todoku kek fingerprint" + key).hexdigest()[:16]

    async def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Seal `key`; `aad` says what it is for and must be given again to unwrap it."""
        return wrap(self._cipher, key, aad, self._random(NONCE_BYTES))

    async def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Open a wrapped key; raise Tampered if it was altered, moved or wrapped by another KEK."""
        return unwrap(self._cipher, wrapped, aad)

    @classmethod
    def load(cls, path: Path) -> "Kek":
        """Read the file; raise ConfigurationError if it is missing, unusable or readable by others."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(_MAX_FILE_BYTES)
        except OSError as error:
            raise ConfigurationError(f"The key file {path} can't be read: {error.strerror}") from None
        if stat.S_IMODE(mode) & 0o077:
            raise ConfigurationError(f"The key file {path} can be read by others: chmod 600 it")
        return cls.read(text.decode("ascii", "replace"), where=f"The key file {path}")

    @classmethod
    def read(cls, text: str, *, where: str) -> "Kek":
        """Read the line `todoku-kek-1:<base64>`; ConfigurationError says `where` it is wrong, never how."""
        body = text.strip()
        if not body.startswith(_PREFIX):
            raise ConfigurationError(f"{where} is not a key of Todoku's")
        try:
            return cls(base64.b64decode(body.removeprefix(_PREFIX), validate=True))
        except ValueError:
            raise ConfigurationError(f"{where} is damaged") from None

    @classmethod
    def load_or_create(cls, path: Path, random: Callable[[int], bytes] = os.urandom) -> "Kek":
        """Read the file, or make it with mode 0600 where there is none. Two processes that race get the same key."""
        if path.exists():
            return cls.load(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{random(8).hex()}")
        content = (_PREFIX + base64.b64encode(random(KEY_BYTES)).decode() + "\n").encode()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole or not at all, and never replaces a key that is there.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return cls.load(path)
