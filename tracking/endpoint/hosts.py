"""The names that a tracker answers under: those that it knows and no other, or any if it knows none."""

from collections.abc import Collection

from tracking.endpoint.request import Request

_OWN = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Whoever asks whether it is healthy does so from the same machine."""


class KnownHosts:
    """Looks at a request's Host header, without its port."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = _OWN | {host.lower() for host in hosts} if hosts else None

    def include(self, request: Request) -> bool:
        """Say whether a request is for one of the names."""
        return self._hosts is None or _host(request) in self._hosts


def _host(request: Request) -> str:
    named = request.header(b"host").decode("latin-1").lower()
    name, _, port = named.rpartition(":")
    return name if name and port.isdigit() else named
