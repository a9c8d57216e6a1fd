"""Opens a claimed chunk: its recipients' history, its members out of the vault, its compiled content, its lines."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from core import logs
from core.clock import Clock
from core.errors import TodokuError
from delivery.compose.compiled import CompiledContent, Recipient
from delivery.destinations import Destinations
from delivery.ledger import Ledger
from delivery.lines import Line
from delivery.queue import Claim, Queue, Successor, Waiting
from delivery.replies.verdict import EXPIRED, Verdict
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice, triage
from members.member import Tracking

CONTENT_PAUSE = 60.0

log = logs.get()


class Contents(Protocol):
    """Where compiled content comes from."""

    async def of(self, run_id: UUID) -> CompiledContent:
        """Return a run's, from memory if it was asked for before; raises TodokuError if it can't be made."""


class OpenMember(Protocol):
    """A member as the vault opens it."""

    @property
    def member_id(self) -> UUID: ...  # noqa: D102
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def tracking(self) -> Tracking: ...  # noqa: D102


class Members(Protocol):
    """Where recipients' addresses and attributes come from."""

    async def open_members(self, account_id: UUID, member_ids: Sequence[UUID]) -> Sequence[OpenMember]:
        """Return those that exist and can be read."""

    async def open_new_addresses(self, account_id: UUID, member_ids: Sequence[UUID]) -> Sequence[OpenMember]:
        """Return those who want to have another address, with that one."""

    async def unreadable(self, account_id: UUID, left_out: Sequence[UUID]) -> Collection[UUID]:
        """Return those of the members left out by `open_members` that are there; the others are gone."""

    async def destination_digest(self, account_id: UUID, text: str) -> bytes:
        """Return 16 bytes that stand for a destination, by the installation's own key."""


@dataclass(slots=True)
class Opened:
    """A slice, and those of its messages whose domain has to be looked for, with the tags that domains go by."""

    slice: Slice
    sought: dict[str, list[Message]] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)


