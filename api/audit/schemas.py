"""Entries of the audit log as they are shown."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.pagination import Page
from api.values import Answer, AuditId
from core.audit import Action, Entry


class AuditPage(Page):
    """Which entries are asked for."""

    action: Action | None = None
    count: Literal[False] = False


class EntryShown(Answer):
    """A deed. `actor`: an API key's id, or `operator` for the command line; `detail`: figures, never a person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "aud_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "actor": "key_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "action": "member.searched",
                    "object": "members",
                    "detail": {"by": "part", "hits": 3},
                    "occurred_at": "2026-12-01T00:00:09.120000Z",
                }
            ]
        }
    )

    id: AuditId
    actor: str
    action: Action
    object: Annotated[str, Field(description="What it was done to: an id, or the name of a list")]
    detail: dict[str, Any]
    occurred_at: datetime


def shown(entry: Entry) -> EntryShown:
    """Return what the API shows of an entry."""
    return EntryShown(
        id=entry.audit_id,
        actor=entry.actor,
        action=entry.action,
        object=entry.object,
        detail=dict(entry.detail),
        occurred_at=entry.occurred_at,
    )
