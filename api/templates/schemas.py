"""Templates as they are sent and shown."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.values import Answer, AttachmentId, Body, MemberId, Name, TemplateId
from delivery.compose.bounds import MAX_ATTACHMENTS, MAX_SOURCE
from delivery.templates import StoredTemplate

Source = Annotated[str, Field(max_length=MAX_SOURCE)]
Attached = Annotated[
    list[AttachmentId],
    Field(max_length=MAX_ATTACHMENTS, description="Those that `html` names by `cid:NAME` are shown in it"),
]

_EXAMPLE: JsonDict = {
    "name": "news",
    "subject": "{{ name }} 様へ",
    "html": '<p>{{ name }} 様</p><p><a href="https://example.com/news">新着</a></p>',
}


class NewTemplate(Body):
    """A template in Todoku's closed language. An empty `text` is derived from `html`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    subject: Source
    preheader: Source = ""
    html: Source = ""
    text: Source = ""
    attachments: Attached = Field(default_factory=list)


class TemplateChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": "{{ name }} 様、新着です"}]})

    name: Name = ""
    subject: Source = ""
    preheader: Source = ""
    html: Source = ""
    text: Source = ""
    attachments: Attached = Field(default_factory=list)


class Words(Body):
    """A template that is not stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{k: v for k, v in _EXAMPLE.items() if k != "name"}]})

    subject: Source
    preheader: Source = ""
    html: Source = ""
    text: Source = ""
    attachments: Attached = Field(default_factory=list)


class Value(Body):
    """Values to render with: given ones by attribute, or those of a member."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"values": {"name": "山田"}}]})

    values: dict[str, str | int | float | bool | list[str] | None] = Field(default_factory=dict, max_length=200)
    member: MemberId | None = Field(None, description="Needs members:read")


class TemplateShown(Answer):
    """A template at one of its versions."""

    id: TemplateId
    name: str
    version: int
    subject: str
    preheader: str
    html: str
    text: str
    attachments: list[AttachmentId]
    created_at: datetime
    updated_at: datetime


class Checked(Answer):
    """A template without fault: the links that would be tracked, in order."""

    links: list[str]


class Rendered(Answer):
    """What one recipient would read; links lead nowhere."""

    subject: str
    html: str | None
    text: str


def shown(template: StoredTemplate) -> TemplateShown:
    """Return what the API shows of a template."""
    return TemplateShown(
        id=template.template_id,
        name=template.name,
        version=template.version,
        subject=template.subject,
        preheader=template.preheader,
        html=template.html,
        text=template.text,
        attachments=list(template.attachments),
        created_at=template.created_at,
        updated_at=template.updated_at,
    )
