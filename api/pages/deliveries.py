"""Which mail a request's link came out of: its token proves whose pages may be shown."""

from fastapi import Request

from api.pages.accounts import branding_of
from api.pages.services import PageServices, services_of
from core.errors import Tampered
from core.tokens import TokenContent
from members.proven import Proof
from scheduler.branding import Branding
from tracking.leaving import Delivery

MOST_CHANGES = 60
"""How often an hour a member's choices may be changed."""


async def delivery_of(request: Request, token: str, slot: int) -> tuple[Delivery, Branding]:
    """Return the mail that an authentic token for `slot` names, and its account's look; raise Tampered or NotFound."""
    services = services_of(request)
    content = opened(services, token, slot)
    delivery = await services.leaving.delivery(content.run_id, content.seq)
    return delivery, await branding_of(request, delivery.account_id)


def opened(services: PageServices, token: str, slot: int) -> TokenContent:
    """Return what an authentic token for `slot` names; raise Tampered for any other."""
    content = services.signer.open(token)
    if content.slot != slot:
        raise Tampered
    return content


def proof_of(delivery: Delivery) -> Proof:
    """Return what holding a mail's link proves: to be the member that it was sent to."""
    return Proof(delivery.account_id, delivery.member_id)
