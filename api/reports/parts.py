"""/v1/reports/campaigns/…: a campaign by what its recipients have in common, and by what was sent."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.auth import By, Requires
from api.reports.schemas import (
    AttributeReportShown,
    GroupFigures,
    GroupsReportShown,
    SegmentFigures,
    SegmentsReportShown,
    ValueFigures,
    VersionShown,
    VersionsShown,
)
from api.reports.sheets import AsSheet, Sheet, sheet_of
from api.route import Route
from api.services import From, Services
from api.values import CampaignPath
from core.errors import NotFound
from tracking import sheet
from tracking.traits import TraitReport

router = APIRouter(prefix="/v1/reports/campaigns/{campaign_id}", tags=["reports"], route_class=Route)

AttributePath = Annotated[str, Path(max_length=63, description="The name of an attribute")]


@router.get("/segments.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def segments_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download a campaign's figures by segment."""
    found = await services.traits.by_segment(by.account_id, campaign_id)
    names = await services.segments.names(by.account_id)
    return sheet_of(sheet.named_csv(found, "seg", names), "segments", bom=asked.bom)


@router.get("/segments", dependencies=[Requires("reports:read")])
async def segments_report(campaign_id: CampaignPath, by: By, services: From) -> SegmentsReportShown:
    """Read a campaign's figures by segment, of the segments that it is reported by."""
    found = await services.traits.by_segment(by.account_id, campaign_id)
    names = await services.segments.names(by.account_id)
    return SegmentsReportShown(items=[SegmentFigures.model_validate(_named(one, names)) for one in found])


@router.get("/groups.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def groups_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download a campaign's figures by group."""
    found = await services.traits.by_group(by.account_id, campaign_id)
    names = await services.groups.names(by.account_id)
    return sheet_of(sheet.named_csv(found, "grp", names), "groups", bom=asked.bom)


@router.get("/groups", dependencies=[Requires("reports:read")])
async def groups_report(campaign_id: CampaignPath, by: By, services: From) -> GroupsReportShown:
    """Read a campaign's figures by group, of the groups that it is reported by."""
    found = await services.traits.by_group(by.account_id, campaign_id)
    names = await services.groups.names(by.account_id)
    return GroupsReportShown(items=[GroupFigures.model_validate(_named(one, names)) for one in found])


@router.get("/attributes/{name}.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def attribute_report_csv(
    campaign_id: CampaignPath, name: AttributePath, asked: AsSheet, by: By, services: From
) -> Sheet:
    """Download a campaign's figures by the values of an open attribute."""
    found = await services.traits.by_attribute(by.account_id, campaign_id, await _key(services, by.account_id, name))
    return sheet_of(sheet.values_csv(found), "attribute", bom=asked.bom)


@router.get("/attributes/{name}", dependencies=[Requires("reports:read")])
async def attribute_report(
    campaign_id: CampaignPath, name: AttributePath, by: By, services: From
) -> AttributeReportShown:
    """Read a campaign's figures by the values of an open attribute that it is reported by."""
    found = await services.traits.by_attribute(by.account_id, campaign_id, await _key(services, by.account_id, name))
    return AttributeReportShown(attribute=name, items=[ValueFigures.model_validate(one) for one in found])


@router.get("/versions.csv", dependencies=[Requires("reports:read")], response_class=Sheet)
async def versions_report_csv(campaign_id: CampaignPath, asked: AsSheet, by: By, services: From) -> Sheet:
    """Download a campaign's figures by content version."""
    found = await services.reports.versions(by.account_id, campaign_id)
    return sheet_of(sheet.versions_csv(found), "versions", bom=asked.bom)


@router.get("/versions", dependencies=[Requires("reports:read")])
async def versions_report(campaign_id: CampaignPath, by: By, services: From) -> VersionsShown:
    """Read a campaign's figures by content version: the runs that sent the same frozen content."""
    found = await services.reports.versions(by.account_id, campaign_id)
    return VersionsShown(items=[VersionShown.model_validate(one) for one in found])


def _named(one: TraitReport, names: Mapping[UUID, str]) -> Mapping[str, object]:
    """Return the figures of a segment or group with its name, if it is still there."""
    of = None if one.value is None else UUID(one.value)
    return {"part": one.part, "value": of, "name": None if of is None else names.get(of), "figures": one.figures}


async def _key(services: Services, account_id: UUID, name: str) -> str:
    """Return the key of an attribute that is or was called so. Raises NotFound."""
    key = (await services.attributes.names(account_id)).get(name)
    if key is None:
        raise NotFound("No such attribute")
    return key
