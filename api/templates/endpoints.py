"""/v1/templates: what campaigns say, in versions that never change."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

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
from delivery.compose.content import Attachment
from delivery.templates import TemplateDraft, checked, render

router = APIRouter(prefix="/v1/templates", tags=["templates"], route_class=Route)

MAX_VERSION = 1_000_000


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("templates:write")])
async def create_template(body: NewTemplate, response: Response, by: By, services: From) -> TemplateShown:
    """Create a template. Every fault in it is listed at once, with its line."""
    names = await _names(by, services)
    draft = _draft(**dict(body))
    made = await services.templates.create(by.account_id, draft, names, await _attached(draft, by, services))
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
    names = await _names(by, services)
    draft = _draft(name="unnamed", **dict(body))
    found = await checked(draft, names, await _attached(draft, by, services))
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
    draft = _draft(**{**asdict(present.as_draft()), **{name: getattr(body, name) for name in body.model_fields_set}})
    names, attached = await _names(by, services), await _attached(draft, by, services)
    changed = await services.templates.change(by.account_id, template_id, revision, draft, names, attached)
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.post("/{template_id}/check", dependencies=[Requires("templates:read")])
async def check_template(template_id: TemplatePath, by: By, services: From) -> Checked:
    """Check a stored template against the attributes as they are now."""
    draft = (await services.templates.get(by.account_id, template_id)).as_draft()
    attached = await _attached(draft, by, services)
    found = await checked(draft, await _names(by, services), attached)
    return Checked(links=list(found.links))


@router.post("/{template_id}/render", dependencies=[Requires("templates:read")])
async def render_template(template_id: TemplatePath, body: Value, by: By, services: From) -> Rendered:
    """Show what one recipient would read: a member, given values, or a member with some values otherwise."""
    draft = (await services.templates.get(by.account_id, template_id)).as_draft()
    names, attached = await services.attributes.names(by.account_id), await _attached(draft, by, services)
    values = await _values_of_member(body, by, services)
    values |= {names.get(name, name): value for name, value in body.values.items()}
    # A template may say any name of an attribute.
    said = {name: values[key] for name, key in names.items() if key in values}
    preview = await render(draft, list(names), attached, said)
    return Rendered.model_validate(preview)


def _draft(*, attachments: Sequence[UUID], **words: str) -> TemplateDraft:
    return TemplateDraft(**words, attachments=tuple(attachments))


async def _attached(draft: TemplateDraft, by: Caller, services: Services) -> tuple[Attachment, ...]:
    return await services.attachments.named(by.account_id, draft.attachments)


async def _names(by: Caller, services: Services) -> list[str]:
    return list(await services.attributes.names(by.account_id))


async def _values_of_member(body: Value, by: Caller, services: Services) -> dict[str, object]:
    """Return a member's values by key; none if no member is named."""
    if body.member is None:
        return {}
    if not by.may("members:read"):
        raise PermissionDenied("Rendering with a member needs the scope members:read")
    found = await services.vault.open_members(by.account_id, [body.member])
    if not found:
        raise InvalidInput("There is no such member", [Fault("/member", "unknown", "There is no such member")])
    return dict(found[0].values)
