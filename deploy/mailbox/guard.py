"""What every answer of the page carries, and which requests get one.

The page shows mail to whoever reaches it, so on loopback it answers only requests that name loopback (no site can
rebind its own name to it), and nothing that changes something is taken from another site.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

MAIL_POLICY = (
    # Scripts, forms and same-origin access are off by `sandbox`; the rest is what mail is made of.
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http: https: data:; "
    "style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"
)

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": PAGE_POLICY,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware; `names` are the Host names answered, None = any."""

    def __init__(self, app: ASGIApp, names: Iterable[str] | None) -> None:
        self._app = app
        self._names = None if names is None else frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 403 or 421."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._choose(scope)(scope, receive, send_guarded)

    def _choose(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        name = headers.get("host", "").rpartition(":")
        host = name[0] if name[2].isdigit() else headers.get("host", "")
        if self._names is not None and host.lower() not in self._names:
            return PlainTextResponse("Reach this page by the name localhost.\n", 421)
        if scope["method"] not in {"GET", "HEAD"} and _from_elsewhere(headers):
            return PlainTextResponse("Another site may not do that.\n", 403)
        return self._app


def _from_elsewhere(headers: Headers) -> bool:
    """Tell another site's request by what browsers send (Fetch Metadata); programs send nothing and pass."""
    return headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
