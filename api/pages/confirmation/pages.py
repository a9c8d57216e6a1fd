"""Confirming a sign-up: a button that says yes, another that says that it was somebody else, and a new letter.

The answer is noted in the main database, in the request that gives it; a worker makes it true in the vault within a
moment. It is given once: the link opened again shows what it came to.
"""

from fastapi import Request, Response

from api.pages.errors import Expired, TooOften
from api.pages.forms import Form
from api.pages.letters.said import ACTION, said
from api.pages.services import PageServices
from scheduler.branding import Branding
from scheduler.letters import Kind, Letter

MOST_A_DAY = 5
"""Letters to confirm that one member is sent."""
DAY = 86_400


class ConfirmationPages:
    """The pages of letters of the kind `confirm`."""

    async def show(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, token: str, /
    ) -> Response:
        """Show the two buttons; once it is answered, what came of it; once it has expired, how to get a new one."""
        if letter.answered is not None:
            return _answered(request, services, letter, branding)
        return services.pages.render(
            request,
            "confirm.html",
            branding=branding,
            member_locale=letter.language,
            status=410 if letter.expired else 200,
            expired=letter.expired,
            stamp=services.stamps.make(f"/l/{token}"),
        )

    async def answer(
        self, request: Request, services: PageServices, letter: Letter, branding: Branding, form: Form, /
    ) -> Response:
        """Note the answer, or ask for another letter."""
        if form.text(ACTION) == "again" and letter.answered is None:
            return await self._again(request, services, letter, branding)
        if letter.expired and letter.answered is None:
            raise Expired
        answered = await services.letters.answer(letter.letter_id, said(form))
        return _answered(request, services, letter, branding, answered)

    async def _again(self, request: Request, services: PageServices, letter: Letter, branding: Branding) -> Response:
        sent = await services.letters.recent(letter.account_id, letter.member_id, Kind.CONFIRM, seconds=DAY)
        if sent >= MOST_A_DAY:
            raise TooOften(DAY)
        await services.letters.ask(
            Kind.CONFIRM,
            letter.account_id,
            services.new_id(),
            letter.member_id,
            language=letter.language,
            subject_id=letter.subject_id,
        )
        return services.pages.render(
            request, "signup_sent.html", branding=branding, member_locale=letter.language, form_path=None
        )


def _answered(
    request: Request, services: PageServices, letter: Letter, branding: Branding, answered: str | None = None
) -> Response:
    return services.pages.render(
        request,
        "confirmed.html",
        branding=branding,
        member_locale=letter.language,
        accepted=(answered or letter.answered) == "accepted",
    )
