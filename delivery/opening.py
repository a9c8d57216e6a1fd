"""Opens a claimed chunk: its recipients' history, its members out of the vault, its compiled content."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from core import logs
from core.clock import Clock
from core.errors import TodokuError
from delivery.compose.compiled import CompiledContent, Recipient
from delivery.ledger import Ledger
from delivery.queue import Claim, Queue, Successor, Waiting
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice, triage

CONTENT_PAUSE = 60.0

log = logs.get()


class Contents(Protocol):
    """Where a claim's compiled content comes from."""

    async def of(self, claim: Claim) -> CompiledContent:
        """Return it, from memory if it was used before; raises TodokuError if it can't be made."""


class OpenMember(Protocol):
    """A member as the vault opens it."""

    @property
    def member_id(self) -> UUID: ...  # noqa: D102
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, object]: ...  # noqa: D102


class Members(Protocol):
    """Where recipients' addresses and attributes come from."""

    async def open_members(self, account_id: UUID, member_ids: Sequence[UUID]) -> Sequence[OpenMember]:
        """Return those that exist and can be read."""


class Opening:
    """Turns claims into slices of `slice_seconds`. `random` returns a float in [0, 1)."""

    def __init__(
        self,
        *,
        queue: Queue,
        ledger: Ledger,
        members: Members,
        contents: Contents,
        retry: RetrySchedule,
        clock: Clock,
        random: Callable[[], float],
        slice_seconds: float,
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._members = members
        self._contents = contents
        self._retry = retry
        self._clock = clock
        self._random = random
        self._slice_seconds = slice_seconds

    async def open(self, claim: Claim) -> Slice | None:
        """Return the claim as a slice with its messages in line; None if it had to be put off. May be repeated."""
        recipients = await self._queue.recipients(claim)
        try:
            content = await self._contents.of(claim)
        except TodokuError as error:
            # It was checked at scheduling, so the fault is ours (a key that can't be read): wait, and say so.
            log.exception("content_unusable", run_id=str(claim.run_id), error=type(error).__name__)
            await self._queue.end(claim, [Successor(tuple(one.seq for one in recipients), CONTENT_PAUSE)], 0)
            return None
        history = triage(recipients, self._retry, resend_uncertain=claim.resend_uncertain, jitter=self._random())
        ids = [one.member_id for one in history.send]
        opened = {one.member_id: one for one in await self._members.open_members(claim.account_id, ids)}
        gone = [one.seq for one in history.send if one.member_id not in opened]
        if gone:
            await self._ledger.omit(claim.run_id, gone)
        now = self._clock.monotonic()
        made = Slice(claim, content, now + self._slice_seconds)
        for seq, delay in history.later:
            made.hand_on(seq, delay)
        for waiting in history.send:
            member = opened.get(waiting.member_id)
            if member is not None:
                made.waiting.append(_message(made, waiting, member, now))
        return made


def _message(one: Slice, waiting: Waiting, member: OpenMember, now: float) -> Message:
    return Message(
        slice=one,
        recipient=Recipient(seq=waiting.seq, member_id=waiting.member_id, address=member.address, values=member.values),
        tries=waiting.tries + 1,
        deferrals=waiting.deferrals,
        since_first=waiting.since_first,
        began=now,
        run_id=one.claim.run_id,
        seq=waiting.seq,
        member_id=waiting.member_id,
        chunk_id=one.claim.chunk_id,
        epoch=one.claim.epoch,
    )
