"""/v1/reports: what campaigns came to, over time, side by side and at each provider; as JSON and as CSV."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from api.auth import By, Requires
from api.reports.asked import CompareAsked, GrowthAsked, PeriodAsked, SeriesAsked
from api.reports.schemas import (
    CampaignReportShown,
    ComparisonShown,
    GrowthShown,
    GrowthSpanShown,
    LinkShown,
    LinksShown,
    PeriodShown,
    ProviderShown,
    ProvidersShown,
    SeriesShown,
)
from api.reports.sheets import AsSheet, Sheet, sheet_of
from api.route import Route
from api.services import From
from api.values import CampaignPath
from core.clock import Clock
from members.growth import Growth
from tracking import sheet

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=Route)

DEFAULT_PERIOD = timedelta(days=30)


@router.get(".csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def period_report_csv(asked: Annotated[PeriodAsked, Query()], by: By, services: From) -> Sheet:
    """Download the sum of all runs that started in a period."""
    found = await services.reports.over(by.account_id, *_period(asked, services.clock))
    return sheet_of(sheet.period_csv(found), "period", bom=asked.bom)


@router.get("", dependencies=[Requires("reports:read")])
async def period_report(asked: Annotated[PeriodAsked, Query()], by: By, services: From) -> PeriodShown:
    """Read the sum of all runs that started in a period."""
    return PeriodShown.model_validate(await services.reports.over(by.account_id, *_period(asked, services.clock)))


@router.get("/growth.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def growth_report_csv(asked: Annotated[GrowthAsked, Query()], by: By, services: From) -> Sheet:
    """Download how the list grew and decayed: a line for each day, week or month."""
    found = await _growth(asked, by, services)
    return sheet_of(sheet.growth_csv(found), "growth", bom=asked.bom)


@router.get("/growth", dependencies=[Requires("reports:read")])
async def growth_report(asked: Annotated[GrowthAsked, Query()], by: By, services: From) -> GrowthShown:
    """Read how the list grew and decayed, by day, week or month of a zone."""
    found = await _growth(asked, by, services)
    items = [GrowthSpanShown.model_validate(span) for span in found]
    return GrowthShown(step=asked.step, time_zone=asked.time_zone, items=items)


# The .csv routes come first: an id would match their paths too.
@router.get("/campaigns/{campaign_id}.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def campaign_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download a campaign's figures: a line for each run, the last one their sum."""
    found = await services.reports.campaign(by.account_id, campaign_id)
    return sheet_of(sheet.campaign_csv(found), "campaign", bom=asked.bom)


@router.get("/campaigns/{campaign_id}", dependencies=[Requires("reports:read")])
async def campaign_report(campaign_id: CampaignPath, by: By, services: From) -> CampaignReportShown:
    """Read a campaign's figures, exact at this moment."""
    return CampaignReportShown.model_validate(await services.reports.campaign(by.account_id, campaign_id))


@router.get("/campaigns/{campaign_id}/links.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def links_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download a campaign's links and their clicks."""
    found = await services.reports.links(by.account_id, campaign_id)
    return sheet_of(sheet.links_csv(found), "links", bom=asked.bom)


@router.get("/campaigns/{campaign_id}/links", dependencies=[Requires("reports:read")])
async def links_report(campaign_id: CampaignPath, by: By, services: From) -> LinksShown:
    """Read a campaign's links and their clicks."""
    found = await services.reports.links(by.account_id, campaign_id)
    return LinksShown(items=[LinkShown.model_validate(link) for link in found])


@router.get("/campaigns/{campaign_id}/series.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def series_report_csv(
    campaign_id: CampaignPath, asked: Annotated[SeriesAsked, Query()], by: By, services: From
) -> Sheet:
    """Download a campaign over time: a line for each minute, hour or day in which something happened."""
    found = await services.breakdowns.series(
        by.account_id, campaign_id, asked.step, hours=asked.hours, time_zone=asked.time_zone
    )
    return sheet_of(sheet.series_csv(found), "series", bom=asked.bom)


@router.get("/campaigns/{campaign_id}/series", dependencies=[Requires("reports:read")])
async def series_report(
    campaign_id: CampaignPath, asked: Annotated[SeriesAsked, Query()], by: By, services: From
) -> SeriesShown:
    """Read a campaign over time, by minute, hour or day of a zone; its first 48 hours if nothing is said."""
    found = await services.breakdowns.series(
        by.account_id, campaign_id, asked.step, hours=asked.hours, time_zone=asked.time_zone
    )
    return SeriesShown.model_validate(found)


@router.get("/campaigns/{campaign_id}/providers.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def campaign_providers_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download how a campaign fared at each provider."""
    found = await services.breakdowns.providers(by.account_id, campaign_id)
    return sheet_of(sheet.providers_csv(found), "providers", bom=asked.bom)


@router.get("/campaigns/{campaign_id}/providers", dependencies=[Requires("reports:read")])
async def campaign_providers(campaign_id: CampaignPath, by: By, services: From) -> ProvidersShown:
    """Read how a campaign fared at each provider that the rule file names, and at all others."""
    found = await services.breakdowns.providers(by.account_id, campaign_id)
    return ProvidersShown(items=[ProviderShown.model_validate(one) for one in found])


@router.get("/compare.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def compare_campaigns_csv(asked: Annotated[CompareAsked, Query()], by: By, services: From) -> Sheet:
    """Download campaigns side by side: a line for each."""
    found = await services.reports.compare(by.account_id, asked.campaign)
    return sheet_of(sheet.comparison_csv(found), "campaigns", bom=asked.bom)


@router.get("/compare", dependencies=[Requires("reports:read")])
async def compare_campaigns(asked: Annotated[CompareAsked, Query()], by: By, services: From) -> ComparisonShown:
    """Read up to 20 campaigns side by side, as of one moment."""
    found = await services.reports.compare(by.account_id, asked.campaign)
    return ComparisonShown(items=[CampaignReportShown.model_validate(report) for report in found])


@router.get("/deliverability.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def deliverability_csv(asked: Annotated[PeriodAsked, Query()], by: By, services: From) -> Sheet:
    """Download how the mail of a period's runs fared at each provider."""
    found = await services.breakdowns.deliverability(by.account_id, *_period(asked, services.clock))
    return sheet_of(sheet.providers_csv(found), "deliverability", bom=asked.bom)


@router.get("/deliverability", dependencies=[Requires("reports:read")])
async def deliverability(asked: Annotated[PeriodAsked, Query()], by: By, services: From) -> ProvidersShown:
    """Read how the mail of all runs that started in a period fared at each provider: deferrals, bounces, complaints."""
    found = await services.breakdowns.deliverability(by.account_id, *_period(asked, services.clock))
    return ProvidersShown(items=[ProviderShown.model_validate(one) for one in found])


async def _growth(asked: GrowthAsked, by: By, services: From) -> Sequence[Growth]:
    since, until = _period(asked, services.clock)
    return await services.growth.read(by.account_id, since, until, asked.step, ZoneInfo(asked.time_zone))


def _period(asked: PeriodAsked | GrowthAsked, clock: Clock) -> tuple[datetime, datetime]:
    until = asked.until or clock.now()
    return asked.since or until - DEFAULT_PERIOD, until
