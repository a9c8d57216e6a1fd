"""What a receiver is known to take: limits of one provider, and how quantities are written in the rule file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Tls: TypeAlias = Literal["opportunistic", "required", "none"]

MOST_CONNECTIONS = 1_000

_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*(s|min|h|d)")
_RATE = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*/\s*(s|min|h|d)")


class Wrong(ValueError):  # noqa: N818 - named by meaning
    """A value of the rule file that can't be used; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one source at one site. `connections` at the most, `start` at first; `rate`: messages a second, all together.

    `messages_per_connection`: then a new one is opened; `idle`: seconds that one is kept without work. `tls`:
    "opportunistic" (RFC 7435), "required" (no mail without it; certificates of MX hosts prove nothing and are not
    verified), "none".
    """

    connections: int = 10
    start: int = 5
    rate: float | None = None
    messages_per_connection: int = 100
    idle: float = 60.0
    tls: Tls = "opportunistic"

    def but(self, table: Mapping[str, Any]) -> "Limits":
        """Return these limits with what a table says otherwise; raises Wrong."""
        changed: dict[str, Any] = {}
        for key, value in table.items():
            reader = _READERS.get(key)
            if reader is None:
                raise Wrong(f"{key} is no limit; there are {', '.join(_READERS)}")
            try:
                changed[key] = reader(value)
            except Wrong as wrong:
                raise Wrong(f"{key}: {wrong}") from None
        made = replace(self, **changed)
        return replace(made, start=min(made.start, made.connections))


def duration(value: object) -> float:
    """Return the seconds of "90s", "15min", "2h" or "3d"; raises Wrong."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise Wrong('a duration such as "90s", "15min", "2h" or "3d"')
    return float(found[1]) * _UNITS[found[2]]


def rate(value: object) -> float:
    """Return the messages a second of "10/s", "10/min", "500/h" or "5000/d"; raises Wrong."""
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise Wrong('a rate such as "10/s", "10/min" or "500/h"')
    return float(found[1]) / _UNITS[found[2]]


def whole(least: int, most: int) -> "_Whole":
    """Return a reader of whole numbers within bounds."""
    return _Whole(least, most)


@dataclass(frozen=True, slots=True)
class _Whole:
    least: int
    most: int

    def __call__(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise Wrong(f"a whole number from {self.least:,} to {self.most:,}")
        return value


def _tls(value: object) -> str:
    if value not in ("opportunistic", "required", "none"):
        raise Wrong('"opportunistic", "required" or "none"')
    return str(value)


_READERS: dict[str, Callable[[object], Any]] = {
    "connections": whole(1, MOST_CONNECTIONS),
    "start": whole(1, MOST_CONNECTIONS),
    "rate": rate,
    "messages_per_connection": whole(1, 1_000_000),
    "idle": duration,
    "tls": _tls,
}
