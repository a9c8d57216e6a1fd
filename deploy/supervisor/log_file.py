"""A child's log file: bounded by rotation (10 MB, three old ones)."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 10_000_000
_OLD_ONES = 3


class _Handler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Go on: a full disk loses lines, not the service."""


class LogFile:
    """Takes lines; those that can't be written are lost."""

    def __init__(self, path: Path, *, max_bytes: int = _BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._handler = _Handler(path, maxBytes=max_bytes, backupCount=_OLD_ONES, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, line: bytes) -> None:
        """Add a line."""
        text = line.decode(errors="replace").rstrip("\n")
        self._handler.emit(logging.makeLogRecord({"msg": text}))

    def tail(self, lines: int) -> str:
        """Return the last lines."""
        try:
            return "\n".join(self._path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
