"""/v1/members: people, what is known of them, and what they consented to."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api import revisions
from api.auth import By, Caller, Requires
from api.members.fields import at_fields, sent
from api.members.listing import MembersPage, which
from api.members.schemas import (
    ConsentsShown,
    MemberChange,
    MemberShown,
    NewMember,
    Search,
    SearchShown,
    TagsMoved,
    consent_of,
    shown,
    shown_consents,
    shown_search,
)
from api.pagination import Listed, page_after
from api.revisions import IfMatch
from api.route import Route
from api.services import From, Services
from api.values import MemberPath
from core import ids
from members.scopes import ALL, topic_scope
from members.search import Found

router = APIRouter(prefix="/v1/members", tags=["members"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("members:write")])
async def create_member(body: NewMember, response: Response, by: By, services: From) -> MemberShown:
    """Create a member."""
    with at_fields(body):
        made = await services.members.create(
            by.account_id,
            body.email,
            sent(body, body.attributes),
            consent=consent_of(body.consent, services.clock),
            groups=body.groups,
            topics=body.topics,
        )
    response.headers["Location"] = f"/v1/members/{ids.encode('mem', made.member_id)}"
    revisions.tag(response, made.revision)
    return shown(made, await _visible(by, services))


@router.get("", dependencies=[Requires("members:list", "members:read")])
async def list_members(page: Annotated[MembersPage, Query()], by: By, services: From) -> Listed[MemberShown]:
    """List members, all or filtered, in either direction; personal fields are masked without `members:read`."""
    wanted = await which(page, services.audiences, by.account_id)
    found = await services.listing.page(
        by.account_id, wanted, after=page.after, limit=page.limit, newest_first=page.newest_first
    )
    visible = await _visible(by, services)
    return Listed(
        items=[shown(member, visible) for member in found.items],
        next=None if found.next is None else ids.encode("cur", found.next),
        count=await services.listing.count(by.account_id, wanted) if page.count else None,
    )


@router.post("/search", dependencies=[Requires("members:read")])
async def search_members(body: Search, by: By, services: From) -> SearchShown:
    """Find members by exact address (one item, or none), or by a part of an address or a name, by opening them."""
    if body.part is None:
        with at_fields(body):
            member_id = await services.vault.find(by.account_id, body.email or "")
        found = Found([] if member_id is None else [member_id], 0, None)
    else:
        after = page_after(body.cursor, "/cursor")
        found = await services.search.part(by.account_id, body.part, after=after, limit=body.limit)
    # What was looked for stands nowhere.
    told = {"by": "email" if body.part is None else "part", "hits": len(found.member_ids)}
    await services.audit.record(by.account_id, by.actor, "member.searched", "members", told)
    return shown_search(found, await services.listing.some(by.account_id, found.member_ids))


@router.get("/{member_id}", dependencies=[Requires("members:list", "members:read")])
async def get_member(member_id: MemberPath, response: Response, by: By, services: From) -> MemberShown:
    """Read a member; personal fields are masked without `members:read`."""
    member = await services.members.get(by.account_id, member_id)
    revisions.tag(response, member.revision)
    return shown(member, await _visible(by, services))


@router.patch("/{member_id}", dependencies=[Requires("members:write")])
async def change_member(
    member_id: MemberPath, revision: IfMatch, body: MemberChange, response: Response, by: By, services: From
) -> MemberShown:
    """Change a member, record a consent or end it, pause or resume.

    What runs already stops for who withdraws, and that of a topic for who leaves it.
    """
    consent = consent_of(body.consent, services.clock)
    topics = frozenset(() if body.topics is None else (await services.members.get(by.account_id, member_id)).topics)
    with at_fields(body):
        changed = await services.members.change(
            by.account_id,
            member_id,
            revision,
            address=body.email,
            values=sent(body, body.attributes),
            groups=body.groups,
            topics=body.topics,
            consent=consent,
            withdrawn_by=body.withdrawn_by,
            pause_until=body.paused_until,
            resume="paused_until" in body.model_fields_set and body.paused_until is None,
        )
    if consent is not None:
        joined = map(topic_scope, frozenset(body.topics or ()) - topics)
        await services.stops.lift(by.account_id, member_id, consent.given_at, (ALL, *joined))
    ended = [topic_scope(topic) for topic in topics.difference(changed.topics)]
    if body.withdrawn_by is not None:
        ended.append(ALL)
    if ended:
        await services.stops.stop(by.account_id, [member_id], "unsubscribed", ended)
    revisions.tag(response, changed.revision)
    return shown(changed, await _visible(by, services))


@router.post("/{member_id}/tags", dependencies=[Requires("members:write")])
async def move_tags(member_id: MemberPath, body: TagsMoved, response: Response, by: By, services: From) -> MemberShown:
    """Add tags to a member and take others away, whatever else is changed at the same time."""
    changed = await services.members.tag(by.account_id, member_id, add=body.add, remove=body.remove)
    revisions.tag(response, changed.revision)
    return shown(changed, await _visible(by, services))


@router.get("/{member_id}/consents", dependencies=[Requires("members:read")])
async def list_consents(member_id: MemberPath, by: By, services: From) -> ConsentsShown:
    """Read a member's consent ledger."""
    await services.members.get(by.account_id, member_id)
    return shown_consents(await services.members.consents(by.account_id, member_id))


@router.post("/{member_id}/erase", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("members:erase")])
async def erase_member(member_id: MemberPath, by: By, services: From) -> None:
    """Erase a member for good: older backups hold nothing readable of them. The address stays suppressed, by hash."""
    await services.members.require(by.account_id, member_id)
    await services.audit.record(by.account_id, by.actor, "member.erased", ids.encode("mem", member_id))
    await services.members.erase(by.account_id, member_id)
    await services.stops.stop(by.account_id, [member_id], "erased")


async def _visible(by: Caller, services: Services) -> frozenset[str] | None:
    if by.may("members:read"):
        return None
    attributes = await services.attributes.list(by.account_id)
    return frozenset(attribute.name for attribute in attributes if attribute.protection == "open")
