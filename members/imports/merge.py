"""One batch of rows against the members that are there: look, decide, write.

Looking and writing are statements over the whole batch; deciding is CPU alone and gives way to the event loop all the
time, so that Postgres is fed with the batch before while this one is sealed.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import orjson

from core import sql
from core.errors import Conflict, Superseded, Tampered
from members.attribute import Definitions
from members.attributes import mark_used
from members.connection import Lent
from members.facets import groups_of, make_facets
from members.fence import hold_keys
from members.imports.columns import Reject, Row
from members.imports.options import Mode
from members.keyring import AddressHashes, Ring
from members.member import RANDOM_BYTES, NewRows, new_rows
from members.profile import Profile, same_values, seal, unseal, unwrap_member_key
from members.sealing import NONCE_BYTES
from members.values import defaults
from members.vault import UNREADABLE

SQL = sql.load(__package__ or "", "merge.sql")

_SLICE = 64
"""Rows between two turns of the event loop: about a millisecond."""


class Changed(NamedTuple):
    """A member that the file changes, as it shall be."""

    member_id: UUID
    revision: int
    generation: int
    sealed: bytes
    facets: str


@dataclass(slots=True, repr=False)
class Decision:
    """What a batch comes to. `taken`: the address keys of the rows that were not refused."""

    new: list[NewRows] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    met: list[UUID] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    taken: set[bytes] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unchanged: int = 0


class Standing(NamedTuple):
    """A batch's hashes, and what the vault holds of it: members and suppressions by the row's place in the batch."""

    hashes: list[AddressHashes]
    existing: dict[int, asyncpg.Record]
    suppressed: frozenset[int]


class Moved(Conflict):
    """Someone else created or changed a member between looking and writing: look again."""

    code = "moved"


@dataclass(frozen=True, slots=True)
class Merge:
    """The merging of one import, with all that stays the same from batch to batch."""

    import_id: UUID
    ring: Ring
    definitions: Definitions
    mode: Mode
    groups: frozenset[UUID]
    consent_source: str
    consent_at: datetime | None
    new_id: Callable[[], UUID]
    required: frozenset[str]
    random: Callable[[int], bytes]
    used: set[str] = field(default_factory=set)

    async def look(self, pool: asyncpg.Pool, rows: Sequence[Row]) -> Standing:
        """Find which addresses are members or suppressed."""
        account_id = self.ring.account_id
        places: list[int] = []
        versions: list[int] = []
        digests: list[bytes] = []
        hashes: list[AddressHashes] = []
        for place, row in enumerate(rows):
            hashed = self.ring.hashes(row.address.key)
            hashes.append(hashed)
            for version, digest in hashed.lookup:
                places.append(place)
                versions.append(version)
                digests.append(digest)
            if not place % _SLICE:
                await asyncio.sleep(0)
        found = await pool.fetch(SQL["existing"], account_id, places, versions, digests, self.import_id)
        suppressed = await pool.fetch(SQL["suppressed"], account_id, [hashed.suppression for hashed in hashes])
        return Standing(hashes, {row["ord"]: row for row in found}, frozenset(row["ord"] for row in suppressed))

    async def decide(self, rows: Sequence[Row], standing: Standing, before: Collection[bytes]) -> Decision:
        """Decide each row's fate and seal what is new. `before`: keys taken by a batch that is not committed yet."""
        decision = Decision()
        random = memoryview(self.random(RANDOM_BYTES * len(rows)))
        missing = defaults(self.definitions)
        for place, row in enumerate(rows):
            if not place % _SLICE:
                await asyncio.sleep(0)
            existing = standing.existing.get(place)
            reason = self._refusal(row, existing, place in standing.suppressed, before, decision.taken)
            if reason is not None:
                decision.rejects.append(Reject(row.record, reason))
                continue
            if existing is None:
                start = place * RANDOM_BYTES
                values = missing | row.values
                facets = make_facets(values, self.definitions, self.ring, self.groups)
                mine = bytes(random[start : start + RANDOM_BYTES])
                hashes = standing.hashes[place]
                decision.new.append(new_rows(self.ring, self.new_id(), row.address, hashes, values, facets, mine))
                decision.names.update(values)
            elif not self._update(row, existing, decision):
                decision.rejects.append(Reject(row.record, "The member's stored profile can't be opened"))
                continue
            decision.taken.add(row.address.key)
        return decision

    def _refusal(
        self,
        row: Row,
        existing: asyncpg.Record | None,
        suppressed: bool,
        before: Collection[bytes],
        taken: Collection[bytes],
    ) -> str | None:
        key = row.address.key
        if key in taken or key in before:
            return "The address stands in an earlier line too"
        if existing is not None:
            met = existing["seen"] or existing["import_id"] == self.import_id
            return "The address stands in an earlier line too" if met else None
        if suppressed:
            return "The address is suppressed: it is not taken up again"
        if self.mode == "update":
            return "No member has this address, and the mode is update"
        missing = self.required - row.values.keys()
        return f"{min(self.definitions[key].name for key in missing)}: A value is required" if missing else None

    def _update(self, row: Row, existing: asyncpg.Record, decision: Decision) -> bool:
        """Merge a row into a member; its status and address stay. Return False if the member can't be opened."""
        decision_of = existing["member_id"]
        account, member = self.ring.account_id.bytes, decision_of.bytes
        version = existing["ring_version"]
        try:
            cipher = self.ring.sealing[version]
            key = unwrap_member_key(
                cipher, existing["wrapped"], ring_version=version, account_id=account, member_id=member
            )
            address, old = unseal(existing["sealed"], key=key, account_id=account, member_id=member)
        except (Tampered, KeyError):
            UNREADABLE.inc()
            return False
        decision.met.append(decision_of)
        values = old | row.values
        groups = groups_of(existing["facets"])
        if self.mode == "add" or (same_values(values, old) and self.groups <= set(groups)):
            decision.unchanged += 1
            return True
        facets = make_facets(values, self.definitions, self.ring, self.groups.union(groups))
        sealed = seal(
            Profile(address, values),
            key=key,
            ring_version=version,
            account_id=account,
            member_id=member,
            nonce=self.random(NONCE_BYTES),
        )
        revision, generation = existing["revision"], existing["generation"]
        decision.changed.append(Changed(decision_of, revision, generation, sealed, orjson.dumps(facets).decode()))
        decision.names.update(row.values)
        return True

    async def write(
        self, connection: Lent, decision: Decision, rows_done: int, rows: int, rejects: bytes, rejected: int
    ) -> None:
        """Write a batch in the caller's transaction, from `rows_done` on by `rows`.

        `rejects`: its sealed block of the reject file, or empty. Raises Superseded if the import was moved on by
        another worker, Moved if a member was changed meanwhile, UniqueViolationError if one was created meanwhile,
        Overtaken if keys or attributes were changed.
        """
        account_id, new = self.ring.account_id, decision.new
        now = await connection.fetchval(
            SQL["advance"],
            self.import_id,
            rows_done,
            rows,
            len(new),
            len(decision.changed),
            decision.unchanged,
            rejected,
        )
        if now is None:
            raise Superseded("Another worker moved this import on")
        # Also where nothing is sealed: what old keys decided, such as that a member can't be opened, may be wrong.
        await hold_keys(connection, self.ring)
        await self._mark_used(connection, decision.names)
        if rejects:
            await connection.execute(SQL["add_rejects"], self.import_id, rows_done + 1, rejects)
        if decision.met:
            await connection.execute(SQL["see"], self.import_id, decision.met)
        if decision.changed:
            columns = [list(column) for column in zip(*decision.changed, strict=True)]
            status = await connection.execute(SQL["update_members"], account_id, *columns, now)
            if status != f"UPDATE {len(decision.changed)}":
                raise Moved
        if new:
            await self._insert(connection, new, now)

    async def _insert(self, connection: Lent, new: list[NewRows], now: datetime) -> None:
        hashed = [(row.member_id, version, digest) for row in new for version, digest in row.hashes.lookup]
        await connection.execute(
            SQL["insert_new"],
            self.ring.account_id,
            self.import_id,
            now,
            self.consent_source,
            self.consent_at or now,
            [row.member_id for row in new],
            [row.sealed for row in new],
            [orjson.dumps(row.facets).decode() for row in new],
            [row.tag for row in new],
            [row.hashes.suppression for row in new],
            [row.wrapped for row in new],
            *(list(column) for column in zip(*hashed, strict=True)),
            self.ring.primary_seal,
            self.ring.generation,
        )

    async def _mark_used(self, connection: Lent, names: set[str]) -> None:
        fresh = names - self.used
        if fresh:
            await mark_used(connection, self.ring.account_id, self.definitions, fresh)
