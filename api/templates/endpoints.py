"""/v1/templates: what campaigns say, in versions that never change."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api import revisions
from api.auth import By, Caller, Requires
from api.pagination import Listed, Paged, cut
from api.revisions import IfMatch
from api.route import Route
from api.services import From, Services
from api.templates.schemas import (
    Checked,
    NewTemplate,
    Rendered,
    TemplateChange,
    TemplateShown,
    Value,
    Words,
    shown,
)
from api.values import TemplatePath
from core import ids
from core.errors import Fault, InvalidInput, PermissionDenied
from delivery.templates import TemplateDraft, checked, render

router = APIRouter(prefix="/v1/templates", tags=["templates"], route_class=Route)

MAX_VERSION = 1_000_000


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("templates:write")])
async def create_template(body: NewTemplate, response: Response, by: By, services: From) -> TemplateShown:
    """Create a template. Every fault in it is listed at once, with its line."""
    names = await services.attribute_names(by.account_id)
    made = await services.templates.create(by.account_id, TemplateDraft(**body.model_dump()), names)
    response.headers["Location"] = f"/v1/templates/{ids.encode('tpl', made.template_id)}"
    revisions.tag(response, made.revision)
    return shown(made)


@router.get("", dependencies=[Requires("templates:read")])
async def list_templates(page: Paged, by: By, services: From) -> Listed[TemplateShown]:
    """List templates at their newest versions, oldest first."""
    found = await services.templates.list(by.account_id, after=page.after, limit=page.limit)
    return Listed(
        items=[shown(template) for template in found],
        next=cut(found, page, found[-1].template_id if found else None),
        count=await services.templates.count(by.account_id) if page.count else None,
    )


@router.post("/check", dependencies=[Requires("templates:read")])
async def check_words(body: Words, by: By, services: From) -> Checked:
    """Check a template that is not stored; the answer is 422 with every fault, or its links."""
    names = await services.attribute_names(by.account_id)
    found = await checked(TemplateDraft("unnamed", **body.model_dump()), names)
    return Checked(links=list(found.links))


@router.get("/{template_id}", dependencies=[Requires("templates:read")])
async def get_template(
    template_id: TemplatePath,
    response: Response,
    by: By,
    services: From,
    version: Annotated[int | None, Query(ge=1, le=MAX_VERSION, description="The newest, if none is named")] = None,
) -> TemplateShown:
    """Read a template."""
    template = await services.templates.get(by.account_id, template_id, version)
    revisions.tag(response, template.revision)
    return shown(template)


@router.patch("/{template_id}", dependencies=[Requires("templates:write")])
async def change_template(
    template_id: TemplatePath, revision: IfMatch, body: TemplateChange, response: Response, by: By, services: From
) -> TemplateShown:
    """Change a template: other words are a new version. What is scheduled keeps the version it was scheduled with."""
    present = await services.templates.get(by.account_id, template_id)
    draft = replace(present.as_draft(), **body.model_dump(exclude_unset=True))
    names = await services.attribute_names(by.account_id)
    changed = await services.templates.change(by.account_id, template_id, revision, draft, names)
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.post("/{template_id}/check", dependencies=[Requires("templates:read")])
async def check_template(template_id: TemplatePath, by: By, services: From) -> Checked:
    """Check a stored template against the attributes as they are now."""
    template = await services.templates.get(by.account_id, template_id)
    found = await checked(template.as_draft(), await services.attribute_names(by.account_id))
    return Checked(links=list(found.links))


@router.post("/{template_id}/render", dependencies=[Requires("templates:read")])
async def render_template(template_id: TemplatePath, body: Value, by: By, services: From) -> Rendered:
    """Show what one recipient would read: a member, given values, or a member with some values otherwise."""
    template = await services.templates.get(by.account_id, template_id)
    values = {**await _values_of_member(body, by, services), **body.values}
    preview = await render(template.as_draft(), await services.attribute_names(by.account_id), values)
    return Rendered.model_validate(preview)


async def _values_of_member(body: Value, by: Caller, services: Services) -> dict[str, object]:
    if body.member is None:
        return {}
    if not by.may("members:read"):
        raise PermissionDenied("Rendering with a member needs the scope members:read")
    found = await services.vault.open_members(by.account_id, [body.member])
    if not found:
        raise InvalidInput("There is no such member", [Fault("/member", "unknown", "There is no such member")])
    return dict(found[0].values)
