"""One worker process, taken apart into steps: what it holds in memory, its journal, its statements.

It decides as `delivery.carrier` and `delivery.dispatcher` do, but in any order and at any pace that these allow: what
holds for every process of this kind holds for the real one.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from uuid import UUID

import asyncpg

from core.clock import FixedClock
from delivery.journal import Journal
from delivery.replies.verdict import EXPIRED, RELEASED, UNCERTAIN, Verdict
from tests.support.states.receiver import Key
from tests.support.states.statements import RETRY, Claim, Outcome, Refusal, Statements, Successor

# A few records: journals are put in place anew all the time.
JOURNAL_LIMIT = 400


class Stage(Enum):
    """How far a message is."""

    WAITING = "waiting"
    ASKED = "asked"  # leave was asked for, and the answer got lost
    INTENDED = "intended"
    BEGUN = "begun"  # its start is in the journal
    SENT = "sent"  # all of its body has left
    ANSWERED = "answered"  # the reply is under way to us
    RELEASED = "released"  # never begun; in line again once that is committed
    SETTLED = "settled"


IN_DOUBT = frozenset({Stage.BEGUN, Stage.SENT, Stage.ANSWERED})
UNDER_WAY = frozenset({Stage.ASKED, Stage.INTENDED, Stage.RELEASED}) | IN_DOUBT


@dataclass(slots=True, eq=False)
class Message:
    """One recipient of a slice; it is what `Ledger.intend` asks for."""

    slice: "Slice"
    seq: int
    member_id: UUID
    tries: int
    deferrals: int
    since_first: float
    began: float
    stage: Stage = Stage.WAITING

    @property
    def run_id(self) -> UUID:
        return self.slice.claim.run_id

    @property
    def chunk_id(self) -> int:
        return self.slice.claim.chunk_id

    @property
    def epoch(self) -> int:
        return self.slice.claim.epoch

    @property
    def key(self) -> Key:
        return Key(self.run_id, self.seq, self.tries)


@dataclass(slots=True, eq=False)
class Slice:
    """A claim in work; `ending` and `parting` are what was handed on by an `end` or `split` whose answer got lost."""

    claim: Claim
    opened: bool = False
    messages: list[Message] = field(default_factory=list)
    later: dict[float, list[int]] = field(default_factory=dict)
    attempts: int = 0
    ending: list[Successor] | None = None
    parting: list[Successor] | None = None

    def hand_on(self, seq: int, delay: float) -> None:
        self.later.setdefault(delay, []).append(seq)

    def stay(self) -> list[int]:
        """Who is left after a split."""
        claim, gone = self.claim, {seq for one in self.parting or () for seq in one.seqs}
        seqs = claim.seqs if claim.seqs is not None else range(claim.first_seq, claim.last_seq + 1)
        return [seq for seq in seqs if seq not in gone]

    def successors(self, *, delay_rest: float, site_id: int | None) -> list[Successor]:
        """What is handed on; the rest at once or later, to the chunks of a site if one is named (a snooze)."""
        handed = [
            Successor(tuple(sorted(seqs)), delay, "retry", self.claim.site_id) for delay, seqs in self.later.items()
        ]
        rest = tuple(sorted(one.seq for one in self.messages if one.stage is Stage.WAITING))
        if rest:
            why = "rest" if site_id is None else "site"
            handed.append(Successor(rest, delay_rest, why, site_id, None if site_id is None else 0.0))
        return handed


class Process:
    """An incarnation. `lost`: it knows that its lease is gone, and begins nothing more."""

    def __init__(
        self, main: asyncpg.Pool, clock: FixedClock, owner: UUID, number: int, directory: Path, boot: str
    ) -> None:
        self.owner = owner
        self.number = number
        self.directory = directory
        self.clock = clock
        self.ask = Statements(main, clock, owner, number)
        self.journal = Journal.create(directory, owner=owner, boot_id=boot, limit=JOURNAL_LIMIT)
        self.slices: dict[int, Slice] = {}
        self.unwritten: list[Outcome] = []
        self.unheard: list[Message] = []
        """What leave was asked for without an answer: nothing else is asked before that is asked again."""
        self.stray = False
        self.unheard_claims: list[Claim] = []
        self.lost = False

    def __repr__(self) -> str:
        return f"process {self.number}"

    def messages(self, *stages: Stage) -> list[Message]:
        """Those in these stages; of a slice whose end was asked for, none is waiting any more."""
        return [
            message
            for one in self.slices.values()
            for message in one.messages
            if message.stage in stages and (one.ending is None or message.stage is not Stage.WAITING)
        ]

    def unopened(self) -> list[Slice]:
        return [one for one in self.slices.values() if not one.opened]

    def unheard_splits(self) -> list[Slice]:
        return [one for one in self.slices.values() if one.parting is not None]

    def unheard_ends(self) -> list[Slice]:
        return [one for one in self.slices.values() if one.ending is not None]

    def may_part(self, one: Slice) -> bool:
        """Whether something waits that could be handed on while others stay, and no answer is outstanding."""
        waits = any(message.stage is Stage.WAITING for message in one.messages) and len(one.stay()) > 1
        return waits and one.ending is None and one.parting is None and not self.unheard

    def over(self) -> list[Slice]:
        """Slices that may be ended: nothing is under way, and every result is committed."""
        unwritten = {(one.run_id, one.seq) for one in self.unwritten}
        return [
            one
            for one in self.slices.values()
            if one.opened
            and one.ending is None
            and one.parting is None
            and not any(m.stage in UNDER_WAY or (m.run_id, m.seq) in unwritten for m in one.messages)
        ]

    def earlier(self) -> list[Claim]:
        """Claims that were given back, of chunks that we hold anew."""
        held = {one.claim.chunk_id: one.claim.epoch for one in self.slices.values() if one.ending is None}
        return [one for one in self.unheard_claims if held.get(one.chunk_id, 0) > one.epoch]

    def wire(self) -> Iterator[Message]:
        yield from self.messages(*IN_DOUBT)

    def hear(self, messages: Sequence[Message], refused: dict[int, Refusal]) -> None:
        """Act on an answer to `intend`, as the dispatcher does."""
        for position, message in enumerate(messages):
            match refused.get(position):
                case None:
                    message.stage = Stage.INTENDED
                case "stopped":
                    message.stage = Stage.SETTLED
                case "held":
                    message.stage = Stage.WAITING
                case _:
                    message.stage = Stage.WAITING
                    self.lost = True

    def begin(self, message: Message) -> None:
        self.journal.start(*message.key)
        message.stage = Stage.BEGUN

    def settle(self, message: Message, verdict: Verdict, code: int | None = None) -> None:
        """Note how it ended and let the result wait to be written, as the carrier does."""
        one, now = message.slice, self.clock.monotonic()
        wait: float | None = None
        if verdict.outcome == "deferred":
            wait = RETRY.delay(message.deferrals + 1, age=message.since_first + now - message.began, jitter=0.5)
            if wait is None:
                verdict = EXPIRED
        elif verdict.outcome == "uncertain" and one.claim.resend_uncertain:
            wait = RETRY.first
        self.journal.outcome(*message.key, verdict, code)
        self.unwritten.append(Outcome(*message.key, verdict, code, None, now))
        if verdict.outcome == "released":
            message.stage = Stage.RELEASED
            return
        message.stage = Stage.SETTLED
        one.attempts += 1
        if wait is not None:
            one.hand_on(message.seq, wait)

    def give_back(self, message: Message) -> None:
        self.settle(message, RELEASED)

    def lose(self, message: Message) -> None:
        self.settle(message, UNCERTAIN)

    def written(self, batch: Sequence[Outcome]) -> None:
        """Let go of results that are known to be committed."""
        del self.unwritten[: len(batch)]
        keys = {Key(one.run_id, one.seq, one.try_) for one in batch}
        self.journal.settle(keys)
        for message in self.messages(Stage.RELEASED):
            if message.key in keys:
                # Not before: a try that has no result must be the last one.
                message.tries += 1
                message.stage = Stage.WAITING

    def vanish(self) -> None:
        """Die: memory is gone, the file stays and its lock does not."""
        os.close(self.journal._descriptor)
