"""Segments as they are sent and shown."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, WithJsonSchema
from pydantic.config import JsonDict

from api.segments.rule import NAME
from api.values import Answer, Body, Name, PreviewId, SegmentId
from members.previews import Found, Preview, State
from members.segments import Segment

Rule = Annotated[dict[str, Any], WithJsonSchema({"x-component": NAME})]

_RULE: JsonDict = {"any": [{"attribute": "prefecture", "equals": "tokyo"}, {"attribute": "age", "between": [20, 29]}]}


class NewSegment(Body):
    """A rule by name; who meets it is asked anew at each use."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Tokyo or twenties", "rule": _RULE}]})

    name: Name
    rule: Rule


class SegmentChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Tokyo"}]})

    name: Name | None = None
    rule: Rule | None = None


class SegmentTried(Body):
    """A rule that is not stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rule": _RULE}]})

    rule: Rule


class SegmentShown(Answer):
    """A segment."""

    id: SegmentId
    name: str
    rule: Rule
    created_at: datetime


class FoundShown(Answer):
    """What a rule finds now: how many, how many of them can be written to, why not the others, and a few, masked."""

    matching: int
    sendable: int
    left_out: dict[str, int]
    samples: list[str]


class Progress(Answer):
    """How many members are decided, of how many."""

    done: int
    total: int


class PreviewShown(Answer):
    """A preview that takes opening members, or asking what became of their mail. Kept for an hour.

    `result` grows with the progress; it is whole in the state `finished`.
    """

    id: PreviewId
    state: State
    scan: Literal[True]
    progress: Progress
    result: FoundShown
    errors: list[str]
    created_at: datetime


def shown(segment: Segment) -> SegmentShown:
    """Return what the API shows of a segment."""
    return SegmentShown(
        id=segment.segment_id, name=segment.name, rule=dict(segment.rule), created_at=segment.created_at
    )


def shown_found(found: Found) -> FoundShown:
    """Return what the API shows of what a rule finds."""
    return FoundShown(
        matching=found.count.matching,
        sendable=found.count.sendable,
        left_out=dict(found.count.left_out),
        samples=list(found.samples),
    )


def shown_preview(preview: Preview) -> PreviewShown:
    """Return what the API shows of a preview on its way."""
    return PreviewShown(
        id=preview.preview_id,
        state=preview.state,
        scan=True,
        progress=Progress(done=preview.done, total=preview.total),
        result=shown_found(preview.found),
        errors=[preview.error] if preview.error else [],
        created_at=preview.created_at,
    )
