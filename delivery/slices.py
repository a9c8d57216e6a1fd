"""One claim in work: which of its recipients wait, are under way, or are settled, and what is handed on. No I/O.

A slice lives at most `slice_seconds`. It is over when nothing of it is under way and what waits has been sent, held
back or has run out of time; then `successors` says what goes on in chunks of their own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from delivery.lines import Line, Place
from delivery.queue import Claim, Successor, Waiting, Why
from delivery.replies.verdict import Verdict
from delivery.retry import RetrySchedule

if TYPE_CHECKING:
    from delivery.compose.compiled import CompiledContent, Recipient
    from delivery.outlet import Outlet


@dataclass(slots=True, eq=False)
class Message:
    """One recipient of a slice on its way; `tries` is the number of the try that it is on.

    `fate` is what is known without sending: its domain does not exist, or it has waited too long.
    """

    slice: "Slice"
    recipient: "Recipient"
    tries: int
    deferrals: int
    since_first: float
    began: float
    run_id: UUID
    seq: int
    member_id: UUID
    chunk_id: int
    epoch: int
    line: Line
    outlet: "Outlet | None" = None
    fate: Verdict | None = None


class Later(NamedTuple):
    """What recipients that are handed on together have in common."""

    delay: float
    why: Why
    site_id: int | None
    held: float | None


@dataclass(slots=True, eq=False)
class Slice:
    """A claim, its content and the state of its recipients. Times are monotonic seconds."""

    claim: Claim
    content: "CompiledContent"
    deadline: float
    places: dict[Line, Place] = field(default_factory=dict)
    waiting: int = 0
    under_way: int = 0
    sought: int = 0
    """Messages whose route is being looked for."""
    held: bool = False
    attempts: int = 0
    last_result: int = 0
    later: dict[Later, list[int]] = field(default_factory=dict)
    splitting: bool = False
    ending: bool = False

    def place_in(self, line: Line) -> Place:
        """Return this slice's place in a line."""
        place = self.places.get(line)
        if place is None:
            place = self.places[line] = Place(self, line)
        return place

    def add(self, message: Message, line: Line) -> None:
        """Let a message wait in a line; the workload counts it."""
        message.line = line
        self.place_in(line).waiting.append(message)
        self.waiting += 1

    def hand_on(
        self, seq: int, delay: float, *, why: Why, site_id: int | None = None, held: float | None = None
    ) -> None:
        """Go on with this recipient in `delay` seconds, in a successor; `held`: seconds that it waits untried."""
        # Bucketed, so that one slice makes few chunks however its messages were timed.
        self.later.setdefault(Later(_bucket(delay), why, site_id, held), []).append(seq)

    def over(self, now: float) -> bool:
        """Whether the slice can be ended: all settled, or held or out of time with nothing under way."""
        idle = self.under_way == 0 and self.sought == 0 and not self.splitting
        return idle and (not self.waiting or self.held or now >= self.deadline)

    def split(self) -> tuple[list[int], list[Successor]]:
        """Take out what is handed on at once; return the sequence numbers that stay, and the successors."""
        at_once = [later for later in self.later if later.delay <= 0]
        handed = [Successor(tuple(sorted(self.later.pop(later))), *later) for later in at_once]
        claim, gone = self.claim, {seq for one in handed for seq in one.seqs}
        seqs = claim.seqs if claim.seqs is not None else range(claim.first_seq, claim.last_seq + 1)
        stay = [seq for seq in seqs if seq not in gone]
        if handed:
            self.claim = replace(claim, seqs=tuple(stay))
        return stay, handed

    def successors(self, *, delay_rest: float = 0.0) -> list[Successor]:
        """Return what is handed on: each group at its time, the unsent rest after `delay_rest` seconds."""
        handed = [Successor(tuple(sorted(seqs)), *later) for later, seqs in sorted(self.later.items(), key=_by_delay)]
        return [*handed, *self._rest(delay_rest)]

    def _rest(self, delay: float) -> Iterator[Successor]:
        by_site: dict[int | None, list[int]] = {}
        for line, place in self.places.items():
            if place.waiting:
                site = line.site_id if line.route else self.claim.site_id
                by_site.setdefault(site, []).extend(message.seq for message in place.waiting)
        held = self.claim.held_for
        for site_id, seqs in by_site.items():
            # Held since now, at the latest: what waits for its site untried is not to wait for ever.
            since = held if site_id is None else held or 0.0
            yield Successor(tuple(sorted(seqs)), delay, "rest" if site_id is None else "site", site_id, since)


def _by_delay(item: tuple[Later, list[int]]) -> float:
    return item[0].delay


def _bucket(delay: float) -> float:
    """Round up to two significant digits: a retry is never early, and at most a tenth late."""
    if delay <= 0:
        return 0.0
    step = 1.0
    while delay > step * 100:
        step *= 10
    while delay <= step * 10 and step > 0.1:  # noqa: PLR2004 - tenths of a second are fine enough
        step /= 10
    units = -(-delay // step)
    return round(units * step, 1)


@dataclass(frozen=True, slots=True)
class Triage:
    """What a claimed recipient's history says: send it now, later, or not at all."""

    send: tuple[Waiting, ...]
    later: tuple[tuple[int, float], ...]


def triage(waiting: Iterable[Waiting], retry: RetrySchedule, *, resend_uncertain: bool, jitter: float) -> Triage:
    """Sort a claim's recipients by their history: final ones are left out, retries that are not due wait.

    After a worker's death its chunk is claimed again as a whole, so each kind can turn up here.
    """
    send: list[Waiting] = []
    later: list[tuple[int, float]] = []
    for one in waiting:
        if one.omitted or one.outcome in {"accepted", "failed"}:
            continue
        if one.outcome == "uncertain":
            if resend_uncertain:
                send.append(one)
            continue
        if one.outcome == "deferred":
            age = one.since_first - one.since_last
            wait = retry.delay(max(1, one.deferrals), age=age, jitter=jitter) or 0.0
            if wait - one.since_last > 0:
                later.append((one.seq, wait - one.since_last))
                continue
        send.append(one)
    return Triage(tuple(send), tuple(later))
