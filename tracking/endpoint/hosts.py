"""Lets a tracker answer under the names that it knows and no other: 421 (RFC 9110 section 15.5.20) for the rest."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from tracking.endpoint import answers

_OWN = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Whoever asks whether it is healthy does so from the same machine."""


class KnownHosts:
    """An app behind a look at the Host header, without its port."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = _OWN | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and _host(scope) not in self._hosts:
            await answers.MISDIRECTED(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _host(scope: Scope) -> str:
    named = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    name, _, port = named.rpartition(":")
    return name if name and port.isdigit() else named
