"""From a reply to a verdict: the text first, then the enhanced code, then the code; tables in replies.toml.

What is uncertain is decided against suppressing: a member who is wrongly suppressed is never mailed again, while one
who is wrongly kept costs one more refusal.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from delivery.replies.reply import Reply
from delivery.replies.verdict import ACCEPTED, GONE, Reason, Verdict

_ADDRESS = re.compile(r"(?<!\S)\S*@\S*")
# The relay's answers to us, before any recipient was named.
_SESSION = frozenset({"CONNECT", "EHLO", "STARTTLS", "AUTH"})
# "Authentication required" and its kin (RFC 4954 section 6) are about our session wherever they come.
_OUR_CREDENTIALS = frozenset({530, 534, 535, 538})
# Only where the recipient was what the command named; a 5xx to MAIL speaks of our sender.
_NAMES_RECIPIENT = frozenset({"RCPT", "DATA", "BODY"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: a text that matches `pattern` means `reason`; `example` is a real one."""

    reason: Reason
    pattern: re.Pattern[str]
    example: str
    command: str


@dataclass(frozen=True, slots=True)
class Table:
    """replies.toml, checked and compiled."""

    rules: tuple[Rule, ...]
    doubt: re.Pattern[str]
    enhanced: dict[str, Reason]
    codes: dict[str, Reason]


@cache
def table() -> Table:
    """Load the rules in their order; ValueError or KeyError at the first use if the file is not sound."""
    raw: dict[str, Any] = tomllib.loads(resources.files(__package__).joinpath("replies.toml").read_text("utf-8"))
    return Table(
        rules=tuple(
            Rule(Reason(row["reason"]), re.compile(row["match"], re.IGNORECASE), row["example"], row.get("to", "RCPT"))
            for row in raw["rule"]
        ),
        doubt=re.compile(raw["doubt"], re.IGNORECASE),
        enhanced={key: Reason(value) for key, value in raw["enhanced"].items()},
        codes={key: Reason(value) for key, value in raw["code"].items()},
    )


def classify(reply: Reply) -> Verdict:
    """Say what `reply` means for its message. Never raises; RFC 5321 section 4.2, RFC 3463.

    4xx is deferred, 5xx failed, with these exceptions, all deferred: whatever comes before the first recipient was
    named (CONNECT, EHLO, STARTTLS, AUTH), 421, and a demand for credentials.
    """
    if reply.command == "BODY" and 200 <= reply.code <= 299:  # noqa: PLR2004 - RFC 5321's classes
        return ACCEPTED
    session = reply.command in _SESSION or reply.code == 421 or reply.code in _OUR_CREDENTIALS  # noqa: PLR2004
    # The words of an address are its owner's, not the receiver's.
    reason = _reason(replace(reply, text=_ADDRESS.sub("[address]", reply.text)))
    if session and reason in GONE:
        reason = Reason.UNAVAILABLE
    if session or not 500 <= reply.code <= 599:  # noqa: PLR2004
        return Verdict("deferred", reason)
    return Verdict("failed", reason, suppress=reason in GONE and reply.command in _NAMES_RECIPIENT)


@lru_cache(maxsize=1_024)  # a receiver says the same to thousands, and to try every rule takes 150 µs
def _reason(reply: Reply) -> Reason:
    rows = table()
    reason = next((rule.reason for rule in rows.rules if rule.pattern.search(reply.text)), None)
    reason = reason or _by_enhanced(reply.enhanced, rows) or _by_code(reply, rows)
    if reason in GONE and rows.doubt.search(reply.text):
        return Reason.POLICY
    return reason


def _by_enhanced(enhanced: str | None, rows: Table) -> Reason | None:
    if enhanced is None:
        return None
    _, subject, detail = enhanced.split(".")
    return rows.enhanced.get(f"{int(subject)}.{int(detail)}") or rows.enhanced.get(f"{int(subject)}.*")


def _by_code(reply: Reply, rows: Table) -> Reason:
    if reply.command in _SESSION:
        return Reason.AUTHENTICATION if reply.command == "AUTH" else Reason.UNAVAILABLE
    found = rows.codes.get(f"{reply.code} {reply.command}") or rows.codes.get(str(reply.code))
    return found or (Reason.TEMPORARY if 400 <= reply.code <= 499 else Reason.UNKNOWN)  # noqa: PLR2004
