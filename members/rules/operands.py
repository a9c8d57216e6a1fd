"""Reads a test of an attribute: operator and values, checked against the attribute's type."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from members.attribute import Attribute, Definitions
from members.errors import WrongValue
from members.profile import Value
from members.rules.faults import fault, gather
from members.rules.operators import MAX_DAYS, TYPES
from members.rules.tree import Test
from members.values import from_json

MAX_LIST = 500
_BETWEEN = 2


def read_test(content: Mapping[str, Any], pointer: str, definitions: Definitions) -> Test:
    """Read `{"attribute": name, operator: value}`; raise InvalidInput."""
    operators = [key for key in content if key != "attribute"]
    if len(operators) != 1 or operators[0] not in TYPES:
        raise fault(pointer, "unknown-operator", f"With attribute stands one of: {', '.join(TYPES)}")
    operator, name = operators[0], content["attribute"]
    attribute = definitions.named(name) if isinstance(name, str) else None
    if attribute is None:
        raise fault(f"{pointer}/attribute", "unknown-attribute", "The account has no such attribute")
    if attribute.type not in TYPES[operator]:
        raise fault(f"{pointer}/{operator}", "wrong-operator", f"Not for the type {attribute.type}")
    return Test(attribute, operator, _operands(attribute, operator, content[operator], f"{pointer}/{operator}"))


def read_days(content: object, pointer: str) -> int:
    """Read how many days back."""
    if isinstance(content, int) and not isinstance(content, bool) and 1 <= content <= MAX_DAYS:
        return content
    raise fault(pointer, WrongValue.code, f"A whole number of days, 1 to {MAX_DAYS}")


def _operands(attribute: Attribute, operator: str, content: object, pointer: str) -> tuple[Value, ...]:
    match operator:
        case "is_set":
            if not isinstance(content, bool):
                raise fault(pointer, WrongValue.code, "true or false")
            return (content,)
        case "within_days":
            return (read_days(content, pointer),)
        case "in" | "between":
            return _list(attribute, operator, content, pointer)
        case "contains" | "starts_with" if content == "":
            raise fault(pointer, WrongValue.code, "A text of at least one character")
        case _:
            return (_value(attribute, content, pointer),)


def _list(attribute: Attribute, operator: str, content: object, pointer: str) -> tuple[Value, ...]:
    if not isinstance(content, list) or not 0 < len(content) <= MAX_LIST:
        raise fault(pointer, "not-a-list", f"A list of 1 to {MAX_LIST} values")
    if operator == "between" and len(content) != _BETWEEN:
        raise fault(pointer, "not-a-pair", "A list of two values: from, to")
    return tuple(gather(partial(_value, attribute, item, f"{pointer}/{number}") for number, item in enumerate(content)))


def _value(attribute: Attribute, content: object, pointer: str) -> Value:
    try:
        value = from_json(attribute, [content] if attribute.type == "tags" else content)
    except WrongValue as error:
        raise fault(pointer, error.code, error.detail) from None
    return value[0] if isinstance(value, list) else value
