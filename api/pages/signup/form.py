"""An account's sign-up form: read whole for a request, checked, handed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request

from api.pages.client_address import network_of
from api.pages.limits import Limit
from api.pages.services import PageServices
from api.pages.signup import fields
from api.pages.signup.fields import ADDRESS
from api.pages.signup.known import FormParts
from api.pages.signup.wording import Wording, wording_of
from core import ids
from core.errors import NotFound
from members.addresses import parse
from members.attribute import Attribute, Definitions
from members.errors import BadAddress
from members.signup import SignupRequest
from members.topics import Topic
from scheduler.branding import Branding

CONSENT = "consent"
TOPIC = "topic"
HONEYPOT = "website"
"""A field that nobody sees: whoever fills it in is a program."""

LEAST_SECONDS = 2.0
"""Nobody fills a form in faster; the form is then shown again, since a browser may have filled it in by itself."""
MOST_SECONDS = 12 * 3600.0
HOUR = 3600.0
MAX_SOURCE = 100


@dataclass(frozen=True, slots=True)
class SignupForm:
    """One account's form in one language."""

    branding: Branding
    language: str
    attributes: tuple[Attribute, ...]
    topics: tuple[Topic, ...]
    wording: Wording

    @property
    def subject(self) -> str:
        """What its stamp is for."""
        return f"/f/{ids.encode('acc', self.branding.account_id)}"


@dataclass(frozen=True, slots=True)
class Filled:
    """What was sent: the address as typed, JSON values by attribute name, topics, whether the consent was ticked."""

    address: str
    values: Mapping[str, Any]
    topics: frozenset[str]
    consents: bool


async def open_form(request: Request, services: PageServices, account: str) -> SignupForm:
    """Return an account's form in the reader's language; raise NotFound while it is not open."""
    account_id = ids.decode("acc", account)

    async def read() -> FormParts:
        attributes = fields.asked(Definitions(await services.attributes.list(account_id)))
        branding = await services.branding.get(account_id)
        return FormParts(branding, tuple(attributes), tuple(await services.topics.list(account_id)))

    parts = await services.forms.parts(account_id, read)
    branding = request.state.branding = parts.branding
    if not branding.fields.signup_open:
        raise NotFound("The form is not open")
    language = services.pages.language(request, branding)
    usual = services.pages.words(language, "I would like to receive mail from %(name)s.") % {"name": branding.name}
    wording = wording_of(branding, parts.topics, language, usual)
    return SignupForm(branding, language, parts.attributes, parts.topics, wording)


def faults_of(form: SignupForm, filled: Filled) -> dict[str, str]:
    """Return every fault, a code by field: nothing of it hangs on whether an address is known."""
    found: dict[str, str] = {}
    if not filled.address:
        found[ADDRESS] = "required"
    else:
        try:
            parse(filled.address)
        except BadAddress:
            found[ADDRESS] = "address"
    found |= fields.faults(filled.values, form.attributes)
    if not filled.consents:
        found[CONSENT] = "consent"
    return found


async def hand_in(request: Request, services: PageServices, form: SignupForm, filled: Filled, source: str) -> None:
    """Count the request, keep the form's wording, hand the form in; raise TooOften. The same for every address."""
    client, account_id = services.clients.of(request), form.branding.account_id
    bounds = services.bounds
    await services.limits.count(
        [
            Limit("signup network", network_of(client), bounds.per_network, HOUR),
            Limit("signup account", str(account_id), bounds.per_account, HOUR),
        ]
    )
    wording = form.wording
    version = wording.version
    await services.forms.keep(
        account_id, version, lambda: services.branding.keep_wording(account_id, version, wording.content)
    )
    known = {ids.encode("top", topic.topic_id): topic.topic_id for topic in form.topics}
    await services.signups.hand_in(
        account_id,
        SignupRequest(
            address=parse(filled.address).mailbox,
            values=_with_language(filled.values, form),
            topics=_chosen(filled.topics, known),
            wording=version,
            source=source,
            origin=str(client),
            language=form.language,
        ),
    )


def _with_language(values: Mapping[str, Any], form: SignupForm) -> Mapping[str, Any]:
    return {**values, "locale": form.language}


def _chosen(topics: frozenset[str], known: Mapping[str, UUID]) -> tuple[UUID, ...]:
    return tuple(topic_id for shown, topic_id in known.items() if shown in topics)
