"""What the pages stand on, made by deploy/wiring/pages.py and handed to create_app."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

import asyncpg
from fastapi import Depends, Request

from api.pages.choosing import Choosing
from api.pages.client_address import ClientAddresses
from api.pages.limits import RateLimits
from api.pages.page import Pages
from api.pages.signup.known import KnownForms
from api.pages.stamps import Stamps
from core.clock import Clock
from core.ids import IdSource
from core.tokens import LinkSigner
from members.attributes import AttributeStore
from members.passwords import Passwords
from members.proven import ProvenMembers
from members.segments import SegmentRules
from members.signup import SignupDesk
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterStore
from tracking.leaving import Leaving
from tracking.mails import MailStore
from tracking.unsubscribes import Unsubscribes


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many forms are taken in within an hour from one network, and for one account."""

    per_network: int
    per_account: int


@dataclass(frozen=True, slots=True)
class PageServices:
    """One of each. The stores' pools are of the role `todoku_pages`, which reads no member without a proof.

    `url` is where the pages are reached from outside, without a slash at its end.
    """

    clock: Clock
    new_id: IdSource
    signer: LinkSigner
    pages: Pages
    branding: BrandingStore
    limits: RateLimits
    stamps: Stamps
    clients: ClientAddresses
    url: str
    bounds: Bounds
    attributes: AttributeStore
    topics: TopicStore
    forms: KnownForms
    signups: SignupDesk
    letters: LetterStore
    leaving: Leaving
    unsubscribes: Unsubscribes
    proven: ProvenMembers
    choosing: Choosing
    segments: SegmentRules
    mails: MailStore
    passwords: Passwords
    vault: asyncpg.Pool
    random: Callable[[int], bytes]


def services_of(request: Request) -> PageServices:
    """Return the services of the application that serves this request."""
    return cast("PageServices", request.app.state.services)


async def _services_of(request: Request) -> PageServices:
    return services_of(request)


# FastAPI calls a plain function in a thread, which takes as long as all else that it does for a request.
From = Annotated[PageServices, Depends(_services_of)]
"""The services, as an endpoint's argument."""
