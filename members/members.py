"""The store of members: create, read, change, erase. Each call commits whole or leaves no trace.

A member is mailed only while `active`, and becomes active only with a consent record: source and time.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import asyncpg

from core import sql
from core.errors import InvalidInput, NotFound, StaleRevision
from members.addresses import parse
from members.attributes import load_definitions, mark_used
from members.built_in import TAGS
from members.consents import evidence, ledger
from members.errors import AddressTaken, Overtaken
from members.facets import groups_of, make_facets, topics_of
from members.fence import hold_keys, unless_overtaken
from members.global_suppressions import refuse_everywhere
from members.groups import check_groups
from members.keyring import KeyRings, Ring
from members.member import Consent, ConsentRecord, Member, new_rows, read_member
from members.profile import Profile, seal
from members.sealer import RANDOM_BYTES
from members.sealing import KEY_BYTES, NONCE_BYTES
from members.status import Status, after_change, present
from members.topics import check_joining, check_topics
from members.vault import Vault, open_key, open_row, ring_for
from members.writing import checked_values, insert_address, lift_or_refuse, merged_values, suppress

SQL = sql.load(__package__ or "", "members.sql")

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
        topics: Sequence[UUID] = (),
    ) -> Member:
        """Add a member: `active` with a consent, else `pending`. Topics are joined by that consent.

        Raises BadAddress, InvalidInput (every wrong value), AddressTaken, Suppressed unless the address only
        unsubscribed or was erased and the consent is newer than that.
        """
        parsed = parse(address)
        ring = await self._rings.ring(account_id)
        definitions = await load_definitions(self._pool, account_id)
        checked = checked_values(values or {}, definitions)
        ledger.check(consent)
        joined = frozenset(topics)
        check_joining(joined, consent)
        member_id = self._new_id()
        facets = make_facets(checked, definitions, ring, tuple(dict.fromkeys(groups)), joined)
        hashes = ring.hashes(parsed.key)
        random = self._random(RANDOM_BYTES)
        rows = new_rows(ring, member_id, parsed, hashes, checked, facets, random)
        proof = ledger.prove(consent, account_id, member_id, random[:KEY_BYTES], self._random)
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await hold_keys(connection, ring)
                    await check_groups(connection, account_id, groups)
                    await check_topics(connection, account_id, topics, "/topics")
                    await mark_used(connection, account_id, definitions, checked)
                    await refuse_everywhere(connection, self._rings, parsed.key)
                    await lift_or_refuse(connection, account_id, hashes.suppression, rows.tag, consent, joined)
                    status: Status = "active" if consent else "pending"
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
                    await ledger.record(connection, account_id, member_id, ledger.given(consent, joined), proof)
            except asyncpg.UniqueViolationError:
                raise AddressTaken("Another member has this address") from None
        return await self.get(account_id, member_id)

    async def get(self, account_id: UUID, member_id: UUID) -> Member:
        """Return one member; raise NotFound, or Tampered if what is stored is not what we stored."""
        row = await self._row(account_id, member_id)
        ring = await ring_for(self._rings, account_id, {row["ring_version"]})
        return read_member(row, open_row(ring, row), await load_definitions(self._pool, account_id))

    async def require(self, account_id: UUID, member_id: UUID) -> None:
        """Raise NotFound unless there is such a member, one that can't be opened included."""
        await self._row(account_id, member_id)

    async def by_address(self, account_id: UUID, address: str) -> Member:
        """Return the member with this address; raise NotFound or BadAddress."""
        member_id = await self._vault.find(account_id, address)
        if member_id is None:
            raise NotFound("No member has this address")
        return await self.get(account_id, member_id)

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
        topics: Sequence[UUID] | None = None,
        consent: Consent | None = None,
        withdrawn_by: str | None = None,
        ended_at: Mapping[str, datetime] = MappingProxyType({}),
        pause_until: datetime | None = None,
        resume: bool = False,
    ) -> Member:
        """Change what is given; a value of None removes that value.

        `consent` makes the member active, and is needed to join a topic; `withdrawn_by` (a source) ends it and
        suppresses the address; leaving a topic ends the consent to that one. `ended_at`: by scope, since when a stop
        in the main database has had it so. `pause_until` and `resume`: status.py.
        Raises NotFound, StaleRevision, BadAddress, InvalidInput, AddressTaken, Suppressed, StatusForbids.
        """
        ledger.check(consent)
        if sum((consent is not None, withdrawn_by is not None, pause_until is not None, resume)) > 1:
            raise InvalidInput("Consent, withdrawal, pause and its end are one change each")
        row = await self._row(account_id, member_id)
        if row["revision"] != revision:
            raise StaleRevision("The member was changed in the meantime")
        ring = await ring_for(self._rings, account_id, {row["ring_version"]})
        old = open_row(ring, row)
        parsed = parse(old.address if address is None else address)
        definitions = await load_definitions(self._pool, account_id)
        merged = merged_values(old.values, values or {}, definitions)
        group_ids = groups_of(row["facets"]) if groups is None else tuple(dict.fromkeys(groups))
        topics_before = frozenset(topics_of(row["facets"]))
        topics_after = topics_before if topics is None else frozenset(topics)
        joined, left = topics_after - topics_before, topics_before - topics_after
        check_joining(joined, consent)
        suppression_hash, tag = ring.suppression.digest(parsed.key), ring.tag(parsed.domain)
        elsewhere = suppression_hash != row["suppression_hash"]
        status = after_change(
            present(row["status"], row["paused_until"], row["now"]),
            consents=consent is not None,
            withdraws=withdrawn_by is not None,
            pause_until=pause_until,
            resumes=resume,
            moves=elsewhere,
            stands=elsewhere and bool(await ledger.stands(self._pool, account_id, [member_id])),
            now=row["now"],
        )
        key = open_key(ring, row)
        entries = ledger.given(consent, joined) + ledger.withdrawn(withdrawn_by, left, ended_at)
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await hold_keys(connection, ring)
                    await check_groups(connection, account_id, groups or ())
                    await check_topics(connection, account_id, topics or (), "/topics")
                    await mark_used(connection, account_id, definitions, merged.keys() & definitions.keys())
                    if elsewhere:
                        await refuse_everywhere(connection, self._rings, parsed.key)
                    if elsewhere or consent is not None:
                        await lift_or_refuse(connection, account_id, suppression_hash, tag, consent, joined)
                    changed = await connection.fetchrow(
                        SQL["change"],
                        account_id,
                        member_id,
                        revision,
                        self._reseal(ring, member_id, row["ring_version"], key, Profile(parsed.mailbox, merged)),
                        make_facets(merged, definitions, ring, group_ids, topics_after),
                        status,
                        tag,
                        suppression_hash,
                        row["generation"],
                        (pause_until or row["paused_until"]) if status == "paused" else None,
                    )
                    if changed is None:
                        raise Overtaken("The member was changed or re-sealed in the meantime")
                    if elsewhere:
                        await connection.execute(SQL["remove_address"], account_id, member_id)
                        await insert_address(connection, ring, member_id, parsed)
                    proof = ledger.prove(consent, account_id, member_id, key, self._random)
                    ended = [entry.scope for entry in entries if entry.kind == "withdrawn"]
                    await suppress(connection, account_id, suppression_hash, "unsubscribed", ended, ended_at)
                    # Last: from here on the account's chain is held.
                    await ledger.record(connection, account_id, member_id, entries, proof)
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
        """Erase a member for good: key, row, indexes and evidence go, the suppression hash stays. Raises NotFound.

        The id stays too, so that nobody writes the member back (members/status.py).
        """
        async with self._pool.acquire() as connection, connection.transaction():
            suppression_hash = await connection.fetchval(SQL["erase_member"], account_id, member_id)
            if suppression_hash is None:
                raise NotFound("No such member")
            await connection.execute(SQL["remove_address"], account_id, member_id)
            await connection.execute(SQL["erase_key"], account_id, member_id)
            await evidence.forget(connection, account_id, member_id)
            await connection.execute(SQL["bury"], account_id, member_id)
            await suppress(connection, account_id, suppression_hash, "erased")

    async def consents(self, account_id: UUID, member_id: UUID) -> Sequence[ConsentRecord]:
        """Return the member's consent ledger, oldest first. It outlives an erasure; its origins don't."""
        row = await self._pool.fetchrow(SQL["get"], account_id, member_id)
        key = None
        if row is not None:
            key = open_key(await ring_for(self._rings, account_id, {row["ring_version"]}), row)
        return await ledger.records_of(self._pool, account_id, member_id, key)

    async def _row(self, account_id: UUID, member_id: UUID) -> asyncpg.Record:
        row = await self._pool.fetchrow(SQL["get"], account_id, member_id)
        if row is None:
            raise NotFound("No such member")
        return row

    def _reseal(self, ring: Ring, member_id: UUID, version: int, key: bytes, profile: Profile) -> bytes:
        account, nonce = ring.account_id.bytes, self._random(NONCE_BYTES)
        return seal(profile, key=key, ring_version=version, account_id=account, member_id=member_id.bytes, nonce=nonce)
