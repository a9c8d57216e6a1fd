"""/v1/attributes: what an account keeps of its members, defined at run time."""

from fastapi import APIRouter, Response, status

from api import revisions
from api.attributes.schemas import AttributeChange, AttributeShown, NewAttribute, shown, stored
from api.auth import By, Requires
from api.pagination import Listed, Paged, part
from api.revisions import IfMatch
from api.route import Route
from api.services import From
from api.values import AttributePath
from core import ids

router = APIRouter(prefix="/v1/attributes", tags=["attributes"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("attributes:write")])
async def define_attribute(body: NewAttribute, response: Response, by: By, services: From) -> AttributeShown:
    """Define an attribute; it can be used at once."""
    made = await services.attributes.define(
        by.account_id,
        body.name,
        body.type,
        protection=body.protection,
        label=body.label,
        choices=stored(body.choices),
        required=body.required,
        ask_at_signup=body.ask_at_signup,
        member_editable=body.member_editable,
        default=body.default,
    )
    response.headers["Location"] = f"/v1/attributes/{ids.encode('atr', made.attribute_id)}"
    revisions.tag(response, made.revision)
    return shown(made)


@router.get("", dependencies=[Requires("attributes:read")])
async def list_attributes(page: Paged, by: By, services: From) -> Listed[AttributeShown]:
    """List attributes, oldest first."""
    whole = await services.attributes.list(by.account_id)
    found, following = part(whole, page, lambda attribute: attribute.attribute_id)
    return Listed(
        items=[shown(attribute) for attribute in found], next=following, count=len(whole) if page.count else None
    )


@router.get("/{attribute_id}", dependencies=[Requires("attributes:read")])
async def get_attribute(attribute_id: AttributePath, response: Response, by: By, services: From) -> AttributeShown:
    """Read an attribute."""
    attribute = await services.attributes.get(by.account_id, attribute_id)
    revisions.tag(response, attribute.revision)
    return shown(attribute)


@router.patch("/{attribute_id}", dependencies=[Requires("attributes:write")])
async def change_attribute(
    attribute_id: AttributePath, revision: IfMatch, body: AttributeChange, response: Response, by: By, services: From
) -> AttributeShown:
    """Change an attribute. Under a new name its values stay, and whatever says the former name goes on working."""
    present = await services.attributes.get(by.account_id, attribute_id)
    if body.protection not in {None, present.protection}:
        told = {"from": present.protection, "to": body.protection}
        shown_id = ids.encode("atr", attribute_id)
        await services.audit.record(by.account_id, by.actor, "attribute.protection_changed", shown_id, told)
    changed = await services.attributes.change(
        by.account_id,
        attribute_id,
        revision,
        name=body.name,
        protection=body.protection,
        label=body.label,
        choices=None if body.choices is None else stored(body.choices),
        required=body.required,
        ask_at_signup=body.ask_at_signup,
        member_editable=body.member_editable,
        default=body.default if "default" in body.model_fields_set else ...,
    )
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.delete("/{attribute_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("attributes:write")])
async def remove_attribute(attribute_id: AttributePath, by: By, services: From) -> None:
    """Remove an attribute; its values are shown no more, and cleared from every member in the background."""
    await services.attributes.remove(by.account_id, attribute_id)
