"""Reports as they are asked for."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.values import CampaignId, Instant
from members.growth import GrowthStep
from tracking.breakdown import Step

MOST_HOURS = 24 * 366
MOST_COMPARED = 20


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("There is no such time zone")
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]


class SeriesAsked(BaseModel):
    """Which part of a campaign's time is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: Step = "hour"
    hours: int = Field(48, ge=1, le=MOST_HOURS, description="From the start of the first run; by the minute up to 48")
    time_zone: TimeZone | None = Field(None, description="Whose hours and days; if not said, the campaign's, else UTC")
    bom: bool = Field(default=False, description="Of CSV: begin with a byte order mark, for Excel")


class PeriodAsked(BaseModel):
    """Which runs are asked for, by when they started: those of the last 30 days, if nothing is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Instant | None = None
    until: Instant | None = None
    bom: bool = Field(default=False, description="Of CSV: begin with a byte order mark, for Excel")


class CompareAsked(BaseModel):
    """Which campaigns are compared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: list[CampaignId] = Field(min_length=1, max_length=MOST_COMPARED, description="Said once for each")
    bom: bool = Field(default=False, description="Of CSV: begin with a byte order mark, for Excel")


class GrowthAsked(BaseModel):
    """Which steps are asked for: the last 30 days, if nothing is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Instant | None = None
    until: Instant | None = None
    step: GrowthStep = "day"
    time_zone: TimeZone = Field("UTC", description="Whose days, weeks and months; weeks begin on Monday")
    bom: bool = Field(default=False, description="Of CSV: begin with a byte order mark, for Excel")


class SheetAsked(BaseModel):
    """How a sheet is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bom: bool = Field(default=False, description="Begin with a byte order mark, for Excel")
