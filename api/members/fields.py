"""A member's values as they are sent and shown: language, zone and tags beside the address, the others by attribute."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from core.errors import Fault, InvalidInput
from members.built_in import LOCALE, TAGS, TIME_ZONE
from members.errors import AddressTaken, BadAddress, Suppressed
from members.profile import Value

TOP_LEVEL: Mapping[str, type] = {LOCALE: str, TIME_ZONE: str, TAGS: list}
MASKED = "***"


def sent(body: BaseModel, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a body says of values, by attribute name; raise InvalidInput for one that is said in both places."""
    top = {name: getattr(body, name) for name in TOP_LEVEL if name in body.model_fields_set}
    twice = sorted(top.keys() & (attributes or {}).keys())
    if twice:
        faults = [Fault(f"/{name}", "said-twice", "It stands among the attributes too") for name in twice]
        raise InvalidInput("A value is said twice", faults)
    return {**(attributes or {}), **top}


def shown_values(values: Mapping[str, Value], visible: frozenset[str] | None) -> dict[str, Any]:
    """Return what a member shows of values: `locale`, `time_zone`, `tags` and `attributes`.

    `visible`: the attributes that may be read, None for all; of the others only that there is a value.
    """
    said: dict[str, Any] = {name: _masked(value, name, visible) for name, value in values.items()}
    top = {name: said.pop(name) for name, kind in TOP_LEVEL.items() if isinstance(said.get(name), kind)}
    return {LOCALE: None, TIME_ZONE: None, TAGS: [], **top, "attributes": said}


def _masked(value: Value, name: str, visible: frozenset[str] | None) -> Value:
    if visible is None or name in visible:
        return value
    return [MASKED] if isinstance(value, list) else MASKED


@contextmanager
def at_fields(body: BaseModel) -> Iterator[None]:
    """Point faults at the fields that hold what they are about: the address, and values beside it."""
    try:
        yield
    except (BadAddress, AddressTaken, Suppressed) as error:
        error.faults = error.faults or (Fault("/email", error.code, error.detail),)
        raise
    except InvalidInput as error:
        error.faults = tuple(where_it_stands(body, fault) for fault in error.faults)
        raise


def where_it_stands(body: BaseModel, fault: Fault) -> Fault:
    """Return a fault of a value, pointing beside the attributes if the body has the value there."""
    beside = {f"/attributes/{name}": f"/{name}" for name in TOP_LEVEL if name in body.model_fields_set}
    return replace(fault, pointer=beside.get(fault.pointer, fault.pointer))
