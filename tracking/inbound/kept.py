"""Mail that nobody but a person can make sense of: kept in a private directory, bounded, until it is looked at.

One file a mail, mode 0600, on disk before the mail is answered for; the same mail again is the same file. These files
hold what strangers wrote, addresses included: they are no part of a backup, and `todoku inbound kept` shows and
removes them. When the directory is full, `Unavailable` is raised, and the sender keeps the mail.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.errors import ConfigurationError, NotFound, Unavailable

_NAME = re.compile(r"(?P<why>[a-z_]+)-(?P<digest>[0-9a-f]{64})\.eml")
SHORT = 12
"""Characters of a digest by which a kept mail is named."""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One of them: why it is there, since when, its size in bytes."""

    name: str
    why: str
    at: datetime
    size: int


class Kept:
    """The directory, made if it is not there; at most `most` bytes of mail."""

    def __init__(self, directory: Path, *, most: int) -> None:
        self._directory = directory
        self._most = most
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(f"Can't make {directory}: {error.strerror}") from error
        self._size = sum(mail.size for mail in self.all())

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size

    def all(self) -> Iterator[KeptMail]:
        """Give out what is kept, oldest first."""
        found = []
        for path in self._directory.iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                stat = path.stat()
                at = datetime.fromtimestamp(stat.st_mtime, UTC)
                found.append(KeptMail(match["digest"][:SHORT], match["why"], at, stat.st_size))
        yield from sorted(found, key=lambda mail: (mail.at, mail.name))

    def keep(self, raw: bytes, digest: bytes, *, why: str) -> None:
        """Write a mail, on disk when this returns. Raises Unavailable."""
        path = self._directory / f"{why}-{digest.hex()}.eml"
        if path.exists():
            return
        if self._size + len(raw) > self._most:
            # Somebody may have made room.
            self._size = sum(mail.size for mail in self.all())
            if self._size + len(raw) > self._most:
                raise Unavailable("There is no more room for mail that waits for a person")
        try:
            self._write(path, raw)
        except OSError as error:
            raise Unavailable(f"The mail can't be kept: {error.strerror}") from error
        self._size += len(raw)

    def read(self, name: str) -> bytes:
        """Return a mail by its name. Raises NotFound."""
        return self._path(name).read_bytes()

    def remove(self, name: str) -> None:
        """Remove a mail. Raises NotFound."""
        path = self._path(name)
        self._size -= path.stat().st_size
        path.unlink()

    def _path(self, name: str) -> Path:
        found = [path for path in self._directory.iterdir() if _is_named(path, name)]
        if len(found) != 1:
            raise NotFound("There is no such mail; `todoku inbound kept` lists them")
        return found[0]

    def _write(self, path: Path, raw: bytes) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _is_named(path: Path, name: str) -> bool:
    match = _NAME.fullmatch(path.name)
    return match is not None and match["digest"].startswith(name) and len(name) >= SHORT
