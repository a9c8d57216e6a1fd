"""Signing up: the hosted form, what follows it, and the snippet that another site's page may embed.

Whatever the address, the form is answered alike: it is sealed and added to what waits, and nothing is looked up.
"""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.pages.accounts import branding_of
from api.pages.forms import Form, is_same_site, read_form
from api.pages.language import PARAMETER
from api.pages.plain_route import PlainRoute
from api.pages.services import From, PageServices, services_of
from api.pages.sessions import see
from api.pages.signup import fields
from api.pages.signup.form import (
    CONSENT,
    HONEYPOT,
    LEAST_SECONDS,
    MOST_SECONDS,
    TOPIC,
    Filled,
    SignupForm,
    faults_of,
    hand_in,
    open_form,
)
from api.pages.stamps import FIELD

router = APIRouter()

SOURCE = "sign-up form"
_NOTHING = Filled("", {}, frozenset(), consents=False)


@router.get("/f/{account}")
async def show_form(account: str, request: Request, services: From) -> Response:
    """Show an account's sign-up form."""
    return _page(request, services, await open_form(request, services, account), _NOTHING)


async def send_form(request: Request) -> Response:
    """Take a form in. What another site's page sends is shown once more, to be looked at and sent from here."""
    account: str = request.path_params["account"]
    services = services_of(request)
    form, sent = await open_form(request, services, account), await read_form(request)
    filled = _filled(form, sent)
    faults = faults_of(form, filled)
    if faults:
        return _page(request, services, form, filled, faults)
    stamp = services.stamps.judge(form.subject, sent.text(FIELD), least=LEAST_SECONDS, most=MOST_SECONDS)
    if stamp != "good" or not is_same_site(request):
        return _page(request, services, form, filled, again=True)
    # A program is told what a person is told, so that it does not try another way.
    if not sent.has(HONEYPOT) or not sent.text(HONEYPOT):
        await hand_in(request, services, form, filled, SOURCE)
    return see(f"{form.subject}/sent?{PARAMETER}={form.language}")


SEND_FORM = PlainRoute("/f/{account}", send_form, methods=["POST"])


@router.get("/f/{account}/sent")
async def show_sent(account: str, request: Request, services: From) -> Response:
    """Say that a letter is on its way, as to everybody."""
    branding = await branding_of(request, account)
    return services.pages.render(request, "signup_sent.html", branding=branding, form_path=f"/f/{account}")


@router.get("/f/{account}/snippet")
async def show_snippet(account: str, request: Request, services: From) -> Response:
    """Show HTML that another site's page may embed: a form that leads here."""
    form = await open_form(request, services, account)
    return services.pages.render(
        request,
        "signup_snippet.html",
        branding=form.branding,
        action=f"{services.url}{form.subject}",
        language=form.language,
        consent=form.wording.consent,
    )


def _filled(form: SignupForm, sent: Form) -> Filled:
    return Filled(
        address=sent.narrow(fields.ADDRESS),
        values=fields.typed(sent, form.attributes),
        topics=frozenset(sent.every(TOPIC)),
        consents=sent.has(CONSENT),
    )


def _page(
    request: Request,
    services: PageServices,
    form: SignupForm,
    filled: Filled,
    faults: dict[str, str] | None = None,
    *,
    again: bool = False,
) -> Response:
    return services.pages.render(
        request,
        "signup.html",
        branding=form.branding,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        form=form,
        fields=[fields.field(attribute, form.language) for attribute in form.attributes],
        filled=filled,
        faults=faults or {},
        again=again,
        stamp=services.stamps.make(form.subject),
        prefix=fields.PREFIX,
    )
