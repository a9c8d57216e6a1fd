"""/v1/groups: fixed sets of members."""

from fastapi import APIRouter, Response, status

from api.auth import By, Requires
from api.groups.schemas import GroupShown, Members, Moved, NewGroup, shown
from api.pagination import Listed, Paged, part
from api.route import Route
from api.services import From
from api.values import GroupPath
from core import ids

router = APIRouter(prefix="/v1/groups", tags=["groups"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("groups:write")])
async def create_group(body: NewGroup, response: Response, by: By, services: From) -> GroupShown:
    """Create an empty group."""
    made = await services.groups.create(by.account_id, body.name)
    response.headers["Location"] = f"/v1/groups/{ids.encode('grp', made.group_id)}"
    return shown(made)


@router.get("", dependencies=[Requires("groups:read")])
async def list_groups(page: Paged, by: By, services: From) -> Listed[GroupShown]:
    """List groups, oldest first."""
    whole = await services.groups.list(by.account_id)
    found, following = part(whole, page, lambda group: group.group_id)
    return Listed(items=[shown(group) for group in found], next=following, count=len(whole) if page.count else None)


@router.get("/{group_id}", dependencies=[Requires("groups:read")])
async def get_group(group_id: GroupPath, by: By, services: From) -> GroupShown:
    """Read a group."""
    return shown(await services.groups.get(by.account_id, group_id))


@router.delete("/{group_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("groups:write")])
async def remove_group(group_id: GroupPath, by: By, services: From) -> None:
    """Remove a group. Its members stay."""
    await services.groups.remove(by.account_id, group_id)


@router.post("/{group_id}/members/add", dependencies=[Requires("groups:write")])
async def add_members(group_id: GroupPath, body: Members, by: By, services: From) -> Moved:
    """Put members into a group."""
    return Moved(changed=await services.groups.add(by.account_id, group_id, body.members))


@router.post("/{group_id}/members/remove", dependencies=[Requires("groups:write")])
async def take_out_members(group_id: GroupPath, body: Members, by: By, services: From) -> Moved:
    """Take members out of a group."""
    return Moved(changed=await services.groups.take_out(by.account_id, group_id, body.members))
