"""Who a campaign would reach, for tests that ask nothing of the main database."""

import struct
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from core import ids
from members.audience import AudienceSource, Count
from members.keyring import KeyRings
from members.topics import KIND
from tests.support.segments import NoMail


async def reached(
    pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, *, topic: UUID | None = None, everyone: bool = True
) -> tuple[Count, list[UUID]]:
    """The count of an audience of all, or of a topic, and the first who can be sent to."""
    source = AudienceSource(pool, rings, NoMail())
    wanted: Mapping[str, Any] = {"all": True} if everyone else {}
    audience = await source.resolve(
        account_id, wanted if topic is None else {**wanted, "topic": ids.encode(KIND, topic)}
    )
    found = await source.at_once(account_id, audience, 5)
    assert found is not None
    return found


# Number of fields; lengths and bytes of member_id and tag; a null, where nothing was asked to tell recipients apart by.
_ROW = struct.Struct(">hi16siqi")
_HEADER_BYTES, _TRAILER_BYTES = 19, 2


def read_slice(stream: bytes) -> list[tuple[UUID, int]]:
    """The members and their destination tags in a slice of an audience."""
    rows = _ROW.iter_unpack(stream[_HEADER_BYTES:-_TRAILER_BYTES])
    return [(UUID(bytes=member_id), tag) for _, _, member_id, _, tag, _ in rows]
