"""/v1/account: the account that the key belongs to, and what it sets for all of its campaigns."""

from fastapi import APIRouter, Response

from api import revisions
from api.account.schemas import AccountChange, AccountShown, shown
from api.auth import By, Requires
from api.revisions import IfMatch
from api.route import Route
from api.services import From

router = APIRouter(prefix="/v1/account", tags=["account"], route_class=Route)


@router.get("", dependencies=[Requires("account:read")])
async def get_account(response: Response, by: By, services: From) -> AccountShown:
    """Read the account that the key belongs to."""
    account = await services.accounts.get(by.account_id)
    revisions.tag(response, account.revision)
    return shown(account)


@router.patch("", dependencies=[Requires("account:write")])
async def change_account(
    revision: IfMatch, body: AccountChange, response: Response, by: By, services: From
) -> AccountShown:
    """Change when campaigns stop by themselves, those that run too, and how readers of later ones are tracked."""
    present = await services.accounts.get(by.account_id)
    changed = await services.accounts.change(by.account_id, body.onto(present.fields), revision=revision, by=by.actor)
    revisions.tag(response, changed.revision)
    return shown(changed)
