"""Whose page a request asks for, where its path names the account."""

from uuid import UUID

from fastapi import Request

from api.pages.services import services_of
from core import ids
from scheduler.branding import Branding


async def branding_of(request: Request, account: str | UUID) -> Branding:
    """Return the branding of an account, by its id or as ids are shown; raise NotFound.

    From here on what goes wrong with the request is told in the account's look.
    """
    account_id = ids.decode("acc", account) if isinstance(account, str) else account
    branding = await services_of(request).branding.get(account_id)
    request.state.branding = branding
    return branding
