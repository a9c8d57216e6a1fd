"""/v1/reports/campaigns/{id}/leaving: why a campaign's readers left, as JSON and as CSV."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import By, Requires
from api.reports.sheets import AsSheet, Sheet, sheet_of
from api.route import Route
from api.services import From, Services
from api.values import CampaignPath
from tracking import sheet
from tracking.leaving import Why

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=Route)

_LEAVING = "/campaigns/{campaign_id}/leaving"


class ReasonShown(BaseModel):
    """A reason, and how many gave it."""

    reason: Why
    recipients: int


class LeavingShown(BaseModel):
    """Why readers left."""

    unsubscribes: int = Field(description="Recipients who left by a mail of the campaign, whether they said why or not")
    answers: int = Field(description="Recipients who said why")
    items: list[ReasonShown]


@router.get(f"{_LEAVING}.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def leaving_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download why a campaign's readers left: a line for each reason."""
    _, reasons = await _found(services, by.account_id, campaign_id)
    return sheet_of(sheet.leaving_csv(reasons), "leaving", bom=asked.bom)


@router.get(_LEAVING, dependencies=[Requires("reports:read")])
async def leaving_report(campaign_id: CampaignPath, by: By, services: From) -> LeavingShown:
    """Read why a campaign's readers left, as those of them said who did."""
    unsubscribes, reasons = await _found(services, by.account_id, campaign_id)
    return LeavingShown(
        unsubscribes=unsubscribes,
        answers=sum(reasons.values()),
        items=[ReasonShown(reason=reason, recipients=recipients) for reason, recipients in reasons.items()],
    )


async def _found(services: Services, account_id: UUID, campaign_id: UUID) -> tuple[int, Mapping[Why, int]]:
    report = await services.reports.campaign(account_id, campaign_id)
    return report.total.unsubscribes, await services.why_left.by_reason(account_id, campaign_id)
