"""Audiences: which members a campaign goes to, read out of the vault as ids and destination tags alone.

Sendable is who is `active` and not suppressed; the database says it in one place (`app.reach`). Everyone else who meets
the rules is counted by reason: `unsubscribed`, `pending`, `paused`, `bounced`, `complained`, `erased`, `manual`.

Rules that facets answer are one statement over all members; others are decided range by range
(members/audience_range.py).
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import Fault, InvalidInput
from members.attributes import load_definitions
from members.audience_range import AudienceRange, RangeDecider, Span, prepare, range_end
from members.connection import Connection, Lent
from members.engagement import Engagement, Sink
from members.keyring import KeyRings
from members.rules.hiding import hide_values, show_values
from members.rules.plan import Plan, plan
from members.rules.reading import Vocabulary, campaigns_in, read_rule
from members.rules.tree import Rule
from members.rules.writing import write_rule
from members.topics import KIND as TOPIC
from members.topics import topic_ids
from members.traits import NO_TRAITS, Traits, choose_traits
from members.wanted import check_wanted, read_wanted

SQL = sql.load(__package__ or "", "audience.sql")

SAMPLED = 20_000
"""Members among whom samples are looked for one by one: a few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Audience:
    """An audience of one account as it was resolved at a moment: whatever its segments become, it stays what it is.

    `rule` is JSON that names no segment, with the values of attributes hidden that are not open; None: all members.
    `topic`: what is written about, so that who is suppressed for it is left out. `traits`: what slices tell its members
    apart by.
    """

    rule: Mapping[str, Any] | None
    at: datetime
    topic: UUID | None = None
    traits: Traits = NO_TRAITS


@dataclass(frozen=True, slots=True)
class Count:
    """How many meet the rules, how many of them can be sent to, and why the others can't."""

    matching: int
    sendable: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SliceEnd:
    """What a slice came to: `rows` written, `last` the member to go on after (None: nothing is left), `left_out`."""

    rows: int
    last: UUID | None
    left_out: Mapping[str, int]


