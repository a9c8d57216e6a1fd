"""Webhooks and their deliveries as they are sent and shown."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api.pagination import Page
from api.values import Answer, Body, Instant, NoticeId, WebhookId
from scheduler.webhooks.deliveries import DeliveryState, WebhookDelivery
from scheduler.webhooks.destination import MAX_URL
from scheduler.webhooks.store import Webhook, WebhookFields

MOST_AT_ONCE = 500

Url = Annotated[str, Field(max_length=MAX_URL, description="https, to a public address; no redirect is followed")]
Events = Annotated[list[str], Field(max_length=50, description="Kinds of notices, of the list in the reference")]


class NewWebhook(Body):
    """Where notices are posted to, and which."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://hooks.example.jp/todoku", "events": ["run.finished", "campaign.stopped"]}]
        }
    )

    url: Url
    events: Events
    enabled: bool = True

    def fields(self) -> WebhookFields:
        """Return what the store takes."""
        return WebhookFields(self.url, tuple(dict.fromkeys(self.events)), self.enabled)


class WebhookChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None

    def onto(self, present: WebhookFields) -> WebhookFields:
        """Return the whole as it is to be."""
        return WebhookFields(
            present.url if self.url is None else self.url,
            present.events if self.events is None else tuple(dict.fromkeys(self.events)),
            present.enabled if self.enabled is None else self.enabled,
        )


class WebhookShown(Answer):
    """A webhook. `reason`: why it was turned off by itself. `secret` is there when it is made, and never again."""

    id: WebhookId
    url: str
    events: list[str]
    enabled: bool
    reason: str | None
    created_at: datetime
    secret: str | None = Field(None, description="`whsec_…`, shown this once: what posts are signed with")


class Deliveries(Page):
    """Which deliveries are asked for."""

    state: DeliveryState | None = Field(None, description="`dead` alone: the dead-letter list")
    count: Literal[False] = False


class WebhookDeliveryShown(Answer):
    """One notice for this webhook, and what the last post of it came to."""

    id: NoticeId = Field(description="What `webhook-id` says, at every attempt")
    type: str
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="The last answer's status")
    fault: str | None = Field(description="Why the last post was not taken")
    created_at: datetime
    settled_at: datetime | None
    next_at: datetime | None = Field(description="When it is posted next")


class Replay(Body):
    """What is to be posted again: these deliveries, or all that were given up; of those told since a time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-12-01T00:00:00Z"}]})

    deliveries: list[NoticeId] | None = Field(None, min_length=1, max_length=MOST_AT_ONCE)
    since: Instant | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.deliveries is not None and self.since is not None:
            raise ValueError("Name deliveries, or a time, and not both")
        return self


class Replayed(Answer):
    """How many are posted again."""

    replayed: int


def shown(webhook: Webhook, secret: str | None = None) -> WebhookShown:
    """Return what the API shows of a webhook."""
    fields = webhook.fields
    return WebhookShown(
        id=webhook.webhook_id,
        url=fields.url,
        events=list(fields.events),
        enabled=fields.enabled,
        reason=webhook.reason,
        created_at=webhook.created_at,
        secret=secret,
    )


def shown_delivery(delivery: WebhookDelivery) -> WebhookDeliveryShown:
    """Return what the API shows of a delivery."""
    return WebhookDeliveryShown(
        id=delivery.event_id,
        type=delivery.kind,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        fault=delivery.fault,
        created_at=delivery.created_at,
        settled_at=delivery.settled_at,
        next_at=delivery.next_at,
    )
