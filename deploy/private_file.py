"""Files that only their owner may read: keys, passwords, DSNs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConfigurationError

_OTHERS = 0o077


def write(path: Path, content: bytes) -> None:
    """Write `content` with mode 0600, whole or not at all, on disk when this returns; make missing directories 0700."""
    with _draft(path, content) as draft:
        draft.replace(path)


def create(path: Path, content: bytes) -> bool:
    """Write as `write` does unless the file is there already; return whether it was made. Of two at once one wins."""
    with _draft(path, content) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    return True


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        # O_EXCL: the mode is ours from the first byte on, and no link planted there is followed.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(f"Can't write {path}: {error.strerror}") from error
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path, *, what: str) -> bytes | None:
    """Return the file's bytes, or None if it is not there.

    Raises ConfigurationError if group or others may read it, or if we may not; `what` names it in that sentence.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise ConfigurationError(f"Others may read {what}: run `chmod 600 {path}`")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"Can't read {what} ({path}): {error.strerror}") from error
