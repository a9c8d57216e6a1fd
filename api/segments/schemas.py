"""Segments as they are sent and shown."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.values import Answer, Body, Name, SegmentId
from members.segments import Preview, Segment

Rule = Annotated[
    dict[str, Any],
    Field(
        description=(
            '`{"all": [rule, …]}`, `{"any": [rule, …]}`, `{"not": rule}`, `{"group": "grp_…"}`, or an attribute with '
            "one of: equals, not_equals, in, is_set, between, less, greater, before, after, contains"
        ),
        examples=[{"attribute": "prefecture", "in": ["tokyo", "osaka"]}],
    ),
]

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
    rule: dict[str, Any]
    created_at: datetime


class PreviewShown(Answer):
    """What a rule finds now: how many, how many of them can be written to, why not the others, and a few, masked."""

    matching: int
    sendable: int
    left_out: dict[str, int]
    samples: list[str]


def shown(segment: Segment) -> SegmentShown:
    """Return what the API shows of a segment."""
    return SegmentShown(
        id=segment.segment_id, name=segment.name, rule=dict(segment.rule), created_at=segment.created_at
    )


def shown_preview(preview: Preview) -> PreviewShown:
    """Return what the API shows of a preview."""
    count = preview.count
    return PreviewShown(
        matching=count.matching,
        sendable=count.sendable,
        left_out=dict(count.left_out),
        samples=list(preview.samples),
    )
