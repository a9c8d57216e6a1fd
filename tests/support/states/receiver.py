"""The other side's own ledger: which bodies came, for which try of whom, and what was answered."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

Reply = Literal["accepted", "deferred", "failed"]


class Key(NamedTuple):
    """One try of one recipient."""

    run_id: UUID
    seq: int
    try_: int


@dataclass(frozen=True, slots=True)
class Body:
    """A whole message that came."""

    key: Key
    reply: Reply


class Receiver:
    """In memory, and outside of all that can fail on our side."""

    def __init__(self) -> None:
        self.begun: set[Key] = set()
        """Tries of which a first byte may have left."""
        self.on_the_wire: list[Key] = []
        """Whole bodies whose sender is gone: they may yet come, or never."""
        self.bodies: list[Body] = []
        self.replies: dict[Key, Reply] = {}

    def take(self, key: Key, reply: Reply) -> None:
        """Take in a whole body and answer it; the answer may get lost, the ledger keeps it."""
        assert key not in self.replies, f"the body of {key} came twice"
        self.bodies.append(Body(key, reply))
        self.replies[key] = reply

    @property
    def accepted(self) -> set[Key]:
        return {key for key, reply in self.replies.items() if reply == "accepted"}

    def deliveries(self) -> Counter[tuple[UUID, int]]:
        """How often each recipient got a message."""
        return Counter((body.key.run_id, body.key.seq) for body in self.bodies if body.reply == "accepted")
