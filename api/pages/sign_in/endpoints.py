"""Signing in to a member's own page.

    POST /my/{account}/link       has a link mailed
    POST /my/{account}/sign-in    by address and password

Wrong and unknown are answered alike, in words and in time, and counted alike: by address and by network. Whoever has
tried too often waits, whether they would have been right or not.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from api.pages import refusals
from api.pages.accounts import branding_of
from api.pages.client_address import network_of
from api.pages.errors import TooOften
from api.pages.limits import Limit
from api.pages.services import From, PageServices
from api.pages.sessions import home_of, welcome
from api.pages.sign_in.page import sign_in_page
from api.pages.stamped import read_stamped
from members.signup import SignupRequest
from scheduler.letters import Kind

router = APIRouter()

TRIES = 5
TRIES_SECONDS = 900.0
NETWORK_TRIES = 50
DAY = 86_400.0


@router.post("/my/{account}/link")
async def mail_link(account: str, request: Request, services: From) -> Response:
    """Hand in, sealed, that somebody at an address wants to sign in: the same statement and answer whoever it is."""
    branding = await branding_of(request, account)
    form = await read_stamped(request, home_of(branding))
    client = services.clients.of(request)
    await services.limits.count([Limit("sign-in links by network", network_of(client), NETWORK_TRIES, TRIES_SECONDS)])
    asked = SignupRequest(
        address=form.narrow("email"),
        values={},
        topics=(),
        wording="",
        source="sign-in",
        origin=str(client),
        language=services.pages.language(request, branding),
        asks="sign_in",
    )
    await services.signups.hand_in(branding.account_id, asked)
    return sign_in_page(request, services, branding, said="mailed")


@router.post("/my/{account}/sign-in")
async def sign_in(account: str, request: Request, services: From) -> Response:
    """Sign in by a password."""
    branding = await branding_of(request, account)
    form = await read_stamped(request, home_of(branding))
    address = form.narrow("email").lower()
    network = network_of(services.clients.of(request))
    try:
        await services.limits.count(
            [
                Limit("password", f"{branding.account_id} {address}", TRIES, TRIES_SECONDS),
                Limit("password by network", network, NETWORK_TRIES, TRIES_SECONDS),
            ]
        )
    except TooOften as error:
        # Told after the answer, which so takes as long for whoever is asked.
        answer = refusals.page(request, error)
        answer.background = BackgroundTask(_warn, services, branding.account_id, address)
        return answer
    proof = await services.passwords.compare(branding.account_id, address, form.text("password"))
    if proof is None:
        return sign_in_page(request, services, branding, said="wrong", status=400)
    return await welcome(services, proof, branding)


async def _warn(services: PageServices, account_id: UUID, address: str) -> None:
    """Tell a member by letter, once a day, that somebody keeps trying passwords."""
    member_id = await services.passwords.owner(account_id, address)
    if member_id is None:
        return
    if not await services.letters.recent(account_id, member_id, Kind.FAILED_LOG_INS, seconds=DAY):
        await services.letters.ask(Kind.FAILED_LOG_INS, account_id, services.new_id(), member_id)
