"""What outlets and the dispatcher have between them: a connection at work, and what is asked for on its behalf."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from delivery.lines import Line
from delivery.replies.reply import Reply
from delivery.slices import Message
from delivery.smtp.connection import Connection

if TYPE_CHECKING:
    from delivery.outlet import Outlet


@dataclass(slots=True, eq=False)
class Session:
    """One connection at work. `answered`: messages that had a final reply on it."""

    outlet: "Outlet"
    connection: Connection
    line: Line | None
    answered: int = 0


class Freight(Protocol):
    """What an outlet needs of the dispatcher."""

    async def carry(self, message: Message, session: Session) -> None:
        """Send one message and settle it, never raising for what a peer does."""

    def give_back(self, message: Message) -> None:
        """Take back an intended message that was not begun."""

    def next_line(self, outlet: "Outlet") -> Line | None:
        """Return the line that an outlet's next connection is to serve, None if nothing waits."""

    def refused(self, outlet: "Outlet", reply: Reply) -> None:
        """Take note of a receiver that refuses the connection itself."""

    def unreachable(self, outlet: "Outlet", line: Line) -> None:
        """Put off what waits in a line none of whose hosts can be reached."""
