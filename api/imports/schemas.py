"""Imports as they are shown, and the form of an upload."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from api.values import Answer, ImportId
from members.imports.compression import COMPRESSIONS
from members.imports.options import Format
from members.imports.report import Report
from members.imports.store import Import, State


class Progress(Answer):
    """How far it is; `total` is null until the file was read to its end."""

    done: int
    total: int | None


class ImportShown(Answer):
    """An import to watch. created + updated + unchanged + rejected = progress.done.

    A dry run ends `checked`: the counts are what would become of the rows.
    """

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: ImportId
    state: State
    dry_run: bool
    format: Format | None
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


class ColumnShown(Answer):
    """A column (JSON Lines: a key) of the file and what it becomes; null: it is passed over."""

    title: str
    target: str | None


class SampleShown(Answer):
    """One of the file's first rows: as it would be taken, personal fields masked, or why it would not be."""

    line: int
    email: str | None = None
    attributes: dict[str, Any] | None = None
    reason: str | None = None


class ReportShown(Answer):
    """How the file is understood. `samples` are there in a dry run only; both lists are empty until it has begun."""

    columns: list[ColumnShown]
    samples: list[SampleShown]


UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "consent_source"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "CSV with a title line, or JSON Lines; plain, gzip, bzip2, xz or zip",
                        },
                        "mapping": {"type": "string", "description": "JSON: `email` or an attribute by column title"},
                        "consent_source": {"type": "string", "description": "Where the members of the file consented"},
                        "consent_at": {
                            "type": "string",
                            "format": "date-time",
                            "description": "When; else now",
                        },
                        "dry_run": {"type": "string", "enum": ["true", "false"], "default": "false"},
                        "format": {"type": "string", "enum": ["csv", "jsonl"], "description": "Found out if not said"},
                        "compression": {
                            "type": "string",
                            "enum": list(COMPRESSIONS),
                            "description": "Found out if not said",
                        },
                        "encoding": {"type": "string", "description": "utf-8, cp932 or utf-16; found out if not said"},
                        "delimiter": {"type": "string", "description": "Found out if not said"},
                        "mode": {"type": "string", "enum": ["upsert", "add", "update", "replace"], "default": "upsert"},
                        "time_zone": {"type": "string", "description": "Of times without an offset"},
                        "groups": {
                            "type": "string",
                            "description": "JSON list of groups to put them into",
                        },
                        "topics": {
                            "type": "string",
                            "description": "JSON list of topics that new members join by their consent",
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


def shown_report(found: Report) -> ReportShown:
    """Return what the API shows of a report."""
    return ReportShown(
        columns=[ColumnShown(title=column.title, target=column.target) for column in found.columns],
        samples=[SampleShown(**sample) for sample in found.samples],
    )


def shown(found: Import) -> ImportShown:
    """Return what the API shows of an import."""
    return ImportShown(
        id=found.import_id,
        state=found.state,
        dry_run=found.dry_run,
        format=found.format,
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
