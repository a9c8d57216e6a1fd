"""Reads what a rule asks of a member beside attributes: status, consent, the last open or click."""

from collections.abc import Callable, Container, Mapping
from datetime import datetime
from functools import partial
from typing import Any, get_args
from uuid import UUID

from core import ids
from core.errors import NotFound
from members.errors import WrongValue
from members.rules.faults import fault, gather
from members.rules.operands import read_days
from members.rules.tree import Consented, HasStatus, LastSeen, Not, Rule, SeenEvent
from members.scopes import topic_scope
from members.status import Status
from members.topics import KIND as TOPIC

MAX_SOURCE = 200
_CONSENT = frozenset({"given", "scope", "source", "after", "before"})


def read_status(content: object, pointer: str) -> HasStatus:
    """Read one status, or a list of some."""
    known = get_args(Status)
    named: list[Any] = content if isinstance(content, list) else [content]
    if not named or not all(isinstance(one, str) and one in known for one in named):
        raise fault(pointer, "unknown-status", f"One or a list of: {', '.join(known)}")
    return HasStatus(tuple(dict.fromkeys(named)))


def read_consent(content: object, pointer: str, topics: Container[UUID]) -> Consented:
    """Read `{"given": true, "scope": …, "source": …, "after": …, "before": …}`; all but `given` may be left out."""
    if not isinstance(content, Mapping) or not isinstance(content.get("given"), bool) or not content.keys() <= _CONSENT:
        others = ", ".join(sorted(_CONSENT - {"given"}))
        raise fault(pointer, "not-a-consent", f"An object with given (true or false) and any of: {others}")
    readers: dict[str, Callable[[object, str], Any]] = {
        "scope": partial(_scope, topics),
        "source": _source,
        "after": _instant,
        "before": _instant,
    }
    named = {name: partial(readers[name], content[name], f"{pointer}/{name}") for name in readers if name in content}
    return Consented(content["given"], **dict(zip(named, gather(named.values()), strict=True)))


def read_seen(event: SeenEvent, content: object, pointer: str) -> Rule:
    """Read `{"within_days": n}`, `{"never": true or false}`, or `after`, `before` or both."""
    match content:
        case {"never": bool(never), **rest} if not rest:
            return Not(LastSeen(event)) if never else LastSeen(event)
        case {"within_days": days, **rest} if not rest:
            return LastSeen(event, days=read_days(days, f"{pointer}/within_days"))
        case {"after": _} | {"before": _} if isinstance(content, Mapping) and content.keys() <= {"after", "before"}:
            named = {name: partial(_instant, content[name], f"{pointer}/{name}") for name in content}
            return LastSeen(event, **dict(zip(named, gather(named.values()), strict=True)))
    raise fault(pointer, "not-a-time", "An object with within_days, never, or after and before")


def _instant(content: object, pointer: str) -> datetime:
    try:
        moment = datetime.fromisoformat(content) if isinstance(content, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise fault(pointer, WrongValue.code, "A time with an offset, such as 2026-12-01T09:00:00+09:00")
    return moment


def _scope(topics: Container[UUID], content: object, pointer: str) -> str:
    if content == "all":
        return "all"
    try:
        topic_id = ids.decode(TOPIC, content) if isinstance(content, str) else None
    except NotFound:
        topic_id = None
    if topic_id is None or topic_id not in topics:
        raise fault(pointer, "unknown-scope", "all, or a topic that the account has")
    return topic_scope(topic_id)


def _source(content: object, pointer: str) -> str:
    if isinstance(content, str) and 0 < len(content) <= MAX_SOURCE:
        return content
    raise fault(pointer, WrongValue.code, f"1 to {MAX_SOURCE} characters")
