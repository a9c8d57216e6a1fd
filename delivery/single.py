"""Sends one message at a time, each on a connection of its own: mail that is passed on, not campaigns.

It goes by the first way out that takes it, in their order: the relays of the pool `fast` (or the embedded mailbox),
else the destination's own servers. Nothing is queued here: who hands a message in keeps it until it was taken.
"""

import asyncio
from collections.abc import Sequence

from core.errors import InvalidInput, Unavailable
from delivery.envelope import Envelope
from delivery.replies.classify import classify
from delivery.replies.reply import Reply
from delivery.routing.errors import NoSuchDomain, NotResolved, NullMx
from delivery.routing.router import Router
from delivery.smtp.connection import connect
from delivery.smtp.errors import ConnectFailed, Obstacle, Unsendable
from delivery.smtp.outgoing import Outcome, Outgoing
from delivery.smtp.peer import Peer, Timeouts

SECONDS = 120.0
"""For one message, all ways together: less than its sender waits for our answer (RFC 5321 section 4.5.3.2.6)."""
_MOST_PEERS = 4


class NeedsSmtputf8(InvalidInput):
    """The mail has addresses beyond ASCII, and the server that would get it takes none (RFC 6531 section 3.5)."""

    title = "The next server takes no addresses beyond ASCII"


class SingleSender:
    """`peers` are relays; without any, `router` finds a destination's own servers."""

    def __init__(self, peers: Sequence[Peer], router: Router | None, *, ehlo_name: str, timeouts: Timeouts) -> None:
        self._peers = peers
        self._router = router
        self._ehlo_name = ehlo_name
        self._timeouts = timeouts

    async def send(self, envelope: Envelope) -> None:
        """Return once a server has taken the message.

        Raises NeedsSmtputf8, InvalidInput if one refused it for good, Unavailable if none takes it now. A reply that
        was lost counts as "not now": whoever tries again may send it twice.
        """
        try:
            async with asyncio.timeout(SECONDS):
                for peer in (await self._ways(envelope.recipient))[:_MOST_PEERS]:
                    if await self._taken(peer, envelope):
                        return
        except TimeoutError as error:
            raise Unavailable("No server took the mail in time") from error
        raise Unavailable("No server takes the mail just now")

    async def _ways(self, recipient: str) -> Sequence[Peer]:
        if self._peers or self._router is None:
            return self._peers
        try:
            route = await self._router.route(recipient.rpartition("@")[2])
        except (NoSuchDomain, NullMx) as error:
            raise InvalidInput("The domain takes no mail") from error
        except NotResolved as error:
            raise Unavailable("The domain can't be looked up just now") from error
        return [
            Peer(host=address, port=host.port, server_name=host.name.rstrip("."))
            for host in route.hosts
            for address in host.addresses
        ]

    async def _taken(self, peer: Peer, envelope: Envelope) -> bool:
        """Try one server; False if another is to be tried."""
        try:
            connection = await connect(peer, ehlo_name=self._ehlo_name, timeouts=self._timeouts)
        except ConnectFailed:
            return False
        came: list[Outcome] = []
        try:
            await connection.send(Outgoing(envelope, lambda: None, came.append))
            await connection.flush()
        except Unsendable as error:
            raise (NeedsSmtputf8 if error.obstacle is Obstacle.SMTPUTF8 else InvalidInput)(error.detail) from error
        finally:
            await connection.close()
        verdict = classify(came[0]) if came and isinstance(came[0], Reply) else None
        if verdict is None or verdict.outcome == "deferred":
            return False
        if verdict.outcome == "failed":
            raise InvalidInput("The next server refused the mail")
        return True
