"""The arithmetic of the chain: what a record and a link are hashed to. The database does the same in SQL.

    record = number of columns | of each: type | length, or -1 for null | bytes
    digest = SHA-256 of the hashes of a link's records, in the order of their bytes
    link   = 01 | account | no | batch | records | digest | hash of the link before | time

A record is written as Postgres sends a row (record_send), so that no two are written the same way. Numbers are
big-endian, of 4 bytes in a record and 8 in a link; times are microseconds since 2000-01-01 UTC.
"""

import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

FORMAT = b"\x01"
START = bytes(32)
"""What the first link of a chain follows."""

_UUID, _TEXT, _TIMESTAMPTZ, _BYTEA = 2950, 25, 1184, 17
"""The types' numbers in every Postgres."""
_COLUMNS = struct.pack(">i", 10)
_PART = struct.Struct(">ii")
_NULL = -1
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = struct.Struct(">q")
_NUMBERS = struct.Struct(">qqq")


def record_hash(
    account_id: UUID,
    member_id: UUID,
    kind: str,
    scope: str,
    source: str,
    form_version: str | None,
    occurred_at: datetime,
    recorded_at: datetime,
    confirmed_at: datetime | None,
    commitment: bytes | None,
) -> bytes:
    """Return the 32 bytes that a record is known by; times are aware."""
    return sha256(
        b"".join(
            (
                _COLUMNS,
                _part(_UUID, account_id.bytes),
                _part(_UUID, member_id.bytes),
                _part(_TEXT, kind.encode()),
                _part(_TEXT, scope.encode()),
                _part(_TEXT, source.encode()),
                _part(_TEXT, None if form_version is None else form_version.encode()),
                _part(_TIMESTAMPTZ, _time(occurred_at)),
                _part(_TIMESTAMPTZ, _time(recorded_at)),
                _part(_TIMESTAMPTZ, None if confirmed_at is None else _time(confirmed_at)),
                _part(_BYTEA, commitment),
            )
        )
    ).digest()


def link_hash(
    account_id: UUID, no: int, batch: int, records: int, digest: bytes, previous: bytes, at: datetime
) -> bytes:
    """Return the 32 bytes that a link is known by."""
    return sha256(
        FORMAT + account_id.bytes + _NUMBERS.pack(no, batch, records) + digest + previous + _time(at)
    ).digest()


def _time(at: datetime) -> bytes:
    return _TIME.pack((at - _EPOCH) // _MICROSECOND)


def _part(type_: int, content: bytes | None) -> bytes:
    return _PART.pack(type_, _NULL) if content is None else _PART.pack(type_, len(content)) + content
