"""Whether a campaign can be sent as it stands: sender, template, attributes and audience, every fault at once."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, NotFound
from delivery.compose.check import check as check_content
from delivery.compose.content import Attachment, Content, Sender
from delivery.compose.errors import InvalidTemplate
from scheduler.campaigns.fields import audience_faults

SQL = sql.load(__package__ or "", "freezing.sql")


class Attributes(Protocol):
    """Which attributes an account has (members/attributes.py)."""

    async def names(self, account_id: UUID, /) -> Mapping[str, str]:
        """Return the names that templates may use, each with the key of its values."""


class AudienceResolver(Protocol):
    """What knows segments and groups (members/audience.py)."""

    async def resolve(self, account_id: UUID, wanted: Mapping[str, Any], /) -> object:
        """Resolve an audience's ids and rules; raise InvalidInput or NotFound where that can't be done."""

    async def traits(
        self, account_id: UUID, wanted: Mapping[str, Any], report_by: Mapping[str, Any] | None, /
    ) -> object:
        """Resolve what reports tell recipients apart by; raise InvalidInput where that can't be done."""


@dataclass(frozen=True, slots=True)
class CampaignCheck:
    """What a campaign comes to. It may be sent only if there are no `faults`; `links` are those that are tracked."""

    faults: tuple[Fault, ...]
    content: Content
    links: tuple[str, ...]
    audience: Mapping[str, Any]
    weight: int
    rate_per_hour: int | None
    resend_uncertain: bool
    report_by: Mapping[str, Any] | None
    revision: int

    def require(self) -> None:
        """Raise InvalidInput with all faults if there is any."""
        if self.faults:
            raise InvalidInput("The campaign can't be sent as it stands", self.faults)


class CampaignChecker:
    """Gathers what a campaign is made of and looks for all that is wrong with it."""

    def __init__(self, main: asyncpg.Pool, attributes: Attributes, audiences: AudienceResolver) -> None:
        self._main = main
        self._attributes = attributes
        self._audiences = audiences

    async def check(self, account_id: UUID, campaign_id: UUID, *, with_audience: bool = True) -> CampaignCheck:
        """Check a campaign; a test send needs no audience. Raises NotFound."""
        row = await self._main.fetchrow(SQL["material"], account_id, campaign_id)
        if row is None:
            raise NotFound("There is no such campaign")
        names = await self._attributes.names(account_id)
        content = Content(
            row["subject"],
            row["preheader"],
            row["html"],
            row["text"],
            Sender(
                row["sender_name"],
                row["address"],
                row["reply_to"],
                row["postal_address"],
                row["contact"],
                row["domain"],
            ),
            row["track_opens"],
            row["track_clicks"],
            tuple(names),
            tuple(map(Attachment.from_json, row["attachments"])),
            {name: key for name, key in names.items() if name != key},
            honeypot=row["track_honeypot"],
            tracking=row["tracking"],
            tracker_url=row["tracking_url"],
        )
        found = CampaignCheck(
            faults=(),
            content=content,
            links=(),
            audience=row["audience"],
            weight=row["weight"],
            rate_per_hour=row["rate_per_hour"],
            resend_uncertain=row["resend_uncertain"],
            report_by=row["report_by"],
            revision=row["revision"],
        )
        links, faults = await _checked(content)
        if with_audience:
            faults += await self._check_audience(account_id, row["audience"], row["report_by"])
        return replace(found, links=links, faults=tuple(faults))

    async def _check_audience(
        self, account_id: UUID, audience: Mapping[str, Any], report_by: Mapping[str, Any] | None
    ) -> list[Fault]:
        faults = audience_faults(audience)
        if faults:
            return faults
        faults += await _faults_of("/audience", self._audiences.resolve(account_id, audience))
        return faults + await _faults_of("/report_by", self._audiences.traits(account_id, audience, report_by))


async def _faults_of(root: str, resolving: Awaitable[object]) -> list[Fault]:
    try:
        await resolving
    except (InvalidInput, NotFound) as error:
        found = [replace(fault, pointer=_under(root, fault.pointer)) for fault in error.faults]
        return found or [Fault(root, error.code, error.detail)]
    return []


async def _checked(content: Content) -> tuple[tuple[str, ...], list[Fault]]:
    try:
        # A template at the bounds takes most of a second of computing: not on the event loop.
        checked = await asyncio.to_thread(check_content, content, samples=())
    except InvalidTemplate as error:
        return (), list(error.faults)
    return checked.links, []


def _under(root: str, pointer: str) -> str:
    return pointer if pointer == root or pointer.startswith(f"{root}/") else root + pointer
