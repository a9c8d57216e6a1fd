"""Whether a member meets a rule, as the handbook says it and as plainly as can be."""

import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.support.rules.world import NOW, Person, World


def meets(rule: dict[str, Any], person: Person, world: World) -> bool:
    match rule:
        case {"all": parts}:
            return all(meets(part, person, world) for part in parts)
        case {"any": parts}:
            return any(meets(part, person, world) for part in parts)
        case {"not": part}:
            return not meets(part, person, world)
        case {"segment": segment}:
            return meets(world.segments[segment], person, world)
        case {"attribute": name}:
            ((operator, wanted),) = ((key, value) for key, value in rule.items() if key != "attribute")
            return compared(operator, wanted, person.values.get(name), name)
    ((fact, asked),) = rule.items()
    return known(fact, asked, person)


def known(fact: str, asked: Any, person: Person) -> bool:
    match fact:
        case "group":
            return asked in person.groups
        case "topic":
            return asked in person.topics
        case "status":
            return person.status in (asked if isinstance(asked, list) else [asked])
        case "consent":
            return any(
                asked["given"] is given
                and asked.get("scope", scope) == scope
                and asked.get("source", source) == source
                and within(asked, at)
                for given, scope, source, at in person.consents
            )
        case "last_open" | "last_click":
            return seen(asked, person.seen.get(fact))
    return (fact, asked) in person.mail


def seen(asked: dict[str, Any], last: datetime | None) -> bool:
    if "never" in asked:
        return (last is None) is asked["never"]
    since = NOW - timedelta(days=asked["within_days"]) if "within_days" in asked else None
    return last is not None and within(asked, last) and (since is None or last >= since)


def within(asked: dict[str, Any], at: datetime) -> bool:
    after, before = asked.get("after"), asked.get("before")
    return (after is None or at >= datetime.fromisoformat(after)) and (
        before is None or at < datetime.fromisoformat(before)
    )


def compared(operator: str, wanted: Any, value: Any, name: str) -> bool:
    if operator == "is_set" or value is None:
        return operator == "not_equals" or (operator == "is_set" and (value is not None) is wanted)
    comparisons: dict[str, Callable[[], Any]] = {
        "equals": lambda: value == wanted,
        "not_equals": lambda: value != wanted,
        "in": lambda: value in wanted,
        "contains": lambda: wanted in value if name.endswith("tags") else plain(wanted) in plain(value),
        "starts_with": lambda: plain(value).startswith(plain(wanted)),
        "less": lambda: value < wanted,
        "greater": lambda: value > wanted,
        "before": lambda: value < wanted,
        "after": lambda: value > wanted,
        "between": lambda: wanted[0] <= value <= wanted[1],
        "within_days": lambda: recent(value, wanted, by_day=not name.endswith("datetime")),
    }
    return bool(comparisons[operator]())


def recent(value: str, days: int, *, by_day: bool) -> bool:
    since = NOW - timedelta(days=days)
    if by_day:
        return since.date().isoformat() <= value <= NOW.date().isoformat()
    return since <= datetime.fromisoformat(value) <= NOW


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
