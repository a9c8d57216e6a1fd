"""/v1/suppressions: addresses that get no mail, whatever else holds."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, status

from api.auth import By, Requires
from api.pagination import Listed, Page
from api.route import Route
from api.services import From
from api.suppressions.schemas import NewSuppression, SuppressionPath, SuppressionShown, digest_of, shown
from core.errors import Fault, InvalidInput, NotFound
from members.errors import BadAddress

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], route_class=Route)


class SuppressionsPage(Page):
    """Which entries are asked for; they stand in the order of their hashes."""

    count: Literal[False] = False

    @property
    def after_digest(self) -> bytes | None:
        """The hash after which the page begins."""
        if self.cursor is None:
            return None
        try:
            return digest_of(self.cursor)
        except NotFound:
            fault = Fault("/query/cursor", "invalid", "Send `next` of the page before, unchanged")
            raise InvalidInput("The cursor is not one of ours", [fault]) from None


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("suppressions:write")])
async def suppress(body: NewSuppression, response: Response, by: By, services: From) -> SuppressionShown:
    """Suppress an address. One that is suppressed already keeps its first reason."""
    try:
        made = shown(await services.suppressions.add(by.account_id, body.email))
    except BadAddress as error:
        error.faults = (Fault("/email", error.code, error.detail),)
        raise
    response.headers["Location"] = f"/v1/suppressions/{made.id}"
    return made


@router.get("", dependencies=[Requires("suppressions:read")])
async def list_suppressions(
    page: Annotated[SuppressionsPage, Query()], by: By, services: From
) -> Listed[SuppressionShown]:
    """List what is suppressed."""
    found, following = await services.suppressions.list(by.account_id, after=page.after_digest, limit=page.limit)
    return Listed(items=[shown(entry) for entry in found], next=None if following is None else f"sup_{following.hex()}")


@router.get("/{suppression_id}", dependencies=[Requires("suppressions:read")])
async def get_suppression(suppression_id: SuppressionPath, by: By, services: From) -> SuppressionShown:
    """Read an entry."""
    return shown(await services.suppressions.get(by.account_id, digest_of(suppression_id)))


@router.delete(
    "/{suppression_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("suppressions:write")]
)
async def lift_suppression(suppression_id: SuppressionPath, by: By, services: From) -> None:
    """Lift a suppression. A member who unsubscribed stays unsubscribed until consenting again."""
    digest = digest_of(suppression_id)
    await services.suppressions.get(by.account_id, digest)
    # The queue first: were the list's entry gone already, nobody could ask for the rest again.
    await services.stops.forgive(by.account_id, await services.suppressions.members_of(by.account_id, digest))
    await services.suppressions.remove(by.account_id, digest)
