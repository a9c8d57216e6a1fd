"""Runs and deliveries as they are shown."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.pagination import Page
from api.values import Answer, CampaignId, MemberId, RunId
from core.errors import Fault, InvalidInput
from scheduler.campaigns.states import State
from scheduler.runs import Delivery, DeliveryState, Run

MAX_SEQ = 2**31 - 1


class Runs(Page):
    """Which runs are asked for."""

    campaign: CampaignId | None = Field(None, description="Of this campaign alone")
    count: Literal[False] = False


class Deliveries(Page):
    """Which deliveries are asked for."""

    state: Literal["uncertain"] | None = Field(None, description="Those alone that may or may not have arrived")
    count: Literal[False] = False

    @property
    def after_seq(self) -> int:
        """The sequence number after which the page begins: a cursor is an id like all others, here it holds one."""
        after = self.after
        if after is not None and after.int > MAX_SEQ:
            raise InvalidInput("The cursor is of another list", [Fault("/query/cursor", "invalid", "Of another list")])
        return after.int if after else 0


class Progress(Answer):
    """How far it is."""

    done: int
    total: int


class CountsShown(Answer):
    """accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot, always."""

    snapshot: int
    accepted: int
    failed: int
    failed_by_reason: dict[str, int]
    suppressed: int
    suppressed_by_reason: dict[str, int]
    cancelled: int
    uncertain: int
    waiting: int


class RunShown(Answer):
    """One start of a campaign. `left_out`: who was in the audience and might not be written to, by reason."""

    model_config = ConfigDict(json_schema_extra={"description": "Times are RFC 3339, `lateness` is in seconds"})

    id: RunId
    campaign: CampaignId
    kind: Literal["campaign", "test"]
    state: State
    progress: Progress
    counts: CountsShown
    left_out: dict[str, int]
    audience_state: str
    starts_at: datetime
    local_time: str | None
    time_zone: str | None
    scheduled_at: datetime
    started_at: datetime | None
    first_sent_at: datetime | None
    finished_at: datetime | None
    lateness: float | None
    resume_at: datetime | None = Field(description="When a paused one goes on by itself")
    errors: list[str] = Field(description="Why its audience could not be had, or why it was stopped or suspended")


class DeliveryShown(Answer):
    """One recipient of a run and what became of it."""

    seq: int
    member: MemberId
    state: DeliveryState
    tries: int
    code: int | None
    reason: str | None
    detail: str | None
    at: datetime | None


def shown(run: Run) -> RunShown:
    """Return what the API shows of a run."""
    counts = run.counts
    failed, suppressed = sum(counts.failed.values()), sum(counts.suppressed.values())
    return RunShown(
        id=run.run_id,
        campaign=run.campaign_id,
        kind="test" if run.kind == "test" else "campaign",
        state=run.state,
        progress=Progress(done=counts.snapshot - counts.waiting, total=counts.snapshot),
        counts=CountsShown(
            snapshot=counts.snapshot,
            accepted=counts.accepted,
            failed=failed,
            failed_by_reason=dict(counts.failed),
            suppressed=suppressed,
            suppressed_by_reason=dict(counts.suppressed),
            cancelled=counts.cancelled,
            uncertain=counts.uncertain,
            waiting=counts.waiting,
        ),
        left_out=dict(run.left_out),
        audience_state=run.audience_state,
        starts_at=run.starts_at,
        local_time=run.local_time,
        time_zone=run.time_zone,
        scheduled_at=run.scheduled_at,
        started_at=run.started_at,
        first_sent_at=run.first_sent_at,
        finished_at=run.finished_at,
        lateness=run.lateness,
        resume_at=run.resume_at,
        errors=[run.reason] if run.reason else [],
    )


def shown_delivery(delivery: Delivery) -> DeliveryShown:
    """Return what the API shows of a delivery."""
    fields = asdict(delivery)
    return DeliveryShown(member=fields.pop("member_id"), **fields)
