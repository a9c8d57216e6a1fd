"""Erasing oneself: asked for on the page of what is held, proven by a mailed link, and asked once more behind it.

POST /my/{account}/erase    mails the link
"""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from api.pages.errors import Expired, TooOften
from api.pages.forms import Form
from api.pages.letters.said import said
from api.pages.services import From, PageServices
from api.pages.sessions import COOKIE, see, visit_of
from api.pages.stamped import read_stamped
from api.pages.stamps import FIELD
from members.proven import Proof
from members.scopes import ALL
from scheduler.branding import Branding
from scheduler.letters import Kind, Letter

router = APIRouter()

VALID = timedelta(hours=1)
MOST_A_DAY = 3
DAY = 86_400.0


@router.post("/my/{account}/erase")
async def ask(account: str, request: Request, services: From) -> Response:
    """Mail the link by which a member may erase all that is held."""
    visit = await visit_of(request, account)
    await read_stamped(request, visit.subject)
    account_id, member_id = visit.proof.account_id, visit.proof.member_id
    if await services.letters.recent(account_id, member_id, Kind.ERASE, seconds=DAY) >= MOST_A_DAY:
        raise TooOften(int(DAY))
    language = services.pages.language(request, visit.branding)
    await services.letters.ask(Kind.ERASE, account_id, services.new_id(), member_id, valid=VALID, language=language)
    return see(f"{visit.path}/privacy?asked=erase")


class ErasingPages:
    """The pages of letters of the kind `erase`."""

    async def show(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, token: str, /
    ) -> Response:
        """Ask once more."""
        if letter.expired or letter.answered is not None:
            raise Expired
        return services.pages.render(
            request,
            "erase.html",
            branding=branding,
            member_locale=letter.language,
            erased=False,
            stamp=(FIELD, services.stamps.make(f"/l/{token}")),
        )

    async def answer(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, form: Form, /
    ) -> Response:
        """Erase, or leave everything as it is."""
        answer = said(form)
        if letter.expired or not await services.letters.use(letter.letter_id, answer):
            raise Expired
        if answer == "disowned":
            return services.pages.render(request, "disowned.html", branding=branding, member_locale=letter.language)
        # First nothing more is sent; if the rest fails, a new link can be asked for.
        await services.leaving.stop(letter.account_id, letter.member_id, [ALL], "erased")
        async with services.proven.opened(Proof(letter.account_id, letter.member_id)) as mine:
            await mine.members.erase(letter.account_id, letter.member_id)
        page = services.pages.render(
            request, "erase.html", branding=branding, member_locale=letter.language, erased=True, stamp=None
        )
        page.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return page
