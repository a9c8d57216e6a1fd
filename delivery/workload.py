"""What one worker has in hand: its slices, the lines that their messages wait in, what is under way. No I/O."""

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from delivery.lines import Line
from delivery.slices import Message, Slice


class Workload:
    """Counts kept in one place. `on_over` is called once for each slice that can be ended; `now` returns seconds."""

    def __init__(self, *, now: Callable[[], float], on_over: Callable[[Slice], None]) -> None:
        self.slices: dict[int, Slice] = {}
        self.active: dict[Line, None] = {}
        """Lines that messages wait in."""
        self.waiting = 0
        """Messages that no leave was asked for yet."""
        self.under_way = 0
        """Messages that leave was asked for and that are not settled."""
        self.stopping = False
        self._now = now
        self._on_over = on_over

    @property
    def runs(self) -> set[UUID]:
        """The runs that are worked on."""
        return {one.claim.run_id for one in self.slices.values()}

    def add(self, one: Slice) -> None:
        """Take in a claimed slice with its messages."""
        self.slices[one.claim.chunk_id] = one
        for line, place in one.places.items():
            self._count(line, len(place.waiting))
            line.step_in(place)
        one.held = one.held or self.stopping
        self.look_over(one)

    def remove(self, one: Slice) -> None:
        """Forget a slice that was ended."""
        del self.slices[one.claim.chunk_id]

    def found(self, one: Slice, messages: Iterable[Message], line: Line | None) -> None:
        """Put messages in the line that was found for them; None: they were handed on."""
        for message in messages:
            one.sought -= 1
            if line is not None:
                one.add(message, line)
                self._count(line, 1)
                line.step_in(one.place_in(line))
        self.look_over(one)

    def take(self, line: Line, room: int) -> list[Message]:
        """Take up to `room` messages, in turn from each slice: a small run does not wait for a big one's thousand."""
        now = self._now()
        taken: list[Message] = []
        turns = line.turns
        while turns and len(taken) < room:
            place = turns.popleft()
            place.in_turn = False
            one = place.slice
            if place.waiting and not one.held and now < one.deadline:
                one.under_way += 1
                one.waiting -= 1
                taken.append(place.waiting.popleft())
                line.step_in(place)
        self._count(line, -len(taken))
        self.under_way += len(taken)
        return taken

    def settled(self, message: Message) -> None:
        """Record that a message under way has its final result, or is out of this run, or was handed on."""
        self.under_way -= 1
        message.slice.under_way -= 1
        self.look_over(message.slice)

    def give_back(self, message: Message, *, next_try: bool) -> None:
        """Put a message that was not begun back to the front; if its intent stood, its next try has a new number."""
        if next_try:
            message.tries += 1
        one, line = message.slice, message.line
        place = one.place_in(line)
        self.under_way -= 1
        one.under_way -= 1
        one.waiting += 1
        self._count(line, 1)
        place.waiting.appendleft(message)
        line.step_in(place)
        self.look_over(one)

    def shed(self, line: Line, hand_on: Callable[[Message], None], *, keep: int = 0) -> int:
        """Hand on all but `keep` of the messages that wait in a line, the last first; return how many."""
        handed = 0
        for one in list(self.slices.values()):
            place = one.places.get(line)
            if place is None or one.ending:
                continue
            while place.waiting and line.waiting > keep:
                hand_on(place.waiting.pop())
                one.waiting -= 1
                self._count(line, -1)
                handed += 1
            self.look_over(one)
        return handed

    def hold(self, run_ids: Collection[UUID]) -> None:
        """Begin nothing more of these runs, and end their slices as soon as nothing is under way."""
        for one in list(self.slices.values()):
            one.held = one.held or one.claim.run_id in run_ids
            self.look_over(one)

    def stop(self) -> None:
        """Begin nothing more at all."""
        self.stopping = True
        self.hold(self.runs)

    def look_over(self, one: Slice) -> None:
        """Report the slice if it can be ended now."""
        if not one.ending and one.over(self._now()):
            one.ending = True
            for line, place in one.places.items():
                self._count(line, -len(place.waiting))
            self._on_over(one)

    def _count(self, line: Line, change: int) -> None:
        line.waiting += change
        self.waiting += change
        if line.waiting:
            self.active[line] = None
        else:
            self.active.pop(line, None)
