"""Rows against the members that are there: look, decide, write. Imports and the API's bulk call both go this way.

Looking and writing are statements over the whole batch; deciding is CPU alone and gives way to the event loop all the
time, so that Postgres is fed with the batch before while this one is sealed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TypeAlias
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
from members.imports.decision import Changed, Decision
from members.imports.facet_fields import FacetFields
from members.imports.joining import find_barred
from members.imports.new_members import NewMembers
from members.imports.options import Mode
from members.imports.presumption import SAMPLED
from members.imports.standing import Standing, find_standing, mark, presume_new
from members.imports.suppressed import find_suppressed
from members.imports.turns import SLICE, SLICE_OF_KNOWN, give_way
from members.keyring import HashColumns, KeyRings, Ring
from members.opener import Opener
from members.profile import Profile, Value, load, same_values, seal, unwrap_member_key
from members.scopes import ALL, topic_scope
from members.sealer import RANDOM_BYTES
from members.sealing import NONCE_BYTES
from members.values import defaults
from members.vault import UNREADABLE

SQL = sql.load(__package__ or "", "merge.sql")


class Moved(Conflict):
    """Someone else created or changed a member between looking and writing: look again."""

    code = "moved"


RACES = (Moved, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
"""What `write` raises where someone else was faster with a member: look and decide again."""

Refusal: TypeAlias = tuple[str, str, str]
"""Why a row is not taken: a sentence, a code, a JSON pointer."""

_TWICE = ("The address stands in an earlier line too", "duplicate", "/email")
_SUPPRESSED = ("The address is suppressed: it is not taken up again", "suppressed", "/email")
_UNKNOWN = ("No member has this address, and the mode is update", "not-found", "/email")
_UNREADABLE = ("The member's stored profile can't be opened", "unreadable", "")


@dataclass(frozen=True)
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

    @cached_property
    def required(self) -> frozenset[str]:
        """The attributes that every member must have."""
        return frozenset(key for key, attribute in self.definitions.items() if attribute.required)

    @cached_property
    def defaults(self) -> dict[str, Value]:
        """What a new member has, by key, of the attributes that its row says nothing of."""
        return defaults(self.definitions)

    @cached_property
    def facet_fields(self) -> FacetFields:
        """What makes the facets of new members."""
        return FacetFields(self.ring, self.definitions, self.groups, self.topics)

    async def look(self, pool: asyncpg.Pool, rows: Sequence[Row], *, presumed: bool = False) -> Standing:
        """Find which addresses are members or suppressed, and which this file has brought already.

        `presumed`: none is, so only a sample of them is looked up. Not where a row lacks what only a member that is
        there may lack.
        """
        if presumed and self._complete(rows) and not await self._found_any(pool, rows[SAMPLED - 1 :: SAMPLED]):
            return await presume_new(self.ring, rows)
        standing = await find_standing(pool, self.rings, self.ring, rows, self.import_id, dry_run=self.dry_run)
        if not standing.existing or self.mode == "add":
            return standing
        barred = await find_barred(pool, self.ring.account_id, rows, standing.existing, self.topics)
        return standing._replace(barred=barred)

    def _complete(self, rows: Sequence[Row]) -> bool:
        needed = self.required - self.defaults.keys()
        return not needed or all(needed <= row.values.keys() for row in rows)

    async def _found_any(self, pool: asyncpg.Pool, rows: Sequence[Row]) -> bool:
        found = await self.look(pool, rows) if rows else None
        return found is not None and bool(found.existing or found.suppressed)

    async def decide(self, rows: Sequence[Row], standing: Standing, before: Collection[AbstractSet[bytes]]) -> Decision:
        """Decide each row's fate and seal what is new.

        `before`: for each batch that is not committed yet the keys that it takes.
        """
        decision = Decision(NewMembers(self.ring, self.import_id))
        opener, new_ids = self.ring.opener(), iter(self.new_ids(len(rows)))
        keys = [row.address.key for row in rows]
        own = set(keys)
        ahead = frozenset[bytes]().union(*(taken & own for taken in before))
        size = SLICE_OF_KNOWN if standing.existing else SLICE
        # Presumed new, and none of them twice: nothing is left to be judged.
        if all_new := standing.presumed and not ahead and len(own) == len(keys):
            decision.taken = own
        for start in range(0, len(rows), size):
            places = range(start, min(start + size, len(rows)))
            new = places if all_new else self._judge(places, rows, keys, standing, ahead, opener, decision)
            if new:
                hashes = standing.hashes.at(new)
                self._add(decision, [rows[place] for place in new], hashes, list(islice(new_ids, len(new))))
            await give_way()
        if standing.presumed:
            decision.presumed = rows, standing.hashes.suppression
        return decision

    def _judge(
        self,
        places: Iterable[int],
        rows: Sequence[Row],
        keys: Sequence[bytes],
        standing: Standing,
        ahead: Collection[bytes],
        opener: Opener,
        decision: Decision,
    ) -> list[int]:
        """Decide the fate of the rows at these places; return the places of those that become new members."""
        required, default, taken = self.required, self.defaults.keys(), decision.taken
        existing, new = standing.existing, []
        for place in places:
            key = keys[place]
            refusal: Refusal | None = None
            if key in taken or key in ahead or place in standing.seen:
                refusal = _TWICE
            elif place in existing:
                refusal = self._update(rows[place], existing[place], decision, opener, standing.barred)
            elif place in standing.suppressed:
                refusal = _SUPPRESSED
            elif self.mode == "update":
                refusal = _UNKNOWN
            elif required and not required <= default | rows[place].values.keys():
                refusal = self._missing(required - default - rows[place].values.keys())
            else:
                new.append(place)
            if refusal is not None:
                decision.rejects.append(Reject(rows[place].record, *refusal))
                continue
            if self.dry_run:
                decision.met.append(mark(standing.hashes.suppression[place]))
            taken.add(key)
        return new

    def _add(self, decision: Decision, rows: Sequence[Row], hashes: HashColumns, ids: Sequence[UUID]) -> None:
        """Seal rows as new members."""
        default = self.defaults
        values = [default | row.values if default else row.values for row in rows]
        facets = [self.facet_fields.of(own, row.topics) for own, row in zip(values, rows, strict=True)]
        addresses, random = [row.address for row in rows], self.random(RANDOM_BYTES * len(rows))
        decision.new.add(ids, addresses, hashes, values, facets, random)
        decision.names.update(*values)
        for member_id, row in zip(ids, rows, strict=True):
            if row.topics:
                decision.joined += [(member_id, topic) for topic in row.topics - self.topics]

    def _update(
        self,
        row: Row,
        existing: asyncpg.Record,
        decision: Decision,
        opener: Opener,
        barred: Mapping[UUID, frozenset[UUID]],
    ) -> Refusal | None:
        """Merge a row into a member, whose status and address stay; return why it can't be, or None.

        `barred`: by member the topics that must not be joined by a file.
        """
        member_id, required = existing["member_id"], self.required
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
        joining = (self.topics | row.topics).difference(topics) - barred.get(member_id, frozenset())
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

    def _missing(self, keys: Collection[str]) -> Refusal:
        name = min(self.definitions[key].name for key in keys)
        return f"{name}: A value is required", "required", f"/attributes/{name}"

    async def write(self, connection: Lent, decision: Decision) -> None:
        """Write what was decided, in the caller's transaction.

        Raises Moved if a member was changed meanwhile, UniqueViolationError if one was created meanwhile, Overtaken if
        keys or attributes were changed; where all rows were presumed new, the former two if one of them isn't.
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
        # With the addresses in hand: nobody has them any more, so who ever had one and was erased is suppressed by now.
        if decision.presumed and await find_suppressed(connection, self.rings, self.ring, *decision.presumed):
            raise Moved

    async def record(self, connection: Lent, decision: Decision) -> None:
        """Record the new members' consents and those to topics, after `write`.

        From then on nobody else adds to the account's ledger.
        """
        said = (self.consent_source, self.consent_at, self.form_version, self.confirmed_at)
        if decision.new:
            scopes = [ALL, *map(topic_scope, self.topics)]
            await decision.new.record(connection, scopes, *said)
        if decision.joined:
            members = [member_id for member_id, _ in decision.joined]
            scopes = [topic_scope(topic_id) for _, topic_id in decision.joined]
            await connection.execute(SQL["record_joining"], self.ring.account_id, members, scopes, *said)
