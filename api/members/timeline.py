"""/v1/members/{id}/timeline: what happened between a member and the account, mail by mail, consent by consent."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api.auth import By, Requires
from api.pagination import Listed, Page, cut
from api.route import Route
from api.services import From
from api.values import Answer, CampaignId, MemberPath, RunId
from members.member import ConsentKind, ConsentRecord, Member
from members.scopes import shown_scope
from tracking.mails import Mail, Stop

router = APIRouter(prefix="/v1/members", tags=["members"], route_class=Route)


class TimelinePage(Page):
    """Which part is asked for; `limit` is of mails."""

    count: Literal[False] = False


class EventEntry(Answer):
    """What came back of a mail. `link`: the number of the one that was clicked."""

    kind: str
    link: int | None
    at: datetime


class MailEntry(Answer):
    """A mail, at the start of its run. `outcome`: of its last try; `omitted`: why it was not sent."""

    kind: Literal["mail"] = "mail"
    at: datetime
    campaign: CampaignId | None = Field(description="null: a letter, outside of any")
    name: str
    run: RunId
    outcome: str | None
    omitted: str | None
    events: list[EventEntry]


class ConsentEntry(Answer):
    """A consent given or withdrawn."""

    kind: Literal["consent"] = "consent"
    at: datetime
    change: ConsentKind
    scope: str = Field(description="all, or a topic's id")
    source: str


class StopEntry(Answer):
    """What ended mail to the member; `lifted_at`: when it was undone."""

    kind: Literal["stop"] = "stop"
    at: datetime
    scope: str
    reason: str
    lifted_at: datetime | None


class JoinedEntry(Answer):
    """The member was made."""

    kind: Literal["joined"] = "joined"
    at: datetime


Entry = Annotated[MailEntry | ConsentEntry | StopEntry | JoinedEntry, Field(discriminator="kind")]


@router.get("/{member_id}/timeline", dependencies=[Requires("members:read")])
async def read_timeline(
    member_id: MemberPath, page: Annotated[TimelinePage, Query()], by: By, services: From
) -> Listed[Entry]:
    """Read what a member was sent and what came of it, consents and stops, newest first.

    The first page has all that is not mail; pages go back by when campaigns were scheduled.
    """
    member = await services.members.get(by.account_id, member_id)
    mails = await services.mails.page(by.account_id, member_id, before=page.after, limit=page.limit)
    entries: list[Entry] = [_mail(mail) for mail in mails]
    if page.cursor is None:
        consents = await services.members.consents(by.account_id, member_id)
        stops = await services.mails.stops(by.account_id, member_id)
        entries += [_joined(member), *map(_consent, consents), *map(_stop, stops)]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return Listed(items=entries, next=cut(mails, page, mails[-1].run_id if mails else None))


def _mail(mail: Mail) -> MailEntry:
    return MailEntry(
        at=mail.starts_at,
        campaign=mail.campaign_id,
        name=mail.campaign,
        run=mail.run_id,
        outcome=mail.outcome,
        omitted=mail.omitted,
        events=[EventEntry(**event) for event in mail.events],
    )


def _consent(record: ConsentRecord) -> ConsentEntry:
    return ConsentEntry(
        at=record.occurred_at, change=record.kind, scope=shown_scope(record.scope), source=record.source
    )


def _stop(stop: Stop) -> StopEntry:
    return StopEntry(at=stop.occurred_at, scope=shown_scope(stop.scope), reason=stop.reason, lifted_at=stop.lifted_at)


def _joined(member: Member) -> JoinedEntry:
    return JoinedEntry(at=member.created_at)
