"""/v1/runs: the starts of campaigns, and what became of each recipient."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.auth import By, Requires
from api.pagination import Listed, cut
from api.route import Route
from api.runs.schemas import Deliveries, DeliveryShown, Runs, RunShown, shown, shown_delivery
from api.services import From
from api.values import RunPath

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)


@router.get("", dependencies=[Requires("campaigns:read")])
async def list_runs(page: Annotated[Runs, Query()], by: By, services: From) -> Listed[RunShown]:
    """List runs, oldest first, those of tests too."""
    found = await services.runs.list(by.account_id, campaign_id=page.campaign, after=page.after, limit=page.limit)
    return Listed(items=[shown(run) for run in found], next=cut(found, page, found[-1].run_id if found else None))


@router.get("/{run_id}", dependencies=[Requires("campaigns:read")])
async def get_run(run_id: RunPath, by: By, services: From) -> RunShown:
    """Read a run: its state, its counts, how late it started."""
    return shown(await services.runs.get(by.account_id, run_id))


@router.get("/{run_id}/deliveries", dependencies=[Requires("campaigns:read")])
async def list_deliveries(
    run_id: RunPath, page: Annotated[Deliveries, Query()], by: By, services: From
) -> Listed[DeliveryShown]:
    """List a run's recipients in the order of their snapshot."""
    found = await services.runs.deliveries(
        by.account_id,
        run_id,
        after=page.after_seq,
        limit=page.limit,
        uncertain_only=page.state == "uncertain",
    )
    last = UUID(int=found[-1].seq) if found else None
    return Listed(items=[shown_delivery(delivery) for delivery in found], next=cut(found, page, last))
