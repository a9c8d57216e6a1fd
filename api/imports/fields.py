"""The parts of an upload beside the file: read, and every fault named at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.errors import Fault, InvalidInput

OPTIONS = ("format", "compression", "encoding", "delimiter", "mode", "time_zone", "groups", "topics", "consent_at")
"""Parts that members/imports/options.py judges; `groups` and `topics` are JSON lists."""
FIELDS = ("mapping", "consent_source", "dry_run", *OPTIONS)

_YES_OR_NO = {"": False, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class Told:
    """What an upload says of its file."""

    mapping: dict[str, str]
    consent_source: str
    options: dict[str, Any]
    dry_run: bool


def read_fields(fields: Mapping[str, str], *, has_file: bool) -> Told:
    """Return what the parts say; raise InvalidInput with every fault."""
    faults = []
    mapping = _json(fields.get("mapping") or "{}")
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for name in mapping.values()):
        fault = 'A JSON object: email or an attribute by column title, such as {"メール": "email"}'
        faults.append(Fault("/mapping", "not-a-mapping", fault))
    options: dict[str, Any] = {name: fields[name] for name in OPTIONS if fields.get(name)}
    for name in ("groups", "topics"):
        if name in options:
            options[name] = _json(options[name])
            if not isinstance(options[name], list):
                faults.append(Fault(f"/{name}", "not-a-list", "A JSON list of ids"))
    dry_run = _YES_OR_NO.get(fields.get("dry_run", ""))
    if dry_run is None:
        faults.append(Fault("/dry_run", "not-a-boolean", "true or false"))
    if not has_file:
        faults.append(Fault("/file", "missing", "The part file is missing or empty"))
    if not fields.get("consent_source") and options.get("mode") != "update":
        faults.append(Fault("/consent_source", "missing", "Say where the members of the file consented"))
    if faults:
        raise InvalidInput("The upload can't be imported", faults)
    return Told(mapping, fields.get("consent_source", ""), options, bool(dry_run))


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