class Opening:
    """Turns claims into slices of `slice_seconds`. `random` returns a float in [0, 1).

    `takes(site_id)` says how many messages of a site are worth having in hand, `in_hand(site_id)` how many there are:
    what is over goes on in a chunk of its own site, with no member opened.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        ledger: Ledger,
        members: Members,
        contents: Contents,
        destinations: Destinations,
        retry: RetrySchedule,
        clock: Clock,
        random: Callable[[], float],
        slice_seconds: float,
        takes: Callable[[int], int],
        in_hand: Callable[[int], int],
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._members = members
        self._contents = contents
        self._destinations = destinations
        self._retry = retry
        self._clock = clock
        self._random = random
        self._slice_seconds = slice_seconds
        self._takes = takes
        self._in_hand = in_hand

    async def open(self, claims: Sequence[Claim]) -> list[Opened]:
        """Return the claims as slices with their messages in line, without those that had to be put off.

        Chunks of many small runs are read together: each by itself would wait for round trips of its own. May be
        repeated.
        """
        recipients = await self._queue.recipients(claims)
        begun = await asyncio.gather(*(self._begin(claim, recipients[claim.chunk_id]) for claim in claims))
        read = await self._read([one for one in begun if one is not None])
        return [await self._fill(made, send, found) for made, send, found in read]

    async def _begin(self, claim: Claim, recipients: Sequence[Waiting]) -> tuple[Slice, Sequence[Waiting]] | None:
        """Return a claim's slice and whom it is to be sent to; None if its content can't be had now."""
        try:
            content = await self._contents.of(claim.run_id)
        except TodokuError as error:
            # It was checked at scheduling, so the fault is ours (a key that can't be read): wait, and say so.
            log.exception("content_unusable", run_id=str(claim.run_id), error=type(error).__name__)
            seqs = tuple(one.seq for one in recipients)
            await self._queue.end(claim, [Successor(seqs, CONTENT_PAUSE, site_id=claim.site_id)], 0)
            return None
        history = triage(recipients, self._retry, resend_uncertain=claim.resend_uncertain, jitter=self._random())
        made = Slice(claim, content, self._clock.monotonic() + self._slice_seconds)
        for seq, delay in history.later:
            made.hand_on(seq, delay, why="retry", site_id=claim.site_id)
        send = await self._within_reach(made, history.send) if self._destinations.sorts else history.send
        return made, send

    async def _read(
        self, begun: Sequence[tuple[Slice, Sequence[Waiting]]]
    ) -> list[tuple[Slice, Sequence[Waiting], Mapping[UUID, OpenMember]]]:
        """Open the members of all slices, in one read an account."""
        wanted: dict[tuple[UUID, bool], dict[UUID, None]] = {}
        for made, send in begun:
            wanted.setdefault(_place(made), {}).update(dict.fromkeys(one.member_id for one in send))
        found = {}
        for (account_id, new), member_ids in wanted.items():
            opened = self._members.open_new_addresses if new else self._members.open_members
            found[account_id, new] = {one.member_id: one for one in await opened(account_id, list(member_ids))}
        return [(made, send, found[_place(made)]) for made, send in begun]

    async def _fill(self, made: Slice, send: Sequence[Waiting], opened: Mapping[UUID, OpenMember]) -> Opened:
        absent = [one for one in send if one.member_id not in opened]
        if absent:
            there = await self._members.unreadable(made.claim.account_id, [one.member_id for one in absent])
            # Each is accounted for: an altered row must not look like an erasure.
            gone = [one.seq for one in absent if one.member_id not in there]
            await self._ledger.omit(made.claim.run_id, gone, "erased")
            await self._ledger.omit(
                made.claim.run_id, [one.seq for one in absent if one.member_id in there], "unreadable"
            )
        return self._lined_up(made, send, opened)

    async def _within_reach(self, made: Slice, send: Sequence[Waiting]) -> Sequence[Waiting]:
        """Hand on those whose site has no room here, and return the rest."""
        claim = made.claim
        held = claim.held_for or 0.0
        if held > self._retry.total:
            return send
        sites = await self._destinations.sites_of([one.tag for one in send])
        room: dict[int, int] = {}
        kept = []
        for one in send:
            site_id = sites.get(one.tag)
            if site_id is not None:
                left = room.get(site_id)
                if left is None:
                    left = self._takes(site_id) - self._in_hand(site_id)
                if left <= 0:
                    made.hand_on(one.seq, 0.0, why="site", site_id=site_id, held=held)
                    room[site_id] = 0
                    continue
                room[site_id] = left - 1
            kept.append(one)
        return kept

    def _lined_up(self, made: Slice, send: Sequence[Waiting], opened: Mapping[UUID, OpenMember]) -> Opened:
        result = Opened(made)
        found: dict[str, Line | Verdict | None] = {}
        now = self._clock.monotonic()
        destinations, relayed = self._destinations, self._destinations.relayed
        too_old = (made.claim.held_for or 0.0) > self._retry.total
        for waiting in send:
            member = opened.get(waiting.member_id)
            if member is None:
                continue
            message = _message(made, waiting, member, now, relayed)
            if too_old:
                message.fate = EXPIRED
                made.add(message, destinations.fated)
            elif not destinations.sorts:
                made.add(message, relayed)
            else:
                domain = member.address.rpartition("@")[2]
                if domain not in found:
                    found[domain] = destinations.known(domain)
                    result.tags[domain] = waiting.tag
                where = found[domain]
                if where is None:
                    made.sought += 1
                    result.sought.setdefault(domain, []).append(message)
                else:
                    stand(made, message, where, destinations.fated)
        return result


def _place(made: Slice) -> tuple[UUID, bool]:
    """Return whose members a slice goes to, and whether to the addresses that they want to have."""
    letter = made.content.letter
    return made.claim.account_id, letter is not None and letter.to_new_address


def stand(made: Slice, message: Message, where: Line | Verdict, fated: Line) -> None:
    """Let a message wait where it belongs: in its line, or among those that are settled without being sent."""
    if isinstance(where, Verdict):
        message.fate = where
        made.add(message, fated)
    else:
        made.add(message, where)


def _message(one: Slice, waiting: Waiting, member: OpenMember, now: float, line: Line) -> Message:
    return Message(
        slice=one,
        recipient=Recipient(waiting.seq, waiting.member_id, member.address, member.values, member.tracking),
        tries=waiting.tries + 1,
        deferrals=waiting.deferrals,
        since_first=waiting.since_first,
        began=now,
        run_id=one.claim.run_id,
        seq=waiting.seq,
        member_id=waiting.member_id,
        chunk_id=one.claim.chunk_id,
        epoch=one.claim.epoch,
        line=line,
    )
