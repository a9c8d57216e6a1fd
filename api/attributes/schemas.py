"""Attributes as they are sent and shown."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.values import Answer, AttributeId, Body
from members.attribute import MAX_CHOICES, MAX_LABEL, Attribute, AttributeType, Protection
from members.attribute import Choice as StoredChoice

Label = Annotated[
    dict[str, str],
    Field(max_length=20, description="By language", examples=[{"ja": "都道府県", "en": "Prefecture"}]),
]

_EXAMPLE: JsonDict = {
    "name": "prefecture",
    "type": "choice",
    "protection": "open",
    "label": {"ja": "都道府県", "en": "Prefecture"},
    "choices": [{"value": "tokyo", "label": {"ja": "東京", "en": "Tokyo"}}],
}


class Choice(Body):
    """One choice."""

    value: str = Field(max_length=MAX_LABEL)
    label: Label = Field(default_factory=dict)


Default = Annotated[
    str | int | float | bool | list[str] | None,
    Field(description="What a new member has who brings no value", examples=["tokyo"]),
]
Choices = Annotated[list[Choice], Field(max_length=MAX_CHOICES)]


class NewAttribute(Body):
    """A definition. The type never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(max_length=63, description="What templates and imports call it")
    type: AttributeType
    protection: Protection = Field("sealed", description="What it can be filtered by; open is stored in plain")
    label: Label = Field(default_factory=dict)
    choices: Choices = Field(default_factory=list)
    required: bool = False
    ask_at_signup: bool = False
    member_editable: bool = False
    default: Default = None


class AttributeChange(Body):
    """What is to be otherwise; what is left out stays. A default of null is taken away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "home", "label": {"ja": "お住まい"}}]})

    name: str | None = Field(None, max_length=63, description="The former name goes on working wherever it stands")
    protection: Protection | None = None
    label: Label | None = None
    choices: Choices | None = None
    required: bool | None = None
    ask_at_signup: bool | None = None
    member_editable: bool | None = None
    default: Default = None


class AttributeShown(Answer):
    """An attribute. `used`: a member had a value of it; `resealing`: its new protection is not yet everyone's.

    `built_in`: every account has it.
    """

    id: AttributeId
    name: str
    former_names: list[str] = Field(description="They go on working in templates, rules, imports and requests")
    type: AttributeType
    protection: Protection
    label: dict[str, str]
    choices: list[Choice]
    required: bool
    ask_at_signup: bool
    member_editable: bool
    default: Default
    used: bool
    resealing: bool
    built_in: bool


def stored(choices: list[Choice]) -> list[StoredChoice]:
    """Return choices as the store takes them."""
    return [StoredChoice(choice.value, choice.label) for choice in choices]


def shown(attribute: Attribute) -> AttributeShown:
    """Return what the API shows of an attribute."""
    return AttributeShown(
        id=attribute.attribute_id,
        name=attribute.name,
        former_names=list(attribute.former_names),
        type=attribute.type,
        protection=attribute.protection,
        label=dict(attribute.label),
        choices=[Choice(value=choice.value, label=dict(choice.label)) for choice in attribute.choices],
        required=attribute.required,
        ask_at_signup=attribute.ask_at_signup,
        member_editable=attribute.member_editable,
        default=attribute.default,
        used=attribute.used,
        resealing=attribute.resealing is not None,
        built_in=attribute.built_in,
    )
