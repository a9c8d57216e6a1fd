"""One append-only file of the store: consecutive ids, found by offset.

A record is written in one go before its mail is answered for, so what kill -9 can leave is at most one torn record at
the end, which was never answered 250.
"""

import os
import weakref
from array import array
from pathlib import Path
from typing import Self

from core.errors import Unavailable
from deploy.mailbox import record

# Enough for nearly every head and envelope in one read.
_PEEK = 1024


class Segment:
    """A file of records with ids `first_id`, `first_id` + 1, …; eight bytes of memory a mail.

    Its descriptor closes when the last reader lets go of it, so that a reader may go on while the store drops it.
    """

    def __init__(self, path: Path, first_id: int) -> None:
        self.path = path
        self.first_id = first_id
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._close = weakref.finalize(self, os.close, self._fd)
        self._offsets = array("Q", [0])

    @classmethod
    def open(cls, path: Path, first_id: int) -> Self:
        """Open an existing file, reading heads only, up to the first record that is not whole."""
        segment = cls(path, first_id)
        size = os.fstat(segment._fd).st_size
        while segment._scan_one(size):
            pass
        return segment

    def cut(self) -> None:
        """Cut off a torn tail, so that records can follow."""
        os.ftruncate(self._fd, self.size)

    @property
    def size(self) -> int:
        """Bytes of whole records."""
        return self._offsets[-1]

    @property
    def next_id(self) -> int:
        """The id that the next record gets."""
        return self.first_id + len(self._offsets) - 1

    def __contains__(self, number: int) -> bool:
        return self.first_id <= number < self.next_id

    def append(self, data: bytes) -> None:
        """Write one record at the end.

        Raises Unavailable when the disk does not take it; the file then ends where it ended before.
        """
        at = self.size
        left = memoryview(data)
        try:
            while left:
                left = left[os.pwrite(self._fd, left, at + len(data) - len(left)) :]
        except OSError as error:
            os.ftruncate(self._fd, at)
            raise Unavailable("The mailbox's disk does not take any more") from error
        self._offsets.append(at + len(data))

    def read(self, number: int, most: int | None = None) -> bytes:
        """Return the record of an id in this segment; with `most` about that many bytes, but the envelope whole."""
        place = number - self.first_id
        start = self._offsets[place]
        length = self._offsets[place + 1] - start
        if most is None or most >= length:
            return os.pread(self._fd, length, start)
        return self._peek(start, most)

    def remove(self) -> None:
        """Take the file off the disk; whoever still holds the segment can read on."""
        self.path.unlink(missing_ok=True)

    def _scan_one(self, size: int) -> bool:
        at = self.size
        head = self._peek(at, _PEEK)
        span = record.lengths(head)
        found = record.decode(head)
        if span is None or found is None or at + span[1] > size or found[0].id != self.next_id:
            return False
        self._offsets.append(at + span[1])
        return True

    def _peek(self, at: int, most: int) -> bytes:
        head = os.pread(self._fd, most, at)
        span = record.lengths(head)
        return os.pread(self._fd, span[0], at) if span and span[0] > most else head
