"""/v1/reports: what campaigns came to, as JSON and as CSV."""

from fastapi import APIRouter, Response

from api.auth import By, Requires
from api.reports.schemas import CampaignReportShown, LinkShown, LinksShown
from api.route import Route
from api.services import From
from api.values import CampaignPath
from tracking.sheet import campaign_csv, links_csv

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=Route)


class Sheet(Response):
    """A CSV document (RFC 4180) to save."""

    media_type = "text/csv; charset=utf-8; header=present"


# The .csv routes come first: an id would match their paths too.
@router.get("/campaigns/{campaign_id}.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def campaign_report_csv(campaign_id: CampaignPath, by: By, services: From) -> Sheet:
    """Download a campaign's figures: a line for each run, the last one their sum."""
    return _sheet(campaign_csv(await services.reports.campaign(by.account_id, campaign_id)), "campaign")


@router.get("/campaigns/{campaign_id}", dependencies=[Requires("reports:read")])
async def campaign_report(campaign_id: CampaignPath, by: By, services: From) -> CampaignReportShown:
    """Read a campaign's figures, exact at this moment."""
    return CampaignReportShown.model_validate(await services.reports.campaign(by.account_id, campaign_id))


@router.get("/campaigns/{campaign_id}/links.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def links_report_csv(campaign_id: CampaignPath, by: By, services: From) -> Sheet:
    """Download a campaign's links and their clicks."""
    return _sheet(links_csv(await services.reports.links(by.account_id, campaign_id)), "links")


@router.get("/campaigns/{campaign_id}/links", dependencies=[Requires("reports:read")])
async def links_report(campaign_id: CampaignPath, by: By, services: From) -> LinksShown:
    """Read a campaign's links and their clicks."""
    found = await services.reports.links(by.account_id, campaign_id)
    return LinksShown(items=[LinkShown.model_validate(link) for link in found])


def _sheet(content: str, name: str) -> Sheet:
    return Sheet(content, headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})
