"""Audiences: which members a campaign goes to, read out of the vault as ids and destination tags alone.

Sendable is who is `active` and not suppressed. Everyone else who meets the rules is counted by reason: `unsubscribed`,
`unconfirmed`, `bounced`, `complained`, `erased`, `manual`.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import Fault, InvalidInput, NotFound
from members.attributes import load_definitions
from members.groups import KIND as GROUP
from members.jsonpath import compile_rule
from members.keyring import KeyRings
from members.rules import AnyOf, InGroup, Not, Rule, read_rule

SQL = sql.load(__package__ or "", "audience.sql")

SEGMENT = "seg"
MAX_NAMED = 100

Sink = Callable[[bytes], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Audience:
    """A compiled audience of one account: a jsonpath over facets, or None for all members."""

    path: str | None


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
    """Audiences of any account. Rules on matchable attributes need the account's ring."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def resolve(self, account_id: UUID, wanted: Mapping[str, Any]) -> Audience:
        """Compile `{"all": true}` or `{"segments": […], "groups": […], "exclude": {"segments": […], "groups": […]}}`.

        Whoever is in any of the named and in none of the excluded. Ids are shown ones (`seg_…`, `grp_…`). Raises
        InvalidInput with all faults, SealedAttribute for a rule on a sealed attribute.
        """
        _check_shape(wanted)
        exclude = wanted.get("exclude") or {}
        included = [] if wanted.get("all") else await self._rules(account_id, wanted, "")
        excluded = await self._rules(account_id, exclude, "/exclude")
        if not wanted.get("all") and not included:
            raise InvalidInput("The audience is empty", [Fault("", "empty-audience", "Name segments, groups or all")])
        return await self.compile(account_id, included, excluded)

    async def compile(self, account_id: UUID, included: Sequence[Rule], excluded: Sequence[Rule] = ()) -> Audience:
        """Return the audience of all who meet any of `included` (empty: everyone) and none of `excluded`."""
        ring = await self._rings.ring(account_id)
        parts = []
        if included:
            parts.append(compile_rule(AnyOf(tuple(included)), ring))
        if excluded:
            parts.append(compile_rule(Not(AnyOf(tuple(excluded))), ring))
        return Audience(" && ".join(parts) or None)

    async def upper(self, account_id: UUID) -> UUID | None:
        """Return the newest member's id, where a snapshot ends; None if the account has no members."""
        found: UUID | None = await self._pool.fetchval(SQL["upper"], account_id)
        return found

    async def slice(
        self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID, limit: int, sink: Sink
    ) -> SliceEnd:
        """Write the next slice to `sink`: `limit` matching members after `after` and up to `upper`, by id.

        `sink` gets Postgres' binary COPY format (whole stream, header and trailer included) with rows
        (member_id uuid, tag bigint), sendable members only. Both statements see one snapshot.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            found = await connection.fetch(SQL["slice_end"], account_id, audience.path, after, upper, limit)
            count = _count(found)
            last: UUID | None = found[0]["last"] if found else None
            end = upper if last is None else last
            await connection.copy_from_query(
                SQL["slice"], account_id, audience.path, after, end, output=sink, format="binary"
            )
        return SliceEnd(count.sendable, last if count.matching == limit and last != upper else None, count.left_out)

    async def count(self, account_id: UUID, audience: Audience) -> Count:
        """Count an audience as a snapshot now would."""
        return _count(await self._pool.fetch(SQL["slice_end"], account_id, audience.path, None, None, None))

    async def samples(self, account_id: UUID, audience: Audience, limit: int) -> list[UUID]:
        """Return the ids of a few sendable members, oldest first."""
        return [row["member_id"] for row in await self._pool.fetch(SQL["samples"], account_id, audience.path, limit)]

    async def read(self, account_id: UUID, rule: object, pointer: str = "") -> Rule:
        """Read a rule's JSON against the account's attributes and groups; raises as `read_rule`."""
        definitions = await load_definitions(self._pool, account_id)
        groups = {row["group_id"] for row in await self._pool.fetch(SQL["groups"], account_id)}
        return read_rule(rule, definitions, groups, pointer)

    async def _rules(self, account_id: UUID, named: Mapping[str, Any], pointer: str) -> list[Rule]:
        faults = []
        groups = {row["group_id"] for row in await self._pool.fetch(SQL["groups"], account_id)}
        rules: list[Rule] = []
        for number, text in enumerate(named.get("groups") or ()):
            group_id = _decoded(GROUP, text)
            if group_id in groups and group_id is not None:
                rules.append(InGroup(group_id))
            else:
                faults.append(Fault(f"{pointer}/groups/{number}", "unknown-group", "The account has no such group"))
        segment_ids = [_decoded(SEGMENT, text) for text in named.get("segments") or ()]
        wanted = [segment_id for segment_id in segment_ids if segment_id is not None]
        stored = {row["segment_id"]: row["rule"] for row in await self._pool.fetch(SQL["segments"], account_id, wanted)}
        for number, segment_id in enumerate(segment_ids):
            place = f"{pointer}/segments/{number}"
            if segment_id not in stored:
                faults.append(Fault(place, "unknown-segment", "The account has no such segment"))
                continue
            rules.append(await self.read(account_id, stored[segment_id], place))
        if faults:
            raise InvalidInput("The audience names what is not there", faults)
        return rules


def _check_shape(wanted: object) -> None:
    faults = []
    if not isinstance(wanted, Mapping) or not wanted.keys() <= {"all", "segments", "groups", "exclude"}:
        faults.append(Fault("", "bad-audience", "An object with all, or segments and groups, and exclude"))
    else:
        exclude = wanted.get("exclude") or {}
        if not isinstance(wanted.get("all", False), bool):
            faults.append(Fault("/all", "bad-audience", "true or false"))
        if not isinstance(exclude, Mapping) or not exclude.keys() <= {"segments", "groups"}:
            faults.append(Fault("/exclude", "bad-audience", "An object with segments and groups"))
            exclude = {}
        if wanted.get("all") and (wanted.get("segments") or wanted.get("groups")):
            faults.append(Fault("/all", "bad-audience", "All members, or some: not both"))
        for pointer, named in (("", wanted), ("/exclude", exclude)):
            for kind in ("segments", "groups"):
                listed = named.get(kind) or []
                if (
                    not isinstance(listed, list)
                    or len(listed) > MAX_NAMED
                    or not all(isinstance(i, str) for i in listed)
                ):
                    faults.append(Fault(f"{pointer}/{kind}", "bad-audience", f"A list of at most {MAX_NAMED} ids"))
    if faults:
        raise InvalidInput("The audience can't be read", faults)


def _decoded(kind: str, text: str) -> UUID | None:
    try:
        return ids.decode(kind, text)
    except NotFound:
        return None


def _count(rows: Sequence[asyncpg.Record]) -> Count:
    totals = {row["reason"]: row["total"] for row in rows}
    sendable = totals.pop(None, 0)
    return Count(sendable + sum(totals.values()), sendable, totals)
