"""Values in stored rules, hidden: a name or a number that a segment looks for is as personal as the one it finds.

`{"attribute": "name", "equals": "…"}` is stored as `{"attribute": "name", "equals": {"hidden": "<base64>"}}`, sealed
under the account's key for what it writes down, unless the attribute is open. What else a rule names SQL can read.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import orjson

from members.attribute import Definitions
from members.keyring import Ring
from members.rules.operators import TYPES
from members.sealing import NONCE_BYTES, unwrap, wrap

_HIDDEN = "hidden"


def hide_values(rule: Any, definitions: Definitions, ring: Ring, random: Callable[[int], bytes]) -> Any:
    """Return a rule's JSON with the values of its tests hidden but those of open attributes."""

    def hide(name: object, value: object) -> object:
        attribute = definitions.named(name) if isinstance(name, str) else None
        if attribute is not None and attribute.protection == "open":
            return value
        sealed = wrap(ring.notes, orjson.dumps(value), _aad(ring), random(NONCE_BYTES))
        return {_HIDDEN: b64encode(sealed).decode()}

    return _each_value(rule, hide)


def show_values(rule: Any, ring: Ring) -> Any:
    """Return a rule's JSON as it was before `hide_values`; raise Tampered."""

    def show(_: object, value: object) -> object:
        if isinstance(value, dict) and value.keys() == {_HIDDEN}:
            return orjson.loads(unwrap(ring.notes, b64decode(value[_HIDDEN]), _aad(ring)))
        return value

    return _each_value(rule, show)


def _each_value(rule: Any, change: Callable[[object, object], object]) -> Any:
    if isinstance(rule, list):
        return [_each_value(part, change) for part in rule]
    if not isinstance(rule, dict):
        return rule
    if "tag" in rule:
        return {"tag": change("tags", rule["tag"])}
    if "attribute" in rule:
        return {
            key: change(rule["attribute"], value) if key in TYPES and key != "is_set" else value
            for key, value in rule.items()
        }
    return {key: _each_value(value, change) for key, value in rule.items()}


def _aad(ring: Ring) -> bytes:
    return ring.account_id.bytes + b"rule"
