"""What one worker has in hand: its slices, whose turn it is, how many messages wait or are under way. No I/O."""

from collections import deque
from collections.abc import Callable, Collection
from uuid import UUID

from delivery.slices import Message, Slice


class Workload:
    """Counts kept in one place. `on_over` is called once for each slice that can be ended; `now` returns seconds."""

    def __init__(self, *, now: Callable[[], float], on_over: Callable[[Slice], None]) -> None:
        self.slices: dict[int, Slice] = {}
        self.waiting = 0
        """Messages that no leave was asked for yet."""
        self.under_way = 0
        """Messages that leave was asked for and that are not settled."""
        self.stopping = False
        self._now = now
        self._on_over = on_over
        self._turns: deque[Slice] = deque()

    @property
    def runs(self) -> set[UUID]:
        """The runs that are worked on."""
        return {one.claim.run_id for one in self.slices.values()}

    def add(self, one: Slice) -> None:
        """Take in a claimed slice with its messages."""
        self.slices[one.claim.chunk_id] = one
        self.waiting += len(one.waiting)
        one.held = one.held or self.stopping
        self._line_up(one)
        self.look_over(one)

    def remove(self, one: Slice) -> None:
        """Forget a slice that was ended."""
        del self.slices[one.claim.chunk_id]

    def take(self, room: int) -> list[Message]:
        """Take up to `room` messages, in turn from each slice: a small run does not wait for a big one's thousand."""
        now = self._now()
        taken: list[Message] = []
        while self._turns and len(taken) < room:
            one = self._turns.popleft()
            one.in_line = False
            if one.waiting and not one.held and now < one.deadline:
                one.under_way += 1
                taken.append(one.waiting.popleft())
                self._line_up(one)
        self.waiting -= len(taken)
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
        self.under_way -= 1
        self.waiting += 1
        message.slice.under_way -= 1
        message.slice.waiting.appendleft(message)
        self._line_up(message.slice)
        self.look_over(message.slice)

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
            self.waiting -= len(one.waiting)
            self._on_over(one)

    def _line_up(self, one: Slice) -> None:
        if one.waiting and not one.in_line:
            one.in_line = True
            self._turns.append(one)
