"""All mail on disk, within a bound: segments in order, the oldest dropped first.

Appending and clearing belong to the event loop's thread; reading may happen in any thread, on the tuple of segments it
found. Ids grow by one, over restarts and clearing too: the newest file's name carries the next.
"""

import fcntl
import os
import weakref
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError
from deploy.mailbox import record
from deploy.mailbox.record import Entry
from deploy.mailbox.segment import Segment

SEGMENT_BYTES = 32_000_000
# At most about this many files, whatever the bound.
_SEGMENTS = 64
HEADS_BYTES = 8192
_SUFFIX: Final = ".mail"


class MailStore:
    """The mailbox's mail in `directory`, which only one process may hold at a time."""

    def __init__(self, directory: Path, *, max_bytes: int, segment_bytes: int | None = None) -> None:
        """Open or create the store, reading heads only; raises ConfigurationError while another process holds it."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes or max(min(SEGMENT_BYTES, max_bytes // 8), max_bytes // _SEGMENTS)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unlock = weakref.finalize(self, os.close, _locked(directory / "lock"))
        found = sorted((int(path.stem), path) for path in directory.glob(f"*{_SUFFIX}"))
        self._segments = tuple(Segment.open(path, first) for first, path in found) or (self._new_segment(1),)
        self._segments[-1].cut()

    @property
    def count(self) -> int:
        """How many mails are kept."""
        return sum(segment.next_id - segment.first_id for segment in self._segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    @property
    def last_id(self) -> int:
        """The highest id ever given, 0 before the first mail."""
        return self._segments[-1].next_id - 1

    def append(self, *, mail_from: str, rcpt_to: Sequence[str], peer: str, at: datetime, message: bytes) -> int:
        """Keep a mail and return its id; it survives the process from then on.

        Raises Unavailable when the disk is full.
        """
        current = self._segments[-1]
        entry = Entry(current.next_id, at, mail_from, tuple(rcpt_to), peer, len(message))
        data = record.encode(entry, message)
        if current.size and current.size + len(data) > self._segment_bytes:
            current = self._new_segment(current.next_id)
            self._segments = (*self._segments, current)
        while len(self._segments) > 1 and self.size + len(data) > self._max_bytes:
            self._segments[0].remove()
            self._segments = self._segments[1:]
        current.append(data)
        return entry.id

    def get(self, number: int) -> tuple[Entry, bytes] | None:
        """Return a mail's (entry, message), or None if there is no such mail (any more)."""
        return self._read(self._segments, number)

    def after(self, number: int, limit: int) -> Iterator[tuple[Entry, bytes]]:
        """Yield up to `limit` mails with ids above `number`, oldest first, those that come meanwhile too."""
        for _ in range(limit):
            segments = self._segments
            number = _next_kept(segments, number + 1)
            found = self._read(segments, number)
            if found is None:
                return
            yield found

    def before(self, number: int) -> Iterator[tuple[Entry, bytes]]:
        """Yield mails with ids below `number`, newest first, with only the first 8 KB of their messages."""
        segments = self._segments
        for number_ in range(min(number, segments[-1].next_id) - 1, segments[0].first_id - 1, -1):
            found = self._read(segments, number_, HEADS_BYTES)
            if found is not None:
                yield found

    def clear(self) -> None:
        """Drop all mail; ids go on where they were."""
        dropped = self._segments
        fresh = self._new_segment(dropped[-1].next_id)
        self._segments = (fresh,)
        for segment in dropped:
            if segment.path != fresh.path:
                segment.remove()

    def close(self) -> None:
        """Let another process open the store."""
        self._unlock()

    def _new_segment(self, first_id: int) -> Segment:
        path = self._directory / f"{first_id:016}{_SUFFIX}"
        path.unlink(missing_ok=True)
        return Segment(path, first_id)

    @staticmethod
    def _read(segments: Sequence[Segment], number: int, most: int | None = None) -> tuple[Entry, bytes] | None:
        place = _place(segments, number)
        if place < 0 or number not in segments[place]:
            return None
        data = segments[place].read(number, most)
        found = record.decode(data)
        return found and (found[0], data[found[1] :])


def _next_kept(segments: Sequence[Segment], number: int) -> int:
    """Return the first id from `number` on that is in a segment: ids may be missing after a damaged one."""
    for segment in segments[max(_place(segments, number), 0) :]:
        number = max(number, segment.first_id)
        if number in segment:
            break
    return number


def _place(segments: Sequence[Segment], number: int) -> int:
    return bisect_right(segments, number, key=attrgetter("first_id")) - 1


def _locked(path: Path) -> int:
    """Take the directory for this process; the kernel lets go of it however the process ends."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise ConfigurationError(f"Another mailbox already uses {path.parent}") from None
    return fd
