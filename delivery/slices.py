"""One claim in work: which of its recipients wait, are under way, or are settled, and what is handed on. No I/O.

A slice lives at most `slice_seconds`. It is over when nothing of it is under way and what waits has been sent, held
back or has run out of time; then `successors` says what goes on in chunks of their own.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from delivery.queue import Claim, Successor, Waiting
from delivery.retry import RetrySchedule

if TYPE_CHECKING:
    from delivery.compose.compiled import CompiledContent, Recipient


@dataclass(slots=True, eq=False)
class Message:
    """One recipient of a slice on its way; `tries` is the number of the try that it is on."""

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


@dataclass(slots=True, eq=False)
class Slice:
    """A claim, its content and the state of its recipients. Times are monotonic seconds."""

    claim: Claim
    content: "CompiledContent"
    deadline: float
    waiting: deque[Message] = field(default_factory=deque)
    under_way: int = 0
    held: bool = False
    attempts: int = 0
    last_result: int = 0
    later: dict[float, list[int]] = field(default_factory=dict)
    ending: bool = False
    in_line: bool = False

    def hand_on(self, seq: int, delay: float) -> None:
        """Try this recipient again in `delay` seconds, in a successor."""
        # Bucketed, so that one slice makes few chunks however its messages were timed.
        self.later.setdefault(_bucket(delay), []).append(seq)

    def over(self, now: float) -> bool:
        """Whether the slice can be ended: all settled, or held or out of time with nothing under way."""
        return self.under_way == 0 and (not self.waiting or self.held or now >= self.deadline)

    def successors(self, *, delay_rest: float = 0.0) -> list[Successor]:
        """Return what is handed on: each group of retries at its time, the unsent rest after `delay_rest` seconds."""
        handed = [Successor(tuple(sorted(seqs)), delay) for delay, seqs in sorted(self.later.items())]
        if self.waiting:
            handed.append(Successor(tuple(sorted(m.seq for m in self.waiting)), delay_rest))
        return handed


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
