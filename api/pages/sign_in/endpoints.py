"""Signing in to a member's own page.

    POST /my/{account}/sign-in    by address and password

Wrong and unknown are answered alike, in words and in time, and counted alike: by address and by network. Whoever has
tried too often waits, whether they would have been right or not.
"""

from fastapi import APIRouter, Request, Response

from api.pages.accounts import branding_of
from api.pages.client_address import network_of
from api.pages.limits import Limit
from api.pages.services import From
from api.pages.sessions import home_of, welcome
from api.pages.sign_in.page import sign_in_page
from api.pages.stamped import read_stamped

router = APIRouter()

TRIES = 5
TRIES_SECONDS = 900.0
NETWORK_TRIES = 50


@router.post("/my/{account}/sign-in")
async def sign_in(account: str, request: Request, services: From) -> Response:
    """Sign in by a password."""
    branding = await branding_of(request, account)
    form = await read_stamped(request, home_of(branding))
    address = form.narrow("email").lower()
    network = network_of(services.clients.of(request))
    await services.limits.count(
        [
            Limit("password", f"{branding.account_id} {address}", TRIES, TRIES_SECONDS),
            Limit("password by network", network, NETWORK_TRIES, TRIES_SECONDS),
        ]
    )
    proof = await services.passwords.compare(branding.account_id, address, form.text("password"))
    if proof is None:
        return sign_in_page(request, services, branding, said="wrong", status=400)
    return await welcome(services, proof, branding)
