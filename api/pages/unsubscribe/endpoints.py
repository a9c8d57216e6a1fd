"""Leaving, as a reader who followed a mail's link meets it: what the button ends, all mail instead, why, and back.

    GET  /u/{token}        says what the button ends; changes nothing
    POST /u/{token}        leaves the mail's topic, or all mail
    POST /u/{token}/why    one reason of a closed list
    POST /u/{token}/undo   takes it back, by a consent

The one-click POST of RFC 8058 is the tracker's, which sends its readers here. All that is said of the reader is what
the main database knows of the mail: nobody's data is opened until somebody takes leaving back.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api.pages.deliveries import MOST_CHANGES, delivery_of, opened, proof_of
from api.pages.limits import Limit
from api.pages.plain_route import PlainRoute
from api.pages.services import From, PageServices, services_of
from api.pages.sessions import see
from api.pages.stamped import read_stamped
from api.pages.stamps import FIELD
from api.pages.topics import label_of
from api.pages.wordings import keep_undo
from core.errors import Conflict, NotFound, TodokuError
from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE
from members.errors import Suppressed
from members.scopes import ALL, topic_scope
from tracking.leaving import WHYS, Delivery

router = APIRouter()

_TOPIC, _EVERYTHING = "topic", "all"


async def leave(request: Request) -> Response:
    """Leave; it is in effect before this answers.

    Many leave at once after a large campaign: nothing is read but by the statement that stops.
    """
    token: str = request.path_params["token"]
    services = services_of(request)
    content = opened(services, token, SLOT_UNSUBSCRIBE)
    try:
        form = await read_stamped(request, token)
    except TodokuError:
        await delivery_of(request, token, SLOT_UNSUBSCRIBE)  # for the account's look on what is said now
        raise
    await services.unsubscribes.leave(content.run_id, content.seq, topic_alone=form.text("what") == _TOPIC)
    return _back(token)


LEAVE = PlainRoute("/u/{token}", leave, methods=["POST"])


@router.get("/u/{token}")
async def show(token: str, request: Request, services: From, thanks: Annotated[bool, Query()] = False) -> Response:
    """Say what the button ends, or that it is ended."""
    delivery, branding = await delivery_of(request, token, SLOT_UNSUBSCRIBE)
    standing = await services.leaving.standing(delivery.account_id, delivery.member_id)
    language = services.pages.language(request, branding)
    topic = await _topic(services, delivery, language)
    return services.pages.render(
        request,
        "unsubscribe.html",
        branding=branding,
        topic=topic,
        left_topic=delivery.topic_id is not None and topic_scope(delivery.topic_id) in standing,
        left_all=ALL in standing,
        whys=WHYS,
        thanks=thanks,
        path=f"/u/{token}",
        preferences=f"/p/{services.signer.mint(delivery.run_id, delivery.seq, [SLOT_PREFERENCES])[0]}",
        stamp=(FIELD, services.stamps.make(token)),
    )


@router.post("/u/{token}/why")
async def say_why(token: str, request: Request, services: From) -> Response:
    """Count why; nothing but what was left hangs on it."""
    delivery, _ = await delivery_of(request, token, SLOT_UNSUBSCRIBE)
    form = await read_stamped(request, token)
    why = next((one for one in WHYS if one == form.text("why")), None)
    if why is not None:
        await services.leaving.say_why(delivery.run_id, delivery.seq, why)
    return _back(token, "?thanks=true")


@router.post("/u/{token}/undo")
async def undo(token: str, request: Request, services: From) -> Response:
    """Take leaving back by a consent, which is recorded with what the button said."""
    delivery, branding = await delivery_of(request, token, SLOT_UNSUBSCRIBE)
    form = await read_stamped(request, token)
    await services.limits.count([Limit("choices", str(delivery.member_id), MOST_CHANGES, 3_600)])
    of_topic = form.text("what") == _TOPIC
    version = await keep_undo(services, request, branding)
    try:
        topic_id: UUID | None = delivery.topic_id if of_topic else None
        await services.choosing.take_back(proof_of(delivery), topic_id, source="unsubscribe undone", version=version)
    except Suppressed as error:
        raise Conflict("Something else keeps mail from this address") from error
    return _back(token)


async def _topic(services: PageServices, delivery: Delivery, language: str) -> str | None:
    """Return what the mail's topic is called, None for a mail about none (any more)."""
    if delivery.topic_id is None:
        return None
    try:
        return label_of(await services.topics.get(delivery.account_id, delivery.topic_id), language)
    except NotFound:
        return None


def _back(token: str, query: str = "") -> Response:
    return see(f"/u/{token}{query}")
