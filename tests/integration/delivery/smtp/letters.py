"""Messages to send that remember what they were told, and what the tests here have in common."""

import asyncio

import pytest

from delivery.envelope import Envelope
from delivery.replies.reply import Reply
from delivery.smtp.connection import Connection
from delivery.smtp.outgoing import Outcome, Outgoing
from delivery.smtp.peer import Timeouts

MESSAGE = b"Subject: hello\r\n\r\n.one dot\r\n..two\r\nend\r\n"
ENVELOPE = Envelope("b-1@bounce.example", "member@example.jp", MESSAGE, smtputf8=False)

# Long enough for a busy machine where no timeout is meant.
PATIENT = Timeouts(connect=5, ehlo=5, envelope=5, data=5, body=5, final=5, quit=1)

PIPELINED = ("PIPELINING", "SIZE", "8BITMIME")
SEQUENTIAL = ("SIZE", "8BITMIME")
both = pytest.mark.parametrize("extensions", [PIPELINED, SEQUENTIAL], ids=["pipelined", "sequential"])


class Letter(Outgoing):
    """A message; `story` (its own, or shared by several) gets "<name> starts" and "<name> ends"."""

    def __init__(self, envelope: Envelope = ENVELOPE, *, name: str = "it", story: list[str] | None = None) -> None:
        super().__init__(envelope, self._start, self._end)
        self.name = name
        self.story = [] if story is None else story
        self.outcomes: list[Outcome] = []
        self.ended = asyncio.Event()

    def _start(self) -> None:
        self.story.append(f"{self.name} starts")

    def _end(self, outcome: Outcome) -> None:
        self.story.append(f"{self.name} ends")
        self.outcomes.append(outcome)
        self.ended.set()

    @property
    def started(self) -> bool:
        return f"{self.name} starts" in self.story

    @property
    def reply(self) -> Reply:
        (outcome,) = self.outcomes
        assert isinstance(outcome, Reply)
        return outcome

    @property
    def came_to(self) -> str:
        """What it was told, once: "BODY 250", "not-started lost", or "" for nothing yet."""
        if not self.outcomes:
            return ""
        (outcome,) = self.outcomes
        if isinstance(outcome, Reply):
            return f"{outcome.command} {outcome.code}"
        return f"{outcome.code} {outcome.failure}"


async def deliver(connection: Connection, letter: Letter | None = None) -> Letter:
    """Send one message and wait for what comes of it."""
    letter = letter or Letter()
    await connection.send(letter)
    await connection.flush()
    return letter


async def chained(connection: Connection) -> tuple[Letter, Letter]:
    """Send two messages, the second's envelope behind the first one's body, and wait for what comes of both."""
    first, second = Letter(name="first"), Letter(name="second")
    await connection.send(first)
    await connection.send(second)
    await connection.flush()
    return first, second


async def until_unusable(connection: Connection) -> None:
    """Wait until the connection has noticed its peer's end."""
    async with asyncio.timeout(5):
        while connection.usable:  # noqa: ASYNC110 - a property of the connection, not a state of the test's
            await asyncio.sleep(0)