class AudienceSource:
    """Audiences of any account. Matchable and sealed attributes need the account's ring."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        engagement: Engagement,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._engagement = engagement
        self._random = random
        self._ranges = RangeDecider(rings, engagement)

    async def resolve(self, account_id: UUID, wanted: Mapping[str, Any]) -> Audience:
        """Read what a campaign asks for (members/wanted.py) as of now; raise InvalidInput with all faults."""
        check_wanted(wanted)
        known = await self.vocabulary(account_id, ())
        audience = await self._resolved(account_id, read_wanted(wanted, known), known)
        topic = wanted.get("topic")
        return audience if topic is None else replace(audience, topic=ids.decode(TOPIC, topic))

    async def traits(self, account_id: UUID, wanted: Mapping[str, Any], report_by: Mapping[str, Any] | None) -> Traits:
        """Return what a campaign to `wanted` is reported by, as of now; raise InvalidInput with all faults."""
        known = await self.vocabulary(account_id, ())
        groups = [row["group_id"] for row in await self._pool.fetch(SQL["groups"], account_id)]
        ring, now = await self._rings.ring(account_id), await self._pool.fetchval(SQL["now"])
        return choose_traits(known, ring, now, groups=groups, audience=wanted, report_by=report_by)

    async def of_rule(self, account_id: UUID, rule: object, pointer: str = "") -> Audience:
        """Read a rule's JSON as of now; raise InvalidInput with faults from `pointer` on."""
        known = await self.vocabulary(account_id, rule)
        return await self._resolved(account_id, read_rule(rule, known, pointer), known)

    async def vocabulary(self, account_id: UUID, rule: object, connection: "Connection | None" = None) -> Vocabulary:
        """Return what a rule of the account may name; of campaigns, those that `rule` or a segment does name."""
        source = connection or self._pool
        definitions = await load_definitions(source, account_id)
        ring = await self._rings.ring(account_id)
        stored = await source.fetch(SQL["segments"], account_id)
        segments = {row["segment_id"]: show_values(row["rule"], ring) for row in stored}
        groups = {row["group_id"] for row in await source.fetch(SQL["groups"], account_id)}
        topics = set(await topic_ids(source, account_id))
        named = campaigns_in([rule, *segments.values()])
        campaigns = await self._engagement.campaigns(account_id, named) if named else set()
        return Vocabulary(definitions, groups, topics, campaigns, segments)

    async def upper(self, account_id: UUID) -> UUID | None:
        """Return the newest member's id, where a snapshot ends; None if the account has no members."""
        found: UUID | None = await self._pool.fetchval(SQL["upper"], account_id)
        return found

    async def slice(
        self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID, limit: int, sink: Sink
    ) -> SliceEnd:
        """Write the next slice of members after `after` and up to `upper` to `sink`, by id.

        `sink` gets Postgres' binary COPY format (whole stream, header and trailer included) with rows
        (member_id uuid, tag bigint, key text), sendable members only; the key is null where the audience has no traits.
        A slice holds `limit` who meet the rules; where the rules ask more than facets, whoever meets them of the next
        `limit` members. All of it sees one snapshot.
        """
        async with self._reading() as connection:
            planned = await self._plan(connection, account_id, audience)
            if planned.sets:
                span = Span(account_id, after, await range_end(connection, account_id, after, upper, limit))
                await self._ranges.make_sets(connection, span, planned)
                found = await self._ranges.decide(connection, span, audience.topic, audience.traits, planned)
                count = count_of(await found.totals())
                await found.copy(sink)
                return SliceEnd(count.sendable, found.end if found.end < upper else None, count.left_out)
            rows = await connection.fetch(
                SQL["slice_end"], account_id, planned.path, after, upper, limit, audience.topic
            )
            count = count_of({row["reason"]: row["total"] for row in rows})
            last: UUID | None = rows[0]["last"] if rows else None
            end = upper if last is None else last
            await connection.copy_from_query(
                SQL["slice"],
                *(account_id, planned.path, after, end, audience.topic, *audience.traits.asked),
                output=sink,
                format="binary",
            )
        return SliceEnd(count.sendable, last if count.matching == limit and last != upper else None, count.left_out)

    async def less_often(self, account_id: UUID, after: UUID | None, end: UUID) -> list[tuple[UUID, int]]:
        """Return who of the members after `after`, up to `end`, asked for how many days between two mails at least."""
        rows = await self._pool.fetch(SQL["less_often"], account_id, after, end)
        return [(row["member_id"], row["least_days"]) for row in rows]

    async def range_end(self, account_id: UUID, after: UUID | None, upper: UUID, limit: int) -> UUID:
        """Return where a range of `limit` members after `after` ends, at `upper` at the latest."""
        return await range_end(self._pool, account_id, after, upper, limit)

    @asynccontextmanager
    async def decided(
        self,
        account_id: UUID,
        audience: Audience,
        after: UUID | None,
        end: UUID,
        turn: AbstractAsyncContextManager[object] | None = None,
    ) -> AsyncIterator[AudienceRange]:
        """Decide the members after `after` and up to `end`, to be read within the block.

        `turn` is held while members are opened, and not while the database decides by what was found.
        """
        span = Span(account_id, after, end)
        async with AsyncExitStack() as stack:
            async with turn or nullcontext():
                connection = await stack.enter_async_context(self._reading())
                planned = await self._plan(connection, account_id, audience)
                await self._ranges.make_sets(connection, span, planned)
            yield await self._ranges.decide(connection, span, audience.topic, audience.traits, planned)

    async def at_once(self, account_id: UUID, audience: Audience, samples: int) -> tuple[Count, list[UUID]] | None:
        """Count an audience and name the first who can be sent to, as a snapshot now would, if facets tell all."""
        async with self._reading() as connection:
            planned = await self._plan(connection, account_id, audience)
            if planned.sets:
                return None
            await connection.execute(SQL["in_parallel"])
            [kinds] = await connection.fetch(SQL["suppressed_by"], account_id, audience.topic)
            rows = await connection.fetch(SQL["count"], account_id, planned.path, audience.topic, *kinds)
            count = count_of({row["reason"]: row["total"] for row in rows})
            asked = (account_id, planned.path, min(samples, count.sendable), audience.topic)
            await connection.execute(SQL["looked_up"])
            first = await connection.fetch(SQL["samples"], *asked, SAMPLED)
            if len(first) < min(samples, count.sendable):
                await connection.execute(SQL["in_parallel"])
                first = await connection.fetch(SQL["sparse_samples"], *asked)
        return count, [row["member_id"] for row in first]

    async def by_facets(self, account_id: UUID, audience: Audience, pointer: str) -> str | None:
        """Return an audience as one jsonpath over facets, None for everyone.

        Raises InvalidInput with a fault at `pointer` if facets don't tell all.
        """
        async with self._reading() as connection:
            planned = await self._plan(connection, account_id, audience)
        if planned.sets:
            fault = Fault(pointer, "takes-opening", "Its rule asks more than facets tell: preview it instead")
            raise InvalidInput("This can't be answered at once", [fault])
        return planned.path

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Lent]:
        """Lend a connection that sees one snapshot: a protection that changes meanwhile changes nothing in it."""
        async with self._pool.acquire() as connection:
            await prepare(connection)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(SQL["planned_as_asked"])
                yield connection

    async def _plan(self, connection: Lent, account_id: UUID, audience: Audience) -> Plan:
        """Return how an audience is answered by the protections that its attributes have in this snapshot."""
        ring = await self._rings.ring(account_id)
        if audience.rule is None:
            return plan(None, ring, audience.at)
        known = Vocabulary(await load_definitions(connection, account_id), _ANYTHING, _ANYTHING, _ANYTHING)
        planned = plan(read_rule(show_values(audience.rule, ring), known), ring, audience.at)
        if planned.sets or not planned.indexed:
            await connection.execute(SQL["without_index"])
        return planned

    async def _resolved(self, account_id: UUID, rule: Rule | None, known: Vocabulary) -> Audience:
        now: datetime = await self._pool.fetchval(SQL["now"])
        if rule is None:
            return Audience(None, now)
        ring = await self._rings.ring(account_id)
        return Audience(hide_values(write_rule(rule), known.definitions, ring, self._random), now)


class _Anything:
    """Holds every id: whether it is there was asked when the audience was resolved."""

    def __contains__(self, _: object) -> bool:
        return True


_ANYTHING = _Anything()


def count_of(totals: Mapping[str | None, int]) -> Count:
    """Return the count of totals by why members can't be sent to (None: they can)."""
    left_out = {reason: total for reason, total in totals.items() if reason is not None}
    sendable = totals.get(None, 0)
    return Count(sendable + sum(left_out.values()), sendable, left_out)
