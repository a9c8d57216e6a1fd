"""The way of every request to its endpoint: authenticate, permit, read the body strictly, make POSTs repeatable."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.types import Message, Receive

from api import idempotency, problems
from api.auth import Permission, authenticate
from api.errors import MalformedRequest, UnsupportedMediaType
from api.idempotency import Answer, Claim, Fingerprint, IdempotencyStore, Known
from api.services import Services, services_of
from core.clock import Clock
from core.errors import Fault

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_JSON = ("", "application/json", "application/x-www-form-urlencoded")
"""curl -d says urlencoded; a bearer key never rides on a form, so that taking it as JSON opens nothing."""

_FIRST_OF_SERVER_ERRORS = 500


class Route(APIRoute):
    """A route that declares its permission with `Requires`; one without is refused when the module is loaded."""

    def get_route_handler(self) -> Handler:
        """Return the endpoint's handler with what every request needs around it."""
        permission = permission_of(self)
        takes_json = self.body_field is not None
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            services = services_of(request)
            request.state.caller = await authenticate(request, services.keys)
            permission.check(request.state.caller)
            if takes_json:
                _expect_json(request)
            key = request.headers.get(idempotency.HEADER)
            if request.method != "POST" or key is None:
                return await inner(_StrictRequest(request.scope, request.receive))
            return await _once(request, idempotency.check_key(key), inner, services)

        return handle


def permission_of(route: APIRoute) -> Permission:
    """Return what a route asks of its caller; raise TypeError if it declares nothing."""
    for depends in route.dependencies:
        if isinstance(depends.dependency, Permission):
            return depends.dependency
    raise TypeError(f"{route.path} declares no permission")


async def _once(request: Request, key: str, inner: Handler, services: Services) -> Response:
    store, account_id = services.idempotency, request.state.caller.account_id
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("latin-1"))
    upload = kind == b"multipart/form-data"
    # A key with other rights asks for another thing: what was shown to one may not be shown to the other.
    rights = " ".join(sorted(request.state.caller.scopes))
    target = f"{request.url.path}?{request.url.query} {rights}"
    fingerprint = Fingerprint(key, "POST", target, options.get(b"boundary", b"") if upload else b"")
    receive: Receive
    if upload:
        # The body is known only when it has been read: whether it is the same one is asked at its end.
        claim = await store.claim(account_id, key, b"")
        if isinstance(claim, Known):
            async for block in request.stream():
                fingerprint.add(block)
            return _again(claim.for_request(fingerprint.digest()))
        receive = _Upload(request.receive, fingerprint, store, claim, services.clock).receive
    else:
        fingerprint.add(await request.body())
        claim = await store.claim(account_id, key, fingerprint.digest())
        if isinstance(claim, Known):
            return _again(claim.for_request(fingerprint.digest()))
        receive = _read_again(await request.body())
    try:
        response = await _answered(_StrictRequest(request.scope, receive), inner)
    except Exception:
        await store.release(claim)
        raise
    if response.status_code >= _FIRST_OF_SERVER_ERRORS:
        await store.release(claim)
    else:
        answer = Answer(response.status_code, response.headers, bytes(response.body))
        await store.keep(claim, fingerprint.digest(), answer)
    return response


async def _answered(request: Request, inner: Handler) -> Response:
    try:
        return await inner(request)
    except Exception as error:
        meaning = problems.meaning_of(error)
        if meaning is None:
            raise
        return problems.answer(meaning, request.state.request_id)


def _again(answer: Answer) -> Response:
    return Response(answer.body, answer.status, headers={**answer.headers, idempotency.REPLAYED: "true"})


def _read_again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class _Upload:
    """An upload's stream: fingerprinted as it passes, and kept claimed however long it takes."""

    def __init__(
        self, receive: Receive, fingerprint: Fingerprint, store: IdempotencyStore, claim: Claim, clock: Clock
    ) -> None:
        self._receive = receive
        self._fingerprint = fingerprint
        self._store = store
        self._claim = claim
        self._clock = clock
        self._renewed = clock.monotonic()

    async def receive(self) -> Message:
        message = await self._receive()
        self._fingerprint.add(message.get("body", b""))
        if self._clock.monotonic() - self._renewed > idempotency.RENEW_AFTER:
            self._renewed = self._clock.monotonic()
            await self._store.renew(self._claim)
        return message


def _expect_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON and not kind.endswith("+json"):
        raise UnsupportedMediaType("Send JSON", [Fault("/header/content-type", "unsupported", "Send application/json")])
    # FastAPI reads a body as JSON by its content type alone.
    others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    request.scope["headers"] = [*others, (b"content-type", b"application/json")]


class _StrictRequest(Request):
    """Reads JSON strictly: no NaN, no lone surrogates, no NUL, bounded depth."""

    async def json(self) -> Any:
        body = await self.body()
        value = orjson.loads(body)
        # Postgres can't store U+0000 in a text; orjson has refused it raw, so that only its escape is left.
        if b"\\u0000" in body and _holds_nul(value):
            raise _NulInText("Texts may not hold U+0000")
        return value


class _NulInText(MalformedRequest):
    code = "nul-in-text"
    title = "A text holds U+0000"


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
