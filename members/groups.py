"""Groups: fixed sets of members, kept in each member's facets by id."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import Conflict, Fault, InvalidInput, NotFound
from members.connection import Connection
from members.errors import GroupInUse

SQL = sql.load(__package__ or "", "groups.sql")

KIND = "grp"
MAX_NAME = 200
MAX_MEMBERS_A_CALL = 10_000


@dataclass(frozen=True, slots=True)
class Group:
    """A group by id and name."""

    group_id: UUID
    name: str
    created_at: datetime


class GroupStore:
    """Groups by account."""

    def __init__(self, pool: asyncpg.Pool, new_id: Callable[[], UUID]) -> None:
        self._pool = pool
        self._new_id = new_id

    async def create(self, account_id: UUID, name: str) -> Group:
        """Add a group; raise Conflict if the name is taken."""
        _check_name(name)
        try:
            row = await self._pool.fetchrow(SQL["create"], self._new_id(), account_id, name)
        except asyncpg.UniqueViolationError:
            raise Conflict("Another group has this name") from None
        return _group(row)

    async def list(self, account_id: UUID) -> list[Group]:
        """Return the account's groups, oldest first."""
        return [_group(row) for row in await self._pool.fetch(SQL["list"], account_id)]

    async def names(self, account_id: UUID) -> Mapping[UUID, str]:
        """Return the names of the account's groups."""
        return {row["group_id"]: row["name"] for row in await self._pool.fetch(SQL["names"], account_id)}

    async def get(self, account_id: UUID, group_id: UUID) -> Group:
        """Return one group; raise NotFound."""
        return _group(await self._pool.fetchrow(SQL["get"], account_id, group_id))

    async def rename(self, account_id: UUID, group_id: UUID, name: str) -> Group:
        """Give a group another name; raise NotFound, or Conflict if the name is taken."""
        _check_name(name)
        try:
            row = await self._pool.fetchrow(SQL["rename"], account_id, group_id, name)
        except asyncpg.UniqueViolationError:
            raise Conflict("Another group has this name") from None
        return _group(row)

    async def remove(self, account_id: UUID, group_id: UUID) -> None:
        """Remove a group, and its members from it; raise NotFound, or GroupInUse if a segment filters by it."""
        segments = await self._pool.fetch(SQL["segments_naming"], account_id, ids.encode(KIND, group_id))
        if segments:
            raise GroupInUse(f"Segments filter by it: {', '.join(row['name'] for row in segments)}")
        if await self._pool.fetchval(SQL["remove"], account_id, group_id) is None:
            raise NotFound("No such group")
        while rows := await self._pool.fetch(SQL["some_members"], account_id, str(group_id)):
            members = [row["member_id"] for row in rows]
            await self._pool.execute(SQL["remove_members"], account_id, members, str(group_id))

    async def add(self, account_id: UUID, group_id: UUID, member_ids: Sequence[UUID]) -> int:
        """Put up to 10,000 members into a group; return how many were not in it. Unknown ids are passed over."""
        return await self._move("add_members", account_id, group_id, member_ids)

    async def take_out(self, account_id: UUID, group_id: UUID, member_ids: Sequence[UUID]) -> int:
        """Take up to 10,000 members out of a group; return how many were in it."""
        return await self._move("remove_members", account_id, group_id, member_ids)

    async def _move(self, statement: str, account_id: UUID, group_id: UUID, member_ids: Sequence[UUID]) -> int:
        if len(member_ids) > MAX_MEMBERS_A_CALL:
            raise InvalidInput(f"At most {MAX_MEMBERS_A_CALL} members at once")
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetch(SQL["known"], account_id, [group_id]):
                raise NotFound("No such group")
            status = await connection.execute(SQL[statement], account_id, member_ids, str(group_id))
        return int(status.rpartition(" ")[2])


async def check_groups(connection: Connection, account_id: UUID, group_ids: Sequence[UUID]) -> None:
    """Raise InvalidInput with a fault `/groups/<n>` for each that the account does not have."""
    if not group_ids:
        return
    known = {row["group_id"] for row in await connection.fetch(SQL["known"], account_id, list(group_ids))}
    faults = [
        Fault(f"/groups/{number}", "unknown-group", "The account has no such group")
        for number, group_id in enumerate(group_ids)
        if group_id not in known
    ]
    if faults:
        raise InvalidInput("No such group", faults)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(
            "The group needs a name", [Fault("/name", "bad-name", f"1 to {MAX_NAME} printable characters")]
        )


def _group(row: asyncpg.Record | None) -> Group:
    if row is None:
        raise NotFound("No such group")
    return Group(row["group_id"], row["name"], row["created_at"])
