"""The store of members: create, read, change, erase. Each call commits whole or leaves no trace.

A member is mailed only while `active`, and becomes active only with a consent record: source and time.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import asyncpg

from core import sql
from core.errors import InvalidInput, NotFound, StaleRevision, Tampered
from members.addresses import parse
from members.attribute import Definitions
from members.attributes import load_definitions, mark_used
from members.built_in import TAGS
from members.errors import AddressTaken, Overtaken
from members.facets import groups_of, make_facets
from members.fence import hold_keys, unless_overtaken
from members.groups import check_groups
from members.keyring import KeyRings, Ring
from members.member import Consent, ConsentRecord, Member, Page, Status, new_rows
from members.profile import Profile, seal, unwrap_member_key
from members.sealer import RANDOM_BYTES
from members.sealing import NONCE_BYTES
from members.vault import UNREADABLE, Vault, open_row, ring_for
from members.writing import (
    checked_consent,
    checked_values,
    insert_address,
    lift_or_refuse,
    merged_values,
    record_given,
    record_withdrawn,
    suppress,
)

SQL = sql.load(__package__ or "", "members.sql")

MAX_PAGE = 500
_TRIES = 10


class MemberStore:
    """Members by account. `random` returns n random bytes."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        new_id: Callable[[], UUID],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._new_id = new_id
        self._random = random
        self._vault = Vault(pool, rings)

    @unless_overtaken
    async def create(
        self,
        account_id: UUID,
        address: str,
        values: Mapping[str, object] | None = None,
        *,
        consent: Consent | None = None,
        groups: Sequence[UUID] = (),
    ) -> Member:
        """Add a member: `active` with a consent, else `unconfirmed`.

        Raises BadAddress, InvalidInput (every wrong value), AddressTaken, Suppressed unless the address only
        unsubscribed or was erased and the consent is newer than that.
        """
        parsed = parse(address)
        ring = await self._rings.ring(account_id)
        definitions = await load_definitions(self._pool, account_id)
        checked = checked_values(values or {}, definitions)
        checked_consent(consent)
        member_id = self._new_id()
        facets = make_facets(checked, definitions, ring, tuple(dict.fromkeys(groups)))
        hashes = ring.hashes(parsed.key)
        rows = new_rows(ring, member_id, parsed, hashes, checked, facets, self._random(RANDOM_BYTES))
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await hold_keys(connection, ring)
                    await check_groups(connection, account_id, groups)
                    await mark_used(connection, account_id, definitions, checked)
                    await lift_or_refuse(connection, account_id, hashes.suppression, consent)
                    status: Status = "active" if consent else "unconfirmed"
                    await connection.execute(
                        SQL["insert_member"],
                        account_id,
                        member_id,
                        status,
                        *rows[1:4],
                        hashes.suppression,
                        ring.generation,
                    )
                    await connection.execute(SQL["insert_key"], account_id, member_id, ring.primary_seal, rows.wrapped)
                    await insert_address(connection, ring, member_id, parsed)
                    await record_given(connection, account_id, member_id, consent)
            except asyncpg.UniqueViolationError:
                raise AddressTaken("Another member has this address") from None
        return await self.get(account_id, member_id)

    async def get(self, account_id: UUID, member_id: UUID) -> Member:
        """Return one member; raise NotFound, or Tampered if what is stored is not what we stored."""
        row = await self._row(account_id, member_id)
        ring = await ring_for(self._rings, account_id, {row["ring_version"]})
        return _member(row, open_row(ring, row), await load_definitions(self._pool, account_id))

    async def require(self, account_id: UUID, member_id: UUID) -> None:
        """Raise NotFound unless there is such a member, one that can't be opened included."""
        await self._row(account_id, member_id)

    async def by_address(self, account_id: UUID, address: str) -> Member:
        """Return the member with this address; raise NotFound or BadAddress."""
        member_id = await self._vault.find(account_id, address)
        if member_id is None:
            raise NotFound("No member has this address")
        return await self.get(account_id, member_id)

    async def many(self, account_id: UUID, member_ids: Sequence[UUID]) -> Sequence[Member]:
        """Return these members, oldest first; those that are gone or can't be opened are left out."""
        return await self._opened(account_id, await self._pool.fetch(SQL["many"], account_id, member_ids))

    async def list(
        self,
        account_id: UUID,
        *,
        after: UUID | None = None,
        limit: int = 100,
        status: Status | None = None,
        path: str | None = None,
    ) -> Page[Member]:
        """Return up to `limit` (≤ 500) members by id after the cursor. `path`: a compiled rule (Audience.path).

        A member that can't be opened is counted and left out.
        """
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._pool.fetch(SQL["list"], account_id, after, limit + 1, status, path)
        items = await self._opened(account_id, rows[:limit])
        return Page(list(items), rows[limit - 1]["member_id"] if len(rows) > limit else None)

    @unless_overtaken
    async def change(
        self,
        account_id: UUID,
        member_id: UUID,
        revision: int,
        *,
        address: str | None = None,
        values: Mapping[str, object] | None = None,
        groups: Sequence[UUID] | None = None,
        consent: Consent | None = None,
        withdrawn_by: str | None = None,
    ) -> Member:
        """Change what is given; a value of None removes that value.

        `consent` makes the member active; `withdrawn_by` (a source) ends it and suppresses the address. Raises
        NotFound, StaleRevision, BadAddress, InvalidInput, AddressTaken, Suppressed.
        """
        checked_consent(consent)
        if consent is not None and withdrawn_by is not None:
            raise InvalidInput("Consent can't be given and withdrawn at once")
        row = await self._row(account_id, member_id)
        if row["revision"] != revision:
            raise StaleRevision("The member was changed in the meantime")
        ring = await ring_for(self._rings, account_id, {row["ring_version"]})
        old = open_row(ring, row)
        parsed = parse(old.address if address is None else address)
        definitions = await load_definitions(self._pool, account_id)
        merged = merged_values(old.values, values or {}, definitions)
        group_ids = groups_of(row["facets"]) if groups is None else tuple(dict.fromkeys(groups))
        status: Status = "active" if consent else "unsubscribed" if withdrawn_by is not None else row["status"]
        suppression_hash = ring.suppression.digest(parsed.key)
        moved = suppression_hash != row["suppression_hash"]
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await hold_keys(connection, ring)
                    await check_groups(connection, account_id, groups or ())
                    await mark_used(connection, account_id, definitions, merged.keys() & definitions.keys())
                    if moved or consent is not None:
                        await lift_or_refuse(connection, account_id, suppression_hash, consent)
                    changed = await connection.fetchrow(
                        SQL["change"],
                        account_id,
                        member_id,
                        revision,
                        self._reseal(ring, row, Profile(parsed.mailbox, merged)),
                        make_facets(merged, definitions, ring, group_ids),
                        status,
                        ring.tag(parsed.domain),
                        suppression_hash,
                        row["generation"],
                    )
                    if changed is None:
                        raise Overtaken("The member was changed or re-sealed in the meantime")
                    if moved:
                        await connection.execute(SQL["remove_address"], account_id, member_id)
                        await insert_address(connection, ring, member_id, parsed)
                    await record_given(connection, account_id, member_id, consent)
                    if withdrawn_by is not None:
                        await record_withdrawn(connection, account_id, member_id, withdrawn_by, suppression_hash)
            except asyncpg.UniqueViolationError:
                raise AddressTaken("Another member has this address") from None
        return await self.get(account_id, member_id)

    async def tag(self, account_id: UUID, member_id: UUID, *, add: Sequence[str], remove: Sequence[str]) -> Member:
        """Add and remove tags, whoever else changes the member meanwhile; raise NotFound or InvalidInput."""
        for _ in range(_TRIES):
            old = await self.get(account_id, member_id)
            tags = old.values.get(TAGS, [])
            kept = [tag for tag in tags if tag not in remove] if isinstance(tags, list) else []
            try:
                return await self.change(account_id, member_id, old.revision, values={TAGS: [*kept, *add]})
            except StaleRevision:
                continue
        raise StaleRevision("Others kept changing the member")

    async def erase(self, account_id: UUID, member_id: UUID) -> None:
        """Erase a member for good: key, row and indexes go, the suppression hash stays. Raises NotFound."""
        async with self._pool.acquire() as connection, connection.transaction():
            suppression_hash = await connection.fetchval(SQL["erase_member"], account_id, member_id)
            if suppression_hash is None:
                raise NotFound("No such member")
            await connection.execute(SQL["remove_address"], account_id, member_id)
            await connection.execute(SQL["erase_key"], account_id, member_id)
            await suppress(connection, account_id, suppression_hash, "erased")

    async def consents(self, account_id: UUID, member_id: UUID) -> Sequence[ConsentRecord]:
        """Return the member's consent ledger, oldest first. It outlives an erasure."""
        rows = await self._pool.fetch(SQL["consents"], account_id, member_id)
        return [ConsentRecord(**row) for row in rows]

    async def _row(self, account_id: UUID, member_id: UUID) -> asyncpg.Record:
        row = await self._pool.fetchrow(SQL["get"], account_id, member_id)
        if row is None:
            raise NotFound("No such member")
        return row

    async def _opened(self, account_id: UUID, rows: Sequence[asyncpg.Record]) -> Sequence[Member]:
        ring = await ring_for(self._rings, account_id, {row["ring_version"] for row in rows})
        definitions = await load_definitions(self._pool, account_id)
        opened = []
        for row in rows:
            try:
                opened.append(_member(row, open_row(ring, row), definitions))
            except Tampered:
                UNREADABLE.inc()
        return opened

    def _reseal(self, ring: Ring, row: asyncpg.Record, profile: Profile) -> bytes:
        account, member, version = ring.account_id.bytes, row["member_id"].bytes, row["ring_version"]
        key = unwrap_member_key(
            ring.sealing[version], row["wrapped"], ring_version=version, account_id=account, member_id=member
        )
        nonce = self._random(NONCE_BYTES)
        return seal(profile, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce)


def _member(row: asyncpg.Record, profile: Profile, definitions: Definitions) -> Member:
    return Member(
        member_id=row["member_id"],
        address=profile.address,
        status=row["status"],
        revision=row["revision"],
        values={definitions[key].name: value for key, value in profile.values.items() if key in definitions},
        groups=groups_of(row["facets"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
