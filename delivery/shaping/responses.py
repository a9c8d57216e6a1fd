"""Response rules: which words of a receiver call for which restriction, for how long."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from delivery.replies.reply import Reply
from delivery.shaping.limits import MOST_CONNECTIONS, Wrong, duration, rate, whole

Scope: TypeAlias = Literal["site", "source", "campaign"]

MOST_SECONDS = 7 * 86_400.0
_KEYS = {
    *("name", "match", "provider", "times", "action", "scope", "connections", "rate", "duration", "example"),
    "disabled",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`scope`: this source at this site, this source everywhere, or the campaign. `times` within an hour and it acts.

    `connections` and `rate` (messages a second) hold for `seconds`; connections 0 suspends. A campaign is paused for
    the time. `providers`: those whose words it judges, empty for everyone's.
    """

    name: str
    pattern: re.Pattern[str]
    providers: frozenset[str]
    times: int
    scope: Scope
    connections: int | None
    rate: float | None
    seconds: float
    example: str

    def meets(self, reply: Reply, provider: str | None) -> bool:
        """Say whether a reply calls for this rule."""
        if self.providers and provider not in self.providers:
            return False
        return self.pattern.search(line_of(reply)) is not None


def line_of(reply: Reply) -> str:
    """Return a reply as rules see it: code, enhanced code, text."""
    return " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)


def read_rule(table: Mapping[str, Any], providers: frozenset[str]) -> Rule:
    """Return the rule that a table of the file describes; raises Wrong."""
    unknown = table.keys() - _KEYS
    if unknown:
        raise Wrong(f"{', '.join(sorted(unknown))}: no such key")
    for key in ("name", "match", "action", "duration", "example"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise Wrong(f"{key} is missing")
    named = table.get("provider", [])
    if not isinstance(named, list) or not set(map(str, named)) <= providers:
        raise Wrong("provider: a list of names of providers in this file")
    scope = table.get("scope", "site")
    if scope not in ("site", "source", "campaign"):
        raise Wrong('scope: "site", "source" or "campaign"')
    connections, speed = _restriction(table, scope)
    seconds = _of("duration", duration, table["duration"])
    if seconds > MOST_SECONDS:
        raise Wrong("duration: seven days at the most")
    rule = Rule(
        name=table["name"],
        pattern=_pattern(table["match"]),
        providers=frozenset(named),
        times=_of("times", whole(1, 100_000), table.get("times", 1)),
        scope=scope,
        connections=connections,
        rate=speed,
        seconds=seconds,
        example=table["example"],
    )
    if rule.pattern.search(rule.example) is None:
        raise Wrong("example: does not match")
    return rule


def _restriction(table: Mapping[str, Any], scope: str) -> tuple[int | None, float | None]:
    if table["action"] == "suspend":
        if "connections" in table or "rate" in table:
            raise Wrong("action: what is suspended has neither connections nor rate")
        return 0, None
    if table["action"] != "slow":
        raise Wrong('action: "suspend" or "slow"')
    if scope == "campaign":
        raise Wrong("scope: a campaign can only be suspended")
    connections = table.get("connections")
    speed = table.get("rate")
    if connections is None and speed is None:
        raise Wrong("action: to slow down takes connections, rate or both")
    return (
        None if connections is None else _of("connections", whole(1, MOST_CONNECTIONS), connections),
        None if speed is None else _of("rate", rate, speed),
    )


def _of(key: str, reader: Any, value: object) -> Any:
    try:
        return reader(value)
    except Wrong as wrong:
        raise Wrong(f"{key}: {wrong}") from None


def _pattern(text: str) -> re.Pattern[str]:
    # A quantifier on a group that ends in one takes exponential time on texts that a stranger chooses.
    if re.search(r"[+*}]\)[+*{]", text):
        raise Wrong("match: a repeated group must not end in a repetition")
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise Wrong(f"match: {error}") from None
