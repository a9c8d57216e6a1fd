"""Changes of a key ring: add a version, make it primary, retire what is older.

    add      a new version, open: everyone learns to open by it
    promote  it becomes primary: everyone makes new things by it; refused until every holder has acknowledged `add`
    retire   older versions are destroyed; refused until every holder has acknowledged `promote`, and while anything
             needs one: members are brought over by re-sealing (members/resealing)

Each is one transaction behind the fence (members/fence.py). Of two that run at once one is refused, and a refusal
changes nothing. The suppression key is never rotated: it must outlive the members.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, NotFound
from members.connection import Lent
from members.errors import NotAcknowledged, StillNeeded
from members.fence import move_on
from members.holders import behind, forget_dead
from members.kek import KekProvider
from members.keyring import ring_aad
from members.sealing import KEY_BYTES

SQL = sql.load(__package__ or "", "rotation.sql")

Purpose = Literal["seal", "index"]
State = Literal["primary", "open", "retired"]
_MEMBERS: Mapping[Purpose, str] = {"seal": "members_by_seal", "index": "members_by_index"}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a ring's key. Generation and epoch are those of its last change of state."""

    purpose: Purpose
    version: int
    state: State
    generation: int
    epoch: int
    created_at: datetime


class Rotation:
    """Changes the rings of any account. `random` returns n random bytes: new keys are made of it."""

    def __init__(self, pool: asyncpg.Pool, kek: KekProvider, random: Callable[[int], bytes]) -> None:
        self._pool = pool
        self._kek = kek
        self._random = random

    async def versions(self, account_id: UUID) -> Sequence[Version]:
        """Return the account's seal and index versions, oldest first, retired ones among them."""
        return [Version(**row) for row in await self._pool.fetch(SQL["versions"], account_id)]

    async def add(self, account_id: UUID, purpose: Purpose) -> int:
        """Add a version, open and not yet primary; return its number. Conflict if one waits for its promotion."""
        await forget_dead(self._pool)
        primary = await self._primary(account_id, purpose)
        version = primary.version + 1
        # Made before the fence is closed: a KEK that is far away takes its time.
        wrapped = await self._kek.wrap(self._random(KEY_BYTES), ring_aad(account_id, purpose, version))
        async with self._pool.acquire() as connection, connection.transaction():
            change = await self._change(connection, account_id)
            fingerprint = self._kek.fingerprint
            if not await connection.fetchval(SQL["add"], account_id, purpose, version, wrapped, fingerprint, *change):
                raise Conflict(f"The {purpose} version {version} is there already: promote it first")
        return version

    async def promote(self, account_id: UUID, purpose: Purpose) -> int:
        """Make the newest version primary; return its number. Raises Conflict if it is, NotAcknowledged."""
        newest = await self._newest(account_id, purpose)
        if newest.state != "open":
            raise Conflict(f"The newest {purpose} version is primary already: add one first")
        await self._acknowledged(newest)
        async with self._pool.acquire() as connection, connection.transaction():
            change = await self._change(connection, account_id)
            demoted = await connection.fetchval(SQL["demote"], account_id, purpose, newest.version)
            if demoted is None:
                raise Conflict(f"The {purpose} version {newest.version} was just promoted by someone else")
            await connection.execute(SQL["promote"], account_id, purpose, newest.version, *change)
        return newest.version

    async def retire(self, account_id: UUID, purpose: Purpose) -> Sequence[int]:
        """Destroy every version before the primary one; return their numbers. Raises NotAcknowledged, StillNeeded.

        Whether one is needed is asked before the fence is closed, as it takes a while: what is not needed can't come to
        be, since who writes holds the present generation, whose primary version is another.
        """
        primary = await self._primary(account_id, purpose)
        retired: Sequence[asyncpg.Record] = ()
        if any(version.purpose == purpose and _is_old(version, primary) for version in await self.versions(account_id)):
            await self._acknowledged(primary)
            await self._unneeded(account_id, primary)
            async with self._pool.acquire() as connection, connection.transaction():
                change = await self._change(connection, account_id)
                retired = await connection.fetch(SQL["retire"], account_id, purpose, primary.version, *change)
        if purpose == "index":
            # Also what a call that was broken off has left.
            while not (await self._pool.execute(SQL["forget_index"], account_id, primary.version)).endswith(" 0"):
                pass
        return sorted(row["version"] for row in retired)

    async def members_under(self, account_id: UUID, purpose: Purpose) -> Mapping[int, int]:
        """Return how many members each version holds: whose keys it wraps, or who are indexed by it."""
        rows = await self._pool.fetch(SQL[_MEMBERS[purpose]], account_id)
        return {row["version"]: row["members"] for row in rows}

    async def lagging(self, account_id: UUID, version: Version) -> int:
        """Return how many members are not known to have the form that they get under this version."""
        found: int = await self._pool.fetchval(SQL["lagging"], account_id, version.generation)
        return found

    async def _unneeded(self, account_id: UUID, primary: Version) -> None:
        needed = {"members": await self.lagging(account_id, primary)}
        if primary.purpose == "seal":
            for name in ("member_keys_before", "file_keys_before"):
                needed[name] = await self._pool.fetchval(SQL[name], account_id, primary.version)
        members = max(needed["members"], needed.get("member_keys_before", 0))
        files = needed.get("file_keys_before", 0)
        if members or files:
            needing = f"{members:,} members and {files:,} files"
            raise StillNeeded(f"{needing} still need an older {primary.purpose} version: reseal them first")

    async def _acknowledged(self, version: Version) -> None:
        late = await behind(self._pool, version.epoch)
        if late:
            said = ", ".join(f"{number} {kind}" for kind, number in late.items())
            raise NotAcknowledged(f"Not every process knows the {version.purpose} version {version.version}: {said}")

    async def _primary(self, account_id: UUID, purpose: Purpose) -> Version:
        for version in await self.versions(account_id):
            if version.purpose == purpose and version.state == "primary":
                return version
        raise NotFound("The account has no key ring")

    async def _newest(self, account_id: UUID, purpose: Purpose) -> Version:
        found = [version for version in await self.versions(account_id) if version.purpose == purpose]
        if not found:
            raise NotFound("The account has no key ring")
        return found[-1]

    async def _change(self, connection: Lent, account_id: UUID) -> tuple[int, int]:
        """Close the fence and return the generation and the epoch that the change gets."""
        return await move_on(connection, account_id), await connection.fetchval(SQL["next_epoch"])


def _is_old(version: Version, primary: Version) -> bool:
    return version.state == "open" and version.version < primary.version
