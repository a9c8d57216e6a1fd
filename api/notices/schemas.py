"""Notices as they are shown."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.pagination import Page
from api.values import Answer, NoticeId
from core import ids
from core.outbox import KINDS, Notice


class Notices(Page):
    """Which notices are asked for."""

    since: NoticeId | None = Field(None, description="Those that came after this one, oldest first")
    count: Literal[False] = False


class NoticeShown(Answer):
    """Something that happened by itself. `payload` says it in figures, as its kind has them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "ntc_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "kind": "campaign.stopped",
                    "subject": "cmp_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "payload": {
                        "run": "run_01jd0n4v7m8x2e6g9qk3s5t7wz",
                        "results": 540,
                        "hard_bounces": 62,
                        "share": 0.1148,
                        "limit": 0.1,
                        "reason": "stopped by itself: 62 of 540 results were hard bounces (11.5 %), the limit is 10 %",
                    },
                    "created_at": "2026-12-01T00:00:09.120000Z",
                }
            ]
        }
    )

    id: NoticeId
    kind: str
    subject: str
    payload: dict[str, Any]
    created_at: datetime


def shown(notice: Notice) -> NoticeShown:
    """Return what the API shows of a notice."""
    return NoticeShown(
        id=notice.event_id,
        kind=notice.kind,
        subject=ids.encode(KINDS[notice.kind].subject, notice.subject_id),
        payload=dict(notice.payload),
        created_at=notice.created_at,
    )
