"""Rows against the members that are there: look, decide, write. Imports and the API's bulk call both go this way.

Looking and writing are statements over the whole batch; deciding is CPU alone and gives way to the event loop all the
time, so that Postgres is fed with the batch before while this one is sealed.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from core import sql
from core.errors import Conflict, Tampered
from members.attribute import Definitions
from members.attributes import mark_used
from members.connection import Lent
from members.facets import groups_of, make_facets, topics_of
from members.fence import hold_keys
from members.imports.columns import Reject, Row
from members.imports.decision import Changed, Decision, Standing
from members.imports.joining import find_barred
from members.imports.new_members import NewMembers
from members.imports.options import Mode
from members.imports.suppressed import find_suppressed
from members.keyring import AddressHashes, KeyRings, Ring
from members.opener import Opener
from members.profile import Profile, Value, load, same_values, seal, unwrap_member_key
from members.scopes import ALL, topic_scope
from members.sealer import RANDOM_BYTES
from members.sealing import NONCE_BYTES
from members.values import defaults
from members.vault import UNREADABLE

SQL = sql.load(__package__ or "", "merge.sql")

_SLICE = 128
"""Rows between two turns of the event loop: some milliseconds."""


class Moved(Conflict):
    """Someone else created or changed a member between looking and writing: look again."""

    code = "moved"


RACES = (Moved, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)
"""What `write` raises where someone else was faster with a member: look and decide again."""

_TWICE = ("The address stands in an earlier line too", "duplicate", "/email")
_SUPPRESSED = ("The address is suppressed: it is not taken up again", "suppressed", "/email")
_UNKNOWN = ("No member has this address, and the mode is update", "not-found", "/email")
_UNREADABLE = ("The member's stored profile can't be opened", "unreadable", "")


@dataclass(frozen=True, slots=True)
class Merge:
    """The merging of rows, with all that stays the same from batch to batch.

    `import_id`: the file that the rows come from, if they come from one. `dry_run`: nothing will be written but that
    file's own counters, so what its earlier batches would have made has to be remembered.
    """

    rings: KeyRings
    ring: Ring
    definitions: Definitions
    mode: Mode
    groups: frozenset[UUID]
    consent_source: str
    consent_at: datetime | None
    new_ids: Callable[[int], Sequence[UUID]]
    random: Callable[[int], bytes]
    topics: frozenset[UUID] = frozenset()
    form_version: str | None = None
    confirmed_at: datetime | None = None
    import_id: UUID | None = None
    dry_run: bool = False
    used: set[str] = field(default_factory=set)

    @property
    def required(self) -> frozenset[str]:
        """The attributes that every member must have."""
        return frozenset(key for key, attribute in self.definitions.items() if attribute.required)

    async def look(self, pool: asyncpg.Pool, rows: Sequence[Row]) -> Standing:
        """Find which addresses are members or suppressed, and which this file has brought already."""
        account_id = self.ring.account_id
        hashes: list[AddressHashes] = []
        for place, row in enumerate(rows):
            hashes.append(self.ring.hashes(row.address.key))
            if not place % _SLICE:
                await asyncio.sleep(0)
        found: list[asyncpg.Record] = []
        for number, version in enumerate(self.ring.addresses):
            digests = [hashed.lookup[number][1] for hashed in hashes]
            found += await pool.fetch(SQL["existing"], account_id, version, digests, self.import_id)
        suppressed = await find_suppressed(pool, self.rings, self.ring, rows, hashes)
        if self.dry_run:
            seen = await pool.fetch(SQL["marked"], self.import_id, [_mark(hashed) for hashed in hashes])
        else:
            seen = [row for row in found if row["seen"] or (self.import_id and row["import_id"] == self.import_id)]
        return Standing(
            hashes,
            {row["ord"]: row for row in found},
            suppressed,
            frozenset(row["ord"] for row in seen),
            await find_barred(pool, account_id, self._wanted(rows, found)),
        )

    def _wanted(self, rows: Sequence[Row], found: Sequence[asyncpg.Record]) -> Iterator[tuple[UUID, UUID]]:
        """Give out members and topics that they are not in and would join."""
        for one in found:
            topics = self.topics | rows[one["ord"]].topics
            if topics and self.mode != "add":
                yield from ((one["member_id"], topic) for topic in topics.difference(topics_of(one["facets"])))

    async def decide(self, rows: Sequence[Row], standing: Standing, before: Collection[bytes]) -> Decision:
        """Decide each row's fate and seal what is new. `before`: keys taken by a batch that is not committed yet."""
        decision = Decision(NewMembers(self.ring, self.import_id))
        required, default = self.required, defaults(self.definitions)
        random = self.random(RANDOM_BYTES * len(rows))
        opener, new_ids = self.ring.opener(), iter(self.new_ids(len(rows)))
        for place, row in enumerate(rows):
            if not place % _SLICE:
                await asyncio.sleep(0)
            key = row.address.key
            existing = standing.existing.get(place)
            refusal: tuple[str, str, str] | None = None
            if key in decision.taken or key in before or place in standing.seen:
                refusal = _TWICE
            elif existing is not None:
                barred = standing.barred.get(existing["member_id"], frozenset())
                refusal = self._update(row, existing, decision, required, opener, barred)
            elif place in standing.suppressed:
                refusal = _SUPPRESSED
            elif self.mode == "update":
                refusal = _UNKNOWN
            elif required and not required <= default.keys() | row.values.keys():
                refusal = self._missing(required - default.keys() - row.values.keys())
            else:
                values = default | row.values if default else row.values
                mine = random[place * RANDOM_BYTES : (place + 1) * RANDOM_BYTES]
                topics = self.topics | row.topics if row.topics else self.topics
                facets = make_facets(values, self.definitions, self.ring, self.groups, topics)
                member_id, hashes = next(new_ids), standing.hashes[place]
                decision.new.add(member_id, row.address, hashes, values, facets, mine)
                decision.joined += [(member_id, topic) for topic in topics - self.topics]
                decision.names.update(values)
            if refusal is not None:
                decision.rejects.append(Reject(row.record, *refusal))
                continue
            if self.dry_run:
                decision.met.append(_mark(standing.hashes[place]))
            decision.taken.add(key)
        return decision

    def _update(
        self,
        row: Row,
        existing: asyncpg.Record,
        decision: Decision,
        required: frozenset[str],
        opener: Opener,
        barred: frozenset[UUID],
    ) -> tuple[str, str, str] | None:
        """Merge a row into a member, whose status and address stay; return why it can't be, or None.

        `barred`: topics that the member must not join by a file.
        """
        member_id = existing["member_id"]
        try:
            content = opener.open_bytes(
                member_id.bytes, existing["sealed"], existing["ring_version"], existing["wrapped"]
            )
        except Tampered:
            UNREADABLE.inc()
            return _UNREADABLE
        address, old = load(content)
        values = self._merged(row, old)
        groups, topics = groups_of(existing["facets"]), topics_of(existing["facets"])
        joining = (self.topics | row.topics).difference(topics) - barred
        same = self.mode == "add" or (same_values(values, old) and self.groups <= set(groups) and not joining)
        if not same and (row.removed or self.mode == "replace") and not required <= values.keys():
            return self._missing(required - values.keys())
        if not self.dry_run:
            decision.met.append(member_id)
        if same:
            decision.unchanged += 1
            return None
        facets = make_facets(values, self.definitions, self.ring, self.groups.union(groups), joining.union(topics))
        decision.joined += [(member_id, topic) for topic in joining]
        account, member, version = self.ring.account_id.bytes, member_id.bytes, existing["ring_version"]
        key = unwrap_member_key(
            self.ring.sealing[version], existing["wrapped"], ring_version=version, account_id=account, member_id=member
        )
        sealed = seal(
            Profile(address, values),
            key=key,
            ring_version=version,
            account_id=account,
            member_id=member,
            nonce=self.random(NONCE_BYTES),
        )
        revision, generation = existing["revision"], existing["generation"]
        decision.changed.append(Changed(member_id, revision, generation, sealed, orjson.dumps(facets).decode()))
        decision.names.update(row.values)
        return None

    def _merged(self, row: Row, old: dict[str, Value]) -> dict[str, Value]:
        if self.mode == "replace":
            return row.values
        values = old | row.values
        for name in row.removed:
            values.pop(name, None)
        return values

    def _missing(self, keys: Collection[str]) -> tuple[str, str, str]:
        name = min(self.definitions[key].name for key in keys)
        return f"{name}: A value is required", "required", f"/attributes/{name}"

    async def write(self, connection: Lent, decision: Decision) -> None:
        """Write what was decided, in the caller's transaction.

        Raises Moved if a member was changed meanwhile, UniqueViolationError if one was created meanwhile,
        Overtaken if keys or attributes were changed.
        """
        account_id = self.ring.account_id
        # Also where nothing is sealed: what old keys decided, such as that a member can't be opened, may be wrong.
        await hold_keys(connection, self.ring)
        fresh = decision.names - self.used
        if fresh:
            await mark_used(connection, account_id, self.definitions, fresh)
        if decision.changed:
            columns = [list(column) for column in zip(*decision.changed, strict=True)]
            status = await connection.execute(SQL["update_members"], account_id, *columns)
            if status != f"UPDATE {len(decision.changed)}":
                raise Moved
        if decision.new:
            await decision.new.write(connection)

    async def record(self, connection: Lent, decision: Decision) -> None:
        """Record the new members' consents and those to topics, after `write`.

        From then on nobody else adds to the account's ledger.
        """
        said = (self.consent_source, self.consent_at, self.form_version, self.confirmed_at)
        if decision.new:
            scopes = [ALL, *map(topic_scope, self.topics)]
            await connection.execute(SQL["record_consents"], self.ring.account_id, decision.new.ids, scopes, *said)
        if decision.joined:
            members = [member_id for member_id, _ in decision.joined]
            scopes = [topic_scope(topic_id) for _, topic_id in decision.joined]
            await connection.execute(SQL["record_joining"], self.ring.account_id, members, scopes, *said)


def _mark(hashed: AddressHashes) -> UUID:
    return UUID(bytes=hashed.suppression[:16])
