"""How one mail lies on disk: a fixed head, its envelope as JSON, then the message as it came.

The checksum covers head and envelope, so that a scan need not read messages. A message itself can be torn only at the
end of a file, where its length shows it.
"""

import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# checksum of all that follows up to the message | magic | envelope length | message length | id | received, µs
_HEAD = struct.Struct(">I4sIIQQ")
_MAGIC = b"TDM1"
HEAD_BYTES = _HEAD.size


@dataclass(frozen=True, slots=True)
class Entry:
    """What the mailbox knows of a mail without reading the message; `size` is the message's, in bytes."""

    id: int
    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    peer: str
    size: int


def encode(entry: Entry, message: bytes) -> bytes:
    """Return the bytes of one record."""
    envelope = orjson.dumps({"from": entry.mail_from, "to": entry.rcpt_to, "peer": entry.peer})
    received = (entry.received_at - _EPOCH) // _MICROSECOND
    head = _HEAD.pack(0, _MAGIC, len(envelope), len(message), entry.id, received)[4:]
    checksum = zlib.crc32(envelope, zlib.crc32(head)).to_bytes(4, "big")
    return b"".join((checksum, head, envelope, message))


def lengths(head: bytes) -> tuple[int, int] | None:
    """Return (bytes up to the message, bytes in all) that a head announces, or None if it is no head."""
    if len(head) < HEAD_BYTES:
        return None
    _, magic, envelope, message, _, _ = _HEAD.unpack_from(head)
    if magic != _MAGIC:
        return None
    return HEAD_BYTES + envelope, HEAD_BYTES + envelope + message


def decode(record: bytes) -> tuple[Entry, int] | None:
    """Return (entry, offset of the message), or None if head or envelope are not whole; the message may be cut."""
    span = lengths(record)
    if span is None or len(record) < span[0]:
        return None
    start, end = span
    checksum, _, _, _, number, received = _HEAD.unpack_from(record)
    if zlib.crc32(record[4:start]) != checksum:
        return None
    envelope = orjson.loads(record[HEAD_BYTES:start])
    entry = Entry(
        id=number,
        received_at=_EPOCH + received * _MICROSECOND,
        mail_from=envelope["from"],
        rcpt_to=tuple(envelope["to"]),
        peer=envelope["peer"],
        size=end - start,
    )
    return entry, start
