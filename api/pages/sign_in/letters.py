"""What the link of a letter opens: a member's own page, once."""

from fastapi import Request, Response

from api.pages.errors import Expired
from api.pages.forms import Form
from api.pages.letters.said import said
from api.pages.services import PageServices
from api.pages.sessions import welcome
from api.pages.stamps import FIELD
from members.proven import Proof
from scheduler.branding import Branding
from scheduler.letters import Kind, Letter


class EnteringPages:
    """The pages of letters by which a member signs in: asked for, or sent to who signed up and was there already.

    A GET opens nothing: programs that look into mail would use the link up.
    """

    async def show(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, token: str, /
    ) -> Response:
        """Show the button that signs in."""
        if letter.expired or letter.answered is not None:
            raise Expired
        return services.pages.render(
            request,
            "enter.html",
            branding=branding,
            member_locale=letter.language,
            already=letter.kind is Kind.ALREADY_MEMBER,
            stamp=(FIELD, services.stamps.make(f"/l/{token}")),
        )

    async def answer(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, form: Form, /
    ) -> Response:
        """Sign in, or note that it was somebody else who asked; whoever comes second is told that it is over."""
        answer = said(form)
        if letter.expired or not await services.letters.use(letter.letter_id, answer):
            raise Expired
        if answer == "disowned":
            return services.pages.render(request, "disowned.html", branding=branding, member_locale=letter.language)
        return await welcome(services, Proof(letter.account_id, letter.member_id), branding)
