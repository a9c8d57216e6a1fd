"""The sign-up form for programs: the same form, limits and silence, in JSON."""

from typing import Any

from fastapi import APIRouter, Request, status
from pydantic import BaseModel, ConfigDict, Field

from api.pages.errors import Misdirected, Unreadable
from api.pages.services import From
from api.pages.signup.fields import PREFIX, field
from api.pages.signup.form import LEAST_SECONDS, MAX_SOURCE, MOST_SECONDS, Filled, faults_of, hand_in, open_form
from core.errors import Fault, InvalidInput

router = APIRouter()

SOURCE = "sign-up program"


class FieldShown(BaseModel):
    """A field to fill in; `choices` are values with their labels."""

    name: str
    label: str
    kind: str
    required: bool
    choices: dict[str, str]


class FormShown(BaseModel):
    """What to ask for, what to say, and the stamp that sending it takes."""

    fields: list[FieldShown]
    consent: str
    topics: dict[str, str]
    wording: str
    stamp: str


class Sent(BaseModel):
    """A form that was filled in. `wording` is the version that was shown; `consent` that it was agreed to."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=320)
    attributes: dict[str, Any] = Field(default_factory=dict, max_length=200)
    topics: list[str] = Field(default_factory=list, max_length=200)
    consent: bool
    wording: str = Field(max_length=200)
    stamp: str = Field(max_length=100)
    source: str = Field(SOURCE, min_length=1, max_length=MAX_SOURCE)


@router.get("/v1/forms/{account}")
async def describe_form(account: str, request: Request, services: From) -> FormShown:
    """Describe an account's sign-up form."""
    form = await open_form(request, services, account)
    shown = [field(attribute, form.language) for attribute in form.attributes]
    return FormShown(
        fields=[
            FieldShown(
                name=one.id.removeprefix(PREFIX),
                label=one.label,
                kind=one.kind,
                required=one.required,
                choices=dict(one.options),
            )
            for one in shown
        ],
        consent=form.wording.consent,
        topics=dict(form.wording.topics),
        wording=form.wording.version,
        stamp=services.stamps.make(form.subject),
    )


@router.post("/v1/forms/{account}", status_code=status.HTTP_202_ACCEPTED)
async def send_form(account: str, body: Sent, request: Request, services: From) -> dict[str, str]:
    """Take a form in; whatever the address, the answer is the same."""
    form = await open_form(request, services, account)
    if services.stamps.judge(form.subject, body.stamp, least=LEAST_SECONDS, most=MOST_SECONDS) != "good":
        raise Misdirected
    if body.wording != form.wording.version:
        raise Unreadable("The wording is another one by now")
    filled = Filled(body.email, body.attributes, frozenset(body.topics), consents=body.consent)
    faults = faults_of(form, filled)
    unknown = body.attributes.keys() - {attribute.name for attribute in form.attributes}
    faults |= {PREFIX + name: "unknown" for name in unknown}
    if faults:
        raise InvalidInput(
            "The form is not filled in", [Fault(f"/{name}", code, code) for name, code in faults.items()]
        )
    await hand_in(request, services, form, filled, body.source)
    return {"status": "accepted"}
