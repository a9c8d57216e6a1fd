"""What a member may choose by the link in any mail, without logging in, or signed in: a form a choice, each by itself.

    GET  /p/{token}             all choices as they stand
    POST /p/{token}/topics      which topics; leaving is in effect at once
    POST /p/{token}/frequency   at most one mail in so many days
    POST /p/{token}/pause       nothing for so many days; 0 ends a pause
    POST /p/{token}/language
    POST /p/{token}/tracking    what may be noted of the reading
    POST /p/{token}/details     the fields that the account opens
    POST /p/{token}/address     another address, once both have said yes by letter
    GET  /my/{account}/choices  the same for who has signed in; POST …/{part} as above

Whoever holds a mail can come here, as can whom it was forwarded to: so nothing is shown beyond these choices. The rest
asks for a mailed link or a password (my_page/).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from fastapi import APIRouter, Request, Response

from api.pages.deliveries import MOST_CHANGES, delivery_of, proof_of
from api.pages.errors import TooOften
from api.pages.forms import Form
from api.pages.language import forget
from api.pages.limits import Limit
from api.pages.preferences.details import details_of, read_details
from api.pages.services import From, PageServices, services_of
from api.pages.sessions import see, visit_of
from api.pages.stamped import read_stamped
from api.pages.stamps import FIELD
from api.pages.topics import label_of
from api.pages.wordings import keep_topics
from core import ids
from core.errors import Conflict, Fault, InvalidInput, NotFound
from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE
from members.attributes import load_definitions
from members.built_in import LOCALE
from members.choices import set_least_days, set_tracking
from members.errors import BadAddress, Suppressed
from members.member import Tracking
from members.moving import want
from members.proven import Proof
from members.scopes import ALL
from members.topics import KIND as TOPIC
from scheduler.branding import Branding
from scheduler.letters import Kind

router = APIRouter()

LEAST_DAYS = (None, 7, 30)
PAUSES = (7, 30, 90)
TRACKING: tuple[Tracking, ...] = get_args(Tracking)
SOURCE = "preferences"
MOVES = (Kind.CONFIRM_NEW_ADDRESS, Kind.ADDRESS_CHANGING)
MOST_MOVES = 3
"""Changes of address that a member may ask for in a day: each mails an address that somebody typed."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody came here: as whom, to whose pages, and what their forms are stamped for.

    `unsubscribe` is the page about leaving, for who came by a mail's link.
    """

    proof: Proof
    branding: Branding
    path: str
    subject: str
    unsubscribe: str | None


@dataclass(frozen=True, slots=True)
class _Change:
    """A form that was sent, and by whom."""

    request: Request
    services: PageServices
    proof: Proof
    branding: Branding
    form: Form


@router.get("/p/{token}")
async def show(token: str, request: Request, services: From) -> Response:
    """Show all choices as they stand."""
    return await _page(request, services, await _by_link(request, token))


@router.post("/p/{token}/{part}")
async def save(token: str, part: str, request: Request, services: From) -> Response:
    """Save one form; with faults it is shown again, with all of them, and nothing is changed."""
    return await _save(request, services, await _by_link(request, token), part)


@router.get("/my/{account}/choices")
async def show_signed_in(account: str, request: Request, services: From) -> Response:
    """Show all choices to who has signed in."""
    return await _page(request, services, await _by_session(request, account))


@router.post("/my/{account}/choices/{part}")
async def save_signed_in(account: str, part: str, request: Request, services: From) -> Response:
    """Save one form of who has signed in."""
    return await _save(request, services, await _by_session(request, account), part)


async def _by_link(request: Request, token: str) -> _Way:
    delivery, branding = await delivery_of(request, token, SLOT_PREFERENCES)
    [leave] = services_of(request).signer.mint(delivery.run_id, delivery.seq, [SLOT_UNSUBSCRIBE])
    return _Way(proof_of(delivery), branding, f"/p/{token}", token, f"/u/{leave}")


async def _by_session(request: Request, account: str) -> _Way:
    visit = await visit_of(request, account)
    return _Way(visit.proof, visit.branding, f"{visit.path}/choices", visit.subject, None)


async def _save(request: Request, services: PageServices, way: _Way, part: str) -> Response:
    change = _CHANGES.get(part)
    if change is None:
        raise NotFound("There is no such form")
    form = await read_stamped(request, way.subject)
    await services.limits.count([Limit("choices", str(way.proof.member_id), MOST_CHANGES, 3_600)])
    try:
        await change(_Change(request, services, way.proof, way.branding, form))
    except Suppressed as error:
        raise Conflict("Something else keeps mail from this address") from error
    except InvalidInput as error:
        faults = {fault.pointer.rpartition("/")[2]: fault.code for fault in error.faults}
        return await _page(request, services, way, form=form, faults=faults)
    answer = see(f"{way.path}?saved={part}")
    if part == "language":
        forget(answer)
    return answer


async def _page(
    request: Request,
    services: PageServices,
    way: _Way,
    *,
    form: Form | None = None,
    faults: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    proof, branding = way.proof, way.branding
    async with services.proven.opened(proof) as mine:
        member = await mine.members.get(proof.account_id, proof.member_id)
        definitions = await load_definitions(mine.connection, proof.account_id)
    member = await services.choosing.standing(proof, member)
    locale = str(member.values.get(LOCALE) or "")
    language = services.pages.language(request, branding, member=locale)
    topics = await services.topics.list(proof.account_id)
    details = details_of(definitions, member.values, language, form)
    return services.pages.render(
        request,
        "preferences.html",
        branding=branding,
        member_locale=locale,
        status=400 if faults else 200,
        member=member,
        topics=[
            (ids.encode(TOPIC, one.topic_id), label_of(one, language), one.topic_id in member.topics) for one in topics
        ],
        least_days=LEAST_DAYS,
        pauses=PAUSES,
        tracking=TRACKING,
        locale=language,
        known_languages=list(services.pages.catalogues),
        details=details,
        faults=[
            *((f"detail-{one.name}", one.label, faults[one.name]) for one in details if one.name in faults),
            *((name, name, code) for name, code in faults.items() if name == "address"),
        ],
        saved=request.query_params.get("saved") if not faults else None,
        path=way.path,
        unsubscribe=way.unsubscribe,
        stamp=(FIELD, services.stamps.make(way.subject)),
    )


async def _save_topics(change: _Change) -> None:
    account_id, services = change.proof.account_id, change.services
    topics = await services.topics.list(account_id)
    ticked = set(change.form.every("topic"))
    language = services.pages.language(change.request, change.branding)
    labels = {ids.encode(TOPIC, one.topic_id): label_of(one, language) for one in topics}
    await services.choosing.set_topics(
        change.proof,
        wanted={one.topic_id for one in topics if ids.encode(TOPIC, one.topic_id) in ticked},
        offered={one.topic_id for one in topics},
        source=SOURCE,
        version=await keep_topics(services, change.branding, language, labels),
    )


async def _leave(change: _Change) -> None:
    await change.services.leaving.stop(change.proof.account_id, change.proof.member_id, [ALL], "unsubscribed")


async def _save_frequency(change: _Change) -> None:
    days = _number(change.form.text("days"), LEAST_DAYS)
    proof = change.proof
    async with change.services.proven.opened(proof) as mine:
        await set_least_days(mine.connection, proof.account_id, proof.member_id, days)


async def _save_pause(change: _Change) -> None:
    await change.services.choosing.pause(change.proof, _number(change.form.text("days"), (None, *PAUSES)))


async def _save_tracking(change: _Change) -> None:
    wanted = next((one for one in TRACKING if one == change.form.text("tracking")), None)
    if wanted is None:
        raise NotFound("There is no such choice")
    proof = change.proof
    async with change.services.proven.opened(proof) as mine:
        await set_tracking(mine.connection, proof.account_id, proof.member_id, wanted)


async def _save_language(change: _Change) -> None:
    language = change.form.text("language")
    if language not in change.services.pages.catalogues:
        raise NotFound("There is no such language")
    await _set_values(change, {LOCALE: language})


async def _save_details(change: _Change) -> None:
    async with change.services.proven.opened(change.proof) as mine:
        definitions = await load_definitions(mine.connection, change.proof.account_id)
    await _set_values(change, read_details(definitions, change.form))


async def _ask_to_move(change: _Change) -> None:
    services, proof = change.services, change.proof
    for kind in MOVES:
        if await services.letters.recent(proof.account_id, proof.member_id, kind, seconds=DAY) >= MOST_MOVES:
            raise TooOften(int(DAY))
    change_id = services.new_id()
    try:
        async with services.proven.opened(proof) as mine:
            await want(mine, change.form.narrow("address"), change_id, services.random)
    except BadAddress:
        raise InvalidInput("", [Fault("/address", "bad-address", "")]) from None
    for kind in MOVES:
        await services.letters.ask(kind, proof.account_id, services.new_id(), proof.member_id, subject_id=change_id)


async def _set_values(change: _Change, values: Mapping[str, Any]) -> None:
    proof = change.proof
    async with change.services.proven.opened(proof) as mine:
        member = await mine.members.get(proof.account_id, proof.member_id)
        await mine.members.change(proof.account_id, proof.member_id, member.revision, values=values)


def _number(text: str, known: tuple[int | None, ...]) -> int | None:
    """Return the one of the `known` numbers that a form says, None for 0."""
    number = int(text) if text.isdecimal() and len(text) < 4 else -1  # noqa: PLR2004 - no more days than 999
    if (number or None) not in known:
        raise NotFound("There is no such choice")
    return number or None


_CHANGES: Mapping[str, Callable[[_Change], Awaitable[None]]] = {
    "topics": _save_topics,
    "frequency": _save_frequency,
    "pause": _save_pause,
    "tracking": _save_tracking,
    "language": _save_language,
    "details": _save_details,
    "address": _ask_to_move,
    "leave": _leave,
}
