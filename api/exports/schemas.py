"""Exports as they are ordered and shown."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.campaigns.schemas import Audience
from api.imports.schemas import Progress
from api.values import Answer, Body, ExportId
from members.exports.columns import MAX_COLUMNS
from members.exports.store import Export, State
from members.exports.writing import Format

# The audit log notes the columns: no text but a name gets that far.
Column = Annotated[str, Field(max_length=63, pattern=r"^[a-z][a-z0-9_]*$")]


class NewExport(Body):
    """Who and what is to be in the file: everyone with all attributes, if nothing is said."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"format": "csv", "columns": ["email", "name"], "audience": {"all": True}}]}
    )

    format: Format = "csv"
    columns: list[Column] | None = Field(
        None, min_length=1, max_length=MAX_COLUMNS, description="email, all attributes if not said"
    )
    audience: Audience = Field(default_factory=lambda: Audience(all=True))
    bom: bool = Field(default=True, description="CSV begins with a byte order mark, by which Excel knows UTF-8")


class ExportShown(Answer):
    """An export to watch. Of the members looked at (`progress`) so many are in the file; `unreadable` ones are not."""

    id: ExportId
    state: State
    format: Format
    bom: bool
    columns: list[str]
    audience: dict[str, Any]
    progress: Progress
    members: int
    unreadable: int
    bytes: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    errors: list[str]


def shown(found: Export) -> ExportShown:
    """Return what the API shows of an export."""
    return ExportShown(
        id=found.export_id,
        state=found.state,
        format=found.format,
        bom=found.bom,
        columns=list(found.columns),
        audience=dict(found.audience),
        progress=Progress(done=found.rows_done, total=found.rows_total),
        members=found.written,
        unreadable=found.unreadable,
        bytes=found.bytes,
        created_at=found.created_at,
        finished_at=found.finished_at,
        expires_at=found.expires_at,
        errors=[found.error] if found.error else [],
    )
