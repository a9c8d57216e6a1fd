"""Where the link of a letter leads: one address for all kinds, each kind with the pages of its own concern.

GET shows and changes nothing, as programs that look into mail follow links; only a form's POST answers.
"""

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request, Response

from api.pages.accounts import branding_of
from api.pages.errors import Expired, Misdirected
from api.pages.forms import Form, read_form, require_same_site
from api.pages.services import From, PageServices
from api.pages.stamps import FIELD
from core.errors import Tampered
from core.tokens import SLOT_LETTER
from scheduler.branding import Branding
from scheduler.letters import Kind, Letter

MOST_SECONDS = 12 * 3600.0


class LetterPages(Protocol):
    """What a concern shows for its kind of letter; `token` is the link's own, a form's stamp is made for it."""

    async def show(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, token: str, /
    ) -> Response:
        """Show what the letter asks for, whatever became of it so far; change nothing."""

    async def answer(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, form: Form, /
    ) -> Response:
        """Do what the form asks for. An expired letter comes here too."""


def letter_router(concerns: Mapping[Kind, LetterPages]) -> APIRouter:
    """Return the routes of letters, each kind in the hands of its concern."""
    router = APIRouter()

    async def opened(token: str, request: Request, services: PageServices) -> tuple[Letter, Branding, LetterPages]:
        content = services.signer.open(token)
        if content.slot != SLOT_LETTER:
            raise Tampered
        letter = await services.letters.opened(content.run_id, content.seq)
        branding = await branding_of(request, letter.account_id)
        pages = concerns.get(letter.kind)
        if pages is None:
            raise Expired
        return letter, branding, pages

    @router.get("/l/{token}")
    async def show_letter(token: str, request: Request, services: From) -> Response:
        """Show what a letter asks for."""
        letter, branding, pages = await opened(token, request, services)
        return await pages.show(request, services, letter, branding, token)

    @router.post("/l/{token}")
    async def answer_letter(token: str, request: Request, services: From) -> Response:
        """Take the answer to a letter, from the form that its page has."""
        letter, branding, pages = await opened(token, request, services)
        require_same_site(request)
        form = await read_form(request)
        if services.stamps.judge(f"/l/{token}", form.text(FIELD), most=MOST_SECONDS) != "good":
            raise Misdirected
        return await pages.answer(request, services, letter, branding, form)

    return router
