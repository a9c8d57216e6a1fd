"""Sends a mail on as it is, with the trace fields that a server adds (RFC 5321 section 4.4, RFC 9228).

A mail that has been here before, or anywhere too often, goes in a circle and is refused (RFC 5321 section 6.3); so is
one with addresses beyond ASCII, in its fields alone too (RFC 6532), that the next server does not take. What
can't be delivered later comes back to postmaster@, not to whoever wrote: a server on the way may not know their sender.
"""

import re
from email.utils import format_datetime
from typing import Protocol

from core.clock import Clock
from core.errors import InvalidInput
from delivery.envelope import Envelope

MOST_HOPS = 30

_LINE_END = re.compile(rb"\r\n|\r|\n")
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DELIVERED = re.compile(rb"^delivered-to[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class Circling(InvalidInput):
    """The mail comes back to where it has been."""

    title = "The mail goes in a circle"


class Sender(Protocol):
    """Sends one message (delivery/single.py)."""

    async def send(self, envelope: Envelope) -> None:
        """Return once a server has taken it. Raises Unavailable, InvalidInput."""


class Forwarding:
    """`domain` is the return path's, `name` what this server calls itself."""

    def __init__(self, sender: Sender, clock: Clock, *, domain: str, name: str) -> None:
        self._sender = sender
        self._clock = clock
        self._domain = domain
        self._name = name

    async def forward(self, raw: bytes, to: str, *, came_to: str, sender: str) -> None:
        """Return once a server has taken the mail for `to`. Raises Unavailable, Circling, InvalidInput."""
        message = onward(raw, came_to=came_to, name=self._name, date=format_datetime(self._clock.now()))
        returns = f"postmaster@{self._domain}" if sender and to.rpartition("@")[2].lower() != self._domain else ""
        smtputf8 = not (to.isascii() and _head(message).isascii())
        await self._sender.send(Envelope(returns, to, message, smtputf8=smtputf8))


def onward(raw: bytes, *, came_to: str, name: str, date: str) -> bytes:
    """Return a mail as it goes on: trace fields before it, every line end CRLF. Raises Circling."""
    message = _LINE_END.sub(b"\r\n", raw)
    head = _head(message)
    been = {value.strip().lower() for value in _DELIVERED.findall(head)}
    if came_to.lower().encode() in been or len(_RECEIVED.findall(head)) >= MOST_HOPS:
        raise Circling
    trace = f"Delivered-To: {came_to}\r\nReceived: by {name} with ESMTP;\r\n {date}\r\n".encode("ascii", "replace")
    return trace + message + (b"" if message.endswith(b"\r\n") else b"\r\n")


def _head(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0]
