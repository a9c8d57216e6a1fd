"""Imports as they are shown, and the form of an upload."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from api.values import Answer, ImportId
from members.imports.store import Import, State


class Progress(Answer):
    """How far it is; `total` is null until the file was read to its end."""

    done: int
    total: int | None


class ImportShown(Answer):
    """An import to watch. created + updated + unchanged + rejected = progress.done."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: ImportId
    state: State
    progress: Progress
    created: int
    updated: int
    unchanged: int
    rejected: int
    bytes: int
    mapping: dict[str, str]
    consent_source: str
    created_at: datetime
    finished_at: datetime | None
    errors: list[str]


UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "consent_source"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "CSV or TSV with a title line"},
                        "mapping": {"type": "string", "description": "JSON: `email` or an attribute by column title"},
                        "consent_source": {"type": "string", "description": "Where the members of the file consented"},
                        "consent_at": {
                            "type": "string",
                            "format": "date-time",
                            "description": "When; else now",
                        },
                        "encoding": {"type": "string", "description": "utf-8, cp932 or utf-16; found out if not said"},
                        "delimiter": {"type": "string", "description": "Found out if not said"},
                        "mode": {"type": "string", "enum": ["upsert", "add", "update"], "default": "upsert"},
                        "time_zone": {"type": "string", "description": "Of times without an offset"},
                        "groups": {
                            "type": "string",
                            "description": "JSON list of groups to put them into",
                        },
                    },
                    "example": {
                        "file": "メール,氏名\r\ntaro@example.jp,山田太郎\r\n",
                        "mapping": '{"メール": "email", "氏名": "name"}',
                        "consent_source": "2026-form",
                    },
                }
            }
        },
    }
}
"""The form of POST /v1/imports for the API's description: the endpoint reads it as a stream."""


def shown(found: Import) -> ImportShown:
    """Return what the API shows of an import."""
    return ImportShown(
        id=found.import_id,
        state=found.state,
        progress=Progress(done=found.rows_done, total=found.rows_total),
        created=found.created,
        updated=found.updated,
        unchanged=found.unchanged,
        rejected=found.rejected,
        bytes=found.bytes,
        mapping=dict(found.mapping),
        consent_source=found.consent_source,
        created_at=found.created_at,
        finished_at=found.finished_at,
        errors=[found.error] if found.error else [],
    )
