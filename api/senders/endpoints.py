"""/v1/senders: who mails are from."""

from dataclasses import replace

from fastapi import APIRouter, Response, status

from api import revisions
from api.auth import By, Requires
from api.pagination import Listed, Paged, cut
from api.revisions import IfMatch
from api.route import Route
from api.senders.schemas import NewSender, SenderChange, SenderShown, shown
from api.services import From
from api.values import SenderPath
from core import ids
from delivery.senders import SenderDraft

router = APIRouter(prefix="/v1/senders", tags=["senders"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("senders:write")])
async def create_sender(body: NewSender, response: Response, by: By, services: From) -> SenderShown:
    """Create a sender. A domain's first sender makes the domain's DKIM keys; the answer says what to publish."""
    made = await services.senders.create(by.account_id, SenderDraft(**body.model_dump()))
    response.headers["Location"] = f"/v1/senders/{ids.encode('snd', made.sender_id)}"
    revisions.tag(response, made.revision)
    return shown(made, await services.senders.dns_records(by.account_id, made.domain))


@router.get("", dependencies=[Requires("senders:read")])
async def list_senders(page: Paged, by: By, services: From) -> Listed[SenderShown]:
    """List senders, oldest first."""
    found = await services.senders.list(by.account_id, after=page.after, limit=page.limit)
    return Listed(
        items=[shown(sender) for sender in found],
        next=cut(found, page, found[-1].sender_id if found else None),
        count=await services.senders.count(by.account_id) if page.count else None,
    )


@router.get("/{sender_id}", dependencies=[Requires("senders:read")])
async def get_sender(sender_id: SenderPath, response: Response, by: By, services: From) -> SenderShown:
    """Read a sender, with the DNS records that its domain needs."""
    sender = await services.senders.get(by.account_id, sender_id)
    revisions.tag(response, sender.revision)
    return shown(sender, await services.senders.dns_records(by.account_id, sender.domain))


@router.patch("/{sender_id}", dependencies=[Requires("senders:write")])
async def change_sender(
    sender_id: SenderPath, revision: IfMatch, body: SenderChange, response: Response, by: By, services: From
) -> SenderShown:
    """Change a sender. What is scheduled already keeps what it was scheduled with."""
    present = await services.senders.get(by.account_id, sender_id)
    draft = replace(present.as_draft(), **body.model_dump(exclude_unset=True))
    changed = await services.senders.change(by.account_id, sender_id, revision, draft)
    revisions.tag(response, changed.revision)
    return shown(changed, await services.senders.dns_records(by.account_id, changed.domain))
