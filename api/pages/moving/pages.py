"""The letters of a change of address: the new one says that it is the reader's, the old one that its owner wants it."""

from fastapi import Request, Response

from api.pages.errors import Expired
from api.pages.forms import Form
from api.pages.letters.said import said
from api.pages.services import PageServices
from api.pages.stamps import FIELD
from scheduler.branding import Branding
from scheduler.letters import Kind, Letter


class MovingPages:
    """The pages of letters of the kinds `confirm_new_address` and `address_changing`."""

    async def show(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, token: str, /
    ) -> Response:
        """Ask; once it is answered, say what it came to."""
        if letter.expired and letter.answered is None:
            raise Expired
        return self._page(request, services, letter, branding, letter.answered, f"/l/{token}")

    async def answer(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, form: Form, /
    ) -> Response:
        """Note the answer; a worker makes it true once the other address has answered too."""
        answer = said(form)
        if letter.expired and letter.answered is None:
            raise Expired
        answered = await services.letters.answer(letter.letter_id, answer)
        return self._page(request, services, letter, branding, answered, "")

    def _page(
        self,
        request: Request,
        services: PageServices,
        letter: Letter,
        branding: Branding,
        answered: str | None,
        subject: str,
    ) -> Response:
        return services.pages.render(
            request,
            "moving.html",
            branding=branding,
            member_locale=letter.language,
            answered=answered,
            to_new=letter.kind is Kind.CONFIRM_NEW_ADDRESS,
            stamp=(FIELD, services.stamps.make(subject)),
        )
