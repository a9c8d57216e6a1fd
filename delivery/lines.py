"""Where messages in hand wait: a line for each route, its places taken in turn by slice. No I/O."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.routing.routes import Route
    from delivery.slices import Message, Slice

RELAYED = 0
"""The site of a relay's own door, which takes mail for every destination."""


@dataclass(slots=True, eq=False)
class Place:
    """One slice's messages in one line."""

    slice: "Slice"
    line: "Line"
    waiting: deque["Message"] = field(default_factory=deque)
    in_turn: bool = False


@dataclass(slots=True, eq=False)
class Line:
    """All messages in hand that wait for one route; `route` is None where any relay takes them."""

    key: str
    site_id: int
    provider: str | None = None
    route: "Route | None" = None
    waiting: int = 0
    turns: deque[Place] = field(default_factory=deque)
    failures: int = 0
    """Times in a row that none of the route's hosts could be reached."""

    def step_in(self, place: Place) -> None:
        """Give a place its turn, if it has any message."""
        if place.waiting and not place.in_turn:
            place.in_turn = True
            self.turns.append(place)
