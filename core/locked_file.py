"""Files whose lock tells that their writer lives: nobody sees one before its writer holds it (flock)."""

import errno
import fcntl
import os
from pathlib import Path


def put(path: Path, content: bytes = b"") -> int:
    """Write `content` to a new file, mode 0600, locked before it stands at `path`; its descriptor, for appending.

    What stood there is replaced. Nothing of it stays where an OSError is raised.
    """
    unseen = path.with_name(f".{path.name}.new")
    unseen.unlink(missing_ok=True)
    descriptor = os.open(unseen, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_whole(descriptor, content)
        unseen.rename(path)
    except BaseException:
        os.close(descriptor)
        unseen.unlink(missing_ok=True)
        raise
    return descriptor


def _write_whole(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, "The disk is full")
