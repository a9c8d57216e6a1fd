"""/v1/campaigns: drafts, and what is asked of them: check, test, schedule, pause, resume, cancel, clone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Response, status

from api import revisions
from api.auth import By, Requires
from api.campaigns import addressees
from api.campaigns.schemas import (
    CampaignChange,
    CampaignChecked,
    CampaignShown,
    Clone,
    NewCampaign,
    Pause,
    Schedule,
    TestSend,
    TestStarted,
    checked,
    shown,
)
from api.pagination import Listed, Paged, cut
from api.revisions import IfMatch
from api.route import Route
from api.services import From, Services
from api.values import CampaignPath
from core import ids
from core.errors import InvalidInput
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], route_class=Route)

SETTLE_SECONDS = 10.0
"""How long a pause or a cancel waits for what is on the wire before it answers 202."""

STILL_ENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": CampaignShown, "description": "What was on the wire is still ending"}
}


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("campaigns:write")])
async def create_campaign(body: NewCampaign, response: Response, by: By, services: From) -> CampaignShown:
    """Create a draft."""
    with _as_sent():
        made = await services.campaigns.create(by.account_id, body.fields())
    return _created(made, response)


@router.get("", dependencies=[Requires("campaigns:read")])
async def list_campaigns(page: Paged, by: By, services: From) -> Listed[CampaignShown]:
    """List campaigns, oldest first."""
    found = await services.campaigns.list(by.account_id, after=page.after, limit=page.limit)
    return Listed(
        items=[shown(campaign) for campaign in found],
        next=cut(found, page, found[-1].campaign_id if found else None),
        count=await services.campaigns.count(by.account_id) if page.count else None,
    )


@router.get("/{campaign_id}", dependencies=[Requires("campaigns:read")])
async def get_campaign(campaign_id: CampaignPath, response: Response, by: By, services: From) -> CampaignShown:
    """Read a campaign with its state."""
    campaign = await services.campaigns.get(by.account_id, campaign_id)
    revisions.tag(response, campaign.revision)
    return shown(campaign)


@router.patch("/{campaign_id}", dependencies=[Requires("campaigns:write")])
async def change_campaign(
    campaign_id: CampaignPath, revision: IfMatch, body: CampaignChange, response: Response, by: By, services: From
) -> CampaignShown:
    """Change a draft."""
    present = await services.campaigns.get(by.account_id, campaign_id)
    fields = body.onto(shown(present)).fields()
    with _as_sent():
        changed = await services.campaigns.change(by.account_id, campaign_id, fields, revision=revision)
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.delete("/{campaign_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("campaigns:write")])
async def remove_campaign(campaign_id: CampaignPath, by: By, services: From) -> None:
    """Remove a draft. What was ever scheduled stays."""
    await services.campaigns.remove(by.account_id, campaign_id)


@router.post("/{campaign_id}/check", dependencies=[Requires("campaigns:read")])
async def check_campaign(campaign_id: CampaignPath, by: By, services: From) -> CampaignChecked:
    """Find every fault that would refuse scheduling."""
    return checked(await services.campaigns.check(by.account_id, campaign_id))


@router.post("/{campaign_id}/schedule", dependencies=[Requires("campaigns:send")])
async def schedule_campaign(
    campaign_id: CampaignPath, body: Schedule, response: Response, by: By, services: From
) -> CampaignShown:
    """Freeze a draft and have it start at a time. Later edits of template, sender or segments change nothing in it."""
    campaign = await services.campaigns.schedule(by.account_id, campaign_id, body.at, body.time_zone)
    revisions.tag(response, campaign.revision)
    return shown(campaign)


@router.post("/{campaign_id}/pause", dependencies=[Requires("campaigns:send")], responses=STILL_ENDING)
async def pause_campaign(
    campaign_id: CampaignPath, response: Response, by: By, services: From, body: Pause | None = None
) -> CampaignShown:
    """Pause, for good or for a time. 200: nothing more is under way; 202: what was on the wire is still ending."""
    end = body or Pause()
    asked = await services.campaigns.pause(by.account_id, campaign_id, seconds=end.for_seconds, until=end.until)
    return await _settled(asked, State.PAUSED, response, services)


@router.post("/{campaign_id}/resume", dependencies=[Requires("campaigns:send")])
async def resume_campaign(campaign_id: CampaignPath, response: Response, by: By, services: From) -> CampaignShown:
    """Go on after a pause."""
    campaign = await services.campaigns.resume(by.account_id, campaign_id)
    revisions.tag(response, campaign.revision)
    return shown(campaign)


@router.post("/{campaign_id}/cancel", dependencies=[Requires("campaigns:send")], responses=STILL_ENDING)
async def cancel_campaign(campaign_id: CampaignPath, response: Response, by: By, services: From) -> CampaignShown:
    """Cancel for good. 200: nothing more is under way; 202: what was on the wire is still ending (`cancelling`)."""
    asked = await services.campaigns.cancel(by.account_id, campaign_id)
    return await _settled(asked, State.CANCELLED, response, services)


@router.post("/{campaign_id}/clone", status_code=status.HTTP_201_CREATED, dependencies=[Requires("campaigns:write")])
async def clone_campaign(
    campaign_id: CampaignPath, response: Response, by: By, services: From, body: Clone | None = None
) -> CampaignShown:
    """Make a draft like this campaign."""
    made = await services.campaigns.clone(by.account_id, campaign_id, name=body.name if body else None)
    return _created(made, response)


@router.post("/{campaign_id}/test", status_code=status.HTTP_202_ACCEPTED, dependencies=[Requires("campaigns:send")])
async def test_campaign(
    campaign_id: CampaignPath, body: TestSend, response: Response, by: By, services: From
) -> TestStarted:
    """Send it to a few members now, marked as a test, whatever its state."""
    await services.campaigns.get(by.account_id, campaign_id)
    members = await addressees.resolve(services.vault, by.account_id, body.members, body.addresses)
    with addressees.pointing(len(body.members)):
        run_id = await services.campaigns.test(by.account_id, campaign_id, members)
    response.headers["Location"] = f"/v1/runs/{ids.encode('run', run_id)}"
    return TestStarted(run=run_id)


def _created(campaign: Campaign, response: Response) -> CampaignShown:
    response.headers["Location"] = f"/v1/campaigns/{ids.encode('cmp', campaign.campaign_id)}"
    revisions.tag(response, campaign.revision)
    return shown(campaign)


async def _settled(asked: Campaign, target: State, response: Response, services: Services) -> CampaignShown:
    if asked.run_id is not None:
        state = await services.campaigns.settle(asked.run_id, target, SETTLE_SECONDS)
        if state in {State.PAUSING, State.CANCELLING}:
            response.status_code = status.HTTP_202_ACCEPTED
        asked = await services.campaigns.get(asked.account_id, asked.campaign_id)
    revisions.tag(response, asked.revision)
    return shown(asked)


@contextmanager
def _as_sent() -> Iterator[None]:
    """Name faults by the body's fields: `sender`, not the scheduler's `sender_id`."""
    try:
        yield
    except InvalidInput as error:
        error.faults = tuple(replace(fault, pointer=fault.pointer.removesuffix("_id")) for fault in error.faults)
        raise
