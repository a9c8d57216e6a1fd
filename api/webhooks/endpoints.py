"""/v1/webhooks: where notices are posted to, what came of each, and posting again."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api import revisions
from api.auth import By, Requires
from api.pagination import Listed, Page, cut
from api.revisions import IfMatch
from api.route import Route
from api.services import From
from api.values import WebhookPath
from api.webhooks.schemas import (
    Deliveries,
    NewWebhook,
    Replay,
    Replayed,
    WebhookChange,
    WebhookDeliveryShown,
    WebhookShown,
    shown,
    shown_delivery,
)
from core import ids

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("webhooks:write")])
async def create_webhook(body: NewWebhook, response: Response, by: By, services: From) -> WebhookShown:
    """Create a webhook. The answer shows its secret, this once."""
    made, secret = await services.webhooks.create(by.account_id, body.fields())
    response.headers["Location"] = f"/v1/webhooks/{ids.encode('whk', made.webhook_id)}"
    revisions.tag(response, made.revision)
    return shown(made, secret)


@router.get("", dependencies=[Requires("webhooks:read")])
async def list_webhooks(page: Annotated[Page, Query()], by: By, services: From) -> Listed[WebhookShown]:
    """List webhooks, oldest first."""
    found = await services.webhooks.list(by.account_id, after=page.after, limit=page.limit)
    return Listed(
        items=[shown(webhook) for webhook in found],
        next=cut(found, page, found[-1].webhook_id if found else None),
        count=len(found) if page.count and page.after is None else None,
    )


@router.get("/{webhook_id}", dependencies=[Requires("webhooks:read")])
async def get_webhook(webhook_id: WebhookPath, response: Response, by: By, services: From) -> WebhookShown:
    """Read a webhook."""
    found = await services.webhooks.get(by.account_id, webhook_id)
    revisions.tag(response, found.revision)
    return shown(found)


@router.patch("/{webhook_id}", dependencies=[Requires("webhooks:write")])
async def change_webhook(
    webhook_id: WebhookPath, revision: IfMatch, body: WebhookChange, response: Response, by: By, services: From
) -> WebhookShown:
    """Change a webhook. What waits is posted to where it leads then."""
    present = await services.webhooks.get(by.account_id, webhook_id)
    changed = await services.webhooks.change(by.account_id, webhook_id, revision, body.onto(present.fields))
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("webhooks:write")])
async def remove_webhook(webhook_id: WebhookPath, by: By, services: From) -> None:
    """Remove a webhook, what waits for it, and the record of its posts."""
    await services.webhooks.remove(by.account_id, webhook_id)


@router.post("/{webhook_id}/secret", dependencies=[Requires("webhooks:write")])
async def renew_webhook_secret(webhook_id: WebhookPath, response: Response, by: By, services: From) -> WebhookShown:
    """Give a webhook a new secret, shown this once. For a day posts are signed with both."""
    changed, secret = await services.webhooks.rotate(by.account_id, webhook_id)
    revisions.tag(response, changed.revision)
    return shown(changed, secret)


@router.get("/{webhook_id}/deliveries", dependencies=[Requires("webhooks:read")])
async def list_webhook_deliveries(
    webhook_id: WebhookPath, page: Annotated[Deliveries, Query()], by: By, services: From
) -> Listed[WebhookDeliveryShown]:
    """List what was or will be posted, newest first; with `state=dead` what was given up."""
    await services.webhooks.get(by.account_id, webhook_id)
    found = await services.webhook_deliveries.list(
        by.account_id, webhook_id, before=page.after, state=page.state, limit=page.limit
    )
    last = found[-1].event_id if found else None
    return Listed(items=[shown_delivery(delivery) for delivery in found], next=cut(found, page, last))


@router.post("/{webhook_id}/replay", dependencies=[Requires("webhooks:write")])
async def replay_webhook(webhook_id: WebhookPath, body: Replay, by: By, services: From) -> Replayed:
    """Post again what was given up, or the deliveries that are named, though they were taken."""
    await services.webhooks.get(by.account_id, webhook_id)
    count = await services.webhook_deliveries.replay(webhook_id, notices=body.deliveries, since=body.since)
    return Replayed(replayed=count)
