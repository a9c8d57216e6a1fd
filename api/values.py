"""The forms of values that all resources share: ids with their kind in front, bounded texts, strict bodies."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from core import ids
from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Shown:
    """How a UUID is read and shown: with its kind in front. In a path a wrong one is a 404, in a body a fault."""

    kind: str
    in_path: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate and print by core/ids.py."""
        return core_schema.no_info_plain_validator_function(
            self._read, serialization=core_schema.plain_serializer_function_ser_schema(self._show)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe it as the text that it is."""
        return {
            "type": "string",
            "pattern": f"^{self.kind}_[{ids.ALPHABET}]{{26}}$",
            "examples": [f"{self.kind}_01jd0n4v7m8x2e6g9qk3s5t7wz"],
        }

    def _read(self, value: object) -> UUID:
        if isinstance(value, UUID):
            return value
        if isinstance(value, str):
            try:
                return ids.decode(self.kind, value)
            except NotFound:
                if self.in_path:
                    raise
        raise ValueError(f"There is no such id; it would begin with {self.kind}_")

    def _show(self, value: UUID) -> str:
        return ids.encode(self.kind, value)


AccountId = Annotated[UUID, Shown("acc")]
AttachmentId = Annotated[UUID, Shown("att")]
AttributeId = Annotated[UUID, Shown("atr")]
MemberId = Annotated[UUID, Shown("mem")]
GroupId = Annotated[UUID, Shown("grp")]
TopicId = Annotated[UUID, Shown("top")]
ImportId = Annotated[UUID, Shown("imp")]
PreviewId = Annotated[UUID, Shown("prv")]
ExportId = Annotated[UUID, Shown("exp")]
SegmentId = Annotated[UUID, Shown("seg")]
SenderId = Annotated[UUID, Shown("snd")]
TemplateId = Annotated[UUID, Shown("tpl")]
CampaignId = Annotated[UUID, Shown("cmp")]
RunId = Annotated[UUID, Shown("run")]
NoticeId = Annotated[UUID, Shown("ntc")]
AuditId = Annotated[UUID, Shown("aud")]
EventId = Annotated[UUID, Shown("evt")]
WebhookId = Annotated[UUID, Shown("whk")]

AttachmentPath = Annotated[UUID, Shown("att", in_path=True), Path()]
AttributePath = Annotated[UUID, Shown("atr", in_path=True), Path()]
MemberPath = Annotated[UUID, Shown("mem", in_path=True), Path()]
GroupPath = Annotated[UUID, Shown("grp", in_path=True), Path()]
TopicPath = Annotated[UUID, Shown("top", in_path=True), Path()]
ImportPath = Annotated[UUID, Shown("imp", in_path=True), Path()]
PreviewPath = Annotated[UUID, Shown("prv", in_path=True), Path()]
ExportPath = Annotated[UUID, Shown("exp", in_path=True), Path()]
SegmentPath = Annotated[UUID, Shown("seg", in_path=True), Path()]
SenderPath = Annotated[UUID, Shown("snd", in_path=True), Path()]
TemplatePath = Annotated[UUID, Shown("tpl", in_path=True), Path()]
CampaignPath = Annotated[UUID, Shown("cmp", in_path=True), Path()]
RunPath = Annotated[UUID, Shown("run", in_path=True), Path()]
WebhookPath = Annotated[UUID, Shown("whk", in_path=True), Path()]

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["December news"])]

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?P<offset>[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def _time(value: object) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass  # a 30th of February has the form of a time and is none
    raise ValueError("Not a time of RFC 3339, such as 2026-12-01T09:00:00+09:00")


def _instant(value: object) -> datetime:
    time = _time(value)
    if time.tzinfo is None:
        raise ValueError("The time needs an offset, such as +09:00 or Z")
    return time


_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T09:00:00+09:00"]})

Instant = Annotated[datetime, PlainValidator(_instant), _TIME_SCHEMA]
"""A time with its offset (RFC 3339)."""
LocalOrInstant = Annotated[datetime, PlainValidator(_time), _TIME_SCHEMA]
"""A time with or without an offset: without one, a zone must stand beside it."""


class Body(BaseModel):
    """What a request sends: no field that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answer(BaseModel):
    """What an answer holds; built from the values that the stores return."""

    model_config = ConfigDict(from_attributes=True, frozen=True)
