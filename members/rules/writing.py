"""Writes a rule that was read as JSON again: segments in place, ids as they are shown; reading it gives the same rule.

So an audience can be kept as it was when its first slice was cut, whatever becomes of the segments that it named.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import ids
from members.groups import KIND as GROUP
from members.rules.reading import CAMPAIGN
from members.rules.tree import (
    All,
    AnyOf,
    Consented,
    HasStatus,
    InGroup,
    InTopic,
    LastSeen,
    Leaf,
    Mailed,
    Not,
    Rule,
    Test,
)
from members.scopes import shown_scope
from members.topics import KIND as TOPIC

_LISTS = frozenset({"in", "between"})


def write_rule(rule: Rule) -> dict[str, Any]:
    """Return the rule as JSON."""
    match rule:
        case All(parts):
            return {"all": [write_rule(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [write_rule(part) for part in parts]}
        case Not(part):
            return {"not": write_rule(part)}
        case _:
            return _leaf(rule)


def _leaf(rule: Leaf) -> dict[str, Any]:
    match rule:
        case Test(attribute, operator, values):
            return {"attribute": attribute.name, operator: list(values) if operator in _LISTS else values[0]}
        case HasStatus(statuses):
            return {"status": list(statuses)}
        case Consented():
            return {"consent": _consent(rule)}
        case LastSeen():
            return {rule.event: _seen(rule)}
        case InGroup() | InTopic() | Mailed():
            return _named(rule)


def _named(rule: InGroup | InTopic | Mailed) -> dict[str, Any]:
    match rule:
        case InGroup(group_id):
            return {"group": ids.encode(GROUP, group_id)}
        case InTopic(topic_id):
            return {"topic": ids.encode(TOPIC, topic_id)}
        case Mailed(event, campaign_id):
            return {event: ids.encode(CAMPAIGN, campaign_id)}


def _consent(asked: Consented) -> dict[str, Any]:
    scope = None if asked.scope is None else shown_scope(asked.scope)
    times = {"after": _time(asked.after), "before": _time(asked.before)}
    return _given({"given": asked.given, "scope": scope, "source": asked.source, **times})


def _seen(asked: LastSeen) -> dict[str, Any]:
    times = {"within_days": asked.days, "after": _time(asked.after), "before": _time(asked.before)}
    return _given(times) or {"never": False}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
