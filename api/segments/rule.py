"""The JSON schema of a rule: recursive, so that it stands among OpenAPI's components under its name."""

from collections.abc import Mapping
from typing import Any, get_args

from core import ids
from members.rules.facts import MAX_SOURCE
from members.rules.operands import MAX_LIST
from members.rules.operators import MAX_DAYS, TYPES
from members.rules.tree import MailEvent, SeenEvent
from members.status import Status

NAME = "Rule"

_RULE = {"$ref": f"#/components/schemas/{NAME}"}
_VALUE: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_DAYS: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}
_TIMES: dict[str, Any] = {"after": _TIME, "before": _TIME}
_OPERANDS: Mapping[str, dict[str, Any]] = {
    "in": {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": MAX_LIST},
    "between": {"type": "array", "items": _VALUE, "minItems": 2, "maxItems": 2, "description": "Both included"},
    "within_days": _DAYS | {"description": "Of the last so many days"},
    "is_set": {"type": "boolean"},
}


def _object(properties: Mapping[str, Any], *, optional: bool = False) -> dict[str, Any]:
    required: dict[str, Any] = {"minProperties": 1} if optional else {"required": list(properties)}
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **required}


def _id(kind: str, means: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{kind}_[{ids.ALPHABET}]{{26}}$", "description": means}


_STATUS: dict[str, Any] = {"enum": list(get_args(Status))}
_CONSENT: dict[str, Any] = {
    "type": "object",
    "required": ["given"],
    "properties": {
        "given": {"type": "boolean", "description": "Given, or taken back"},
        "scope": {"type": "string", "description": "all, or a topic"},
        "source": {"type": "string", "minLength": 1, "maxLength": MAX_SOURCE},
        **_TIMES,
    },
    "additionalProperties": False,
}
_SEEN: dict[str, Any] = {
    "oneOf": [_object({"within_days": _DAYS}), _object({"never": {"type": "boolean"}}), _object(_TIMES, optional=True)]
}
_NODES: Mapping[str, dict[str, Any]] = {
    "all": {"type": "array", "items": _RULE, "minItems": 1},
    "any": {"type": "array", "items": _RULE, "minItems": 1},
    "not": _RULE,
    "group": _id("grp", "In the group"),
    "topic": _id("top", "Chose the topic"),
    "segment": _id("seg", "Meets that segment's rule"),
    "tag": {"type": "string", "minLength": 1, "description": "Has the tag"},
    "status": {"oneOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}]},
    "consent": _CONSENT,
    **{event: _id("cmp", f"A mail of the campaign was {event}") for event in get_args(MailEvent)},
    **dict.fromkeys(get_args(SeenEvent), _SEEN),
}

SCHEMA: Mapping[str, Any] = {
    "title": NAME,
    "description": "Who is meant: a tree of one of these nodes. Faults name their node by JSON Pointer, all at once.",
    "oneOf": [
        *(_object({node: schema}) for node, schema in _NODES.items()),
        *(_object({"attribute": {"type": "string"}, operator: _OPERANDS.get(operator, _VALUE)}) for operator in TYPES),
    ],
    "examples": [{"attribute": "prefecture", "in": ["tokyo", "osaka"]}],
}
