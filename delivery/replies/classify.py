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

from delivery.replies.reply import Command, Reply
from delivery.replies.verdict import ACCEPTED, GONE, Outcome, Reason, Verdict

_ADDRESS = re.compile(r"(?<!\S)\S*@\S*")
# The relay's answers to us, before any recipient was named.
_SESSION = frozenset({"CONNECT", "EHLO", "STARTTLS", "AUTH"})
# "Authentication required" and its kin (RFC 4954 section 6) are about our session wherever they come.
_OUR_CREDENTIALS = frozenset({530, 534, 535, 538})
# Only where the recipient was what the command named; a 5xx to MAIL speaks of our sender.
_NAMES_RECIPIENT = frozenset({"RCPT", "DATA", "BODY"})


@dataclass(frozen=True, slots=True)
class Row:
    """One phrase of a rule and a real text that has it: who says it, in reply to what, and what it comes to."""

    phrase: str
    by: str
    command: Command
    outcome: Outcome
    example: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A text with any of the rows' phrases means `reason`; with `to`, in reply to that command only."""

    reason: Reason
    pattern: re.Pattern[str]
    to: Command | None
    rows: tuple[Row, ...]

    def holds(self, reply: Reply) -> bool:
        """Say whether the reply has one of the phrases."""
        return self.to in (None, reply.command) and self.pattern.search(reply.text) is not None


@dataclass(frozen=True, slots=True)
class Table:
    """replies.toml, checked and compiled."""

    rules: tuple[Rule, ...]
    doubts: tuple[tuple[Reason, re.Pattern[str]], ...]
    enhanced: dict[str, Reason]
    codes: dict[str, Reason]


@cache
def table() -> Table:
    """Load the rules in their order; ValueError, TypeError or KeyError at the first use if the file is not sound."""
    raw: dict[str, Any] = tomllib.loads(resources.files(__package__).joinpath("replies.toml").read_text("utf-8"))
    return Table(
        rules=tuple(_rule(one) for one in raw["rule"]),
        doubts=tuple((Reason(key), re.compile(words, re.IGNORECASE)) for key, words in raw["doubt"].items()),
        enhanced={key: Reason(value) for key, value in raw["enhanced"].items()},
        codes={key: Reason(value) for key, value in raw["code"].items()},
    )


def _rule(raw: dict[str, Any]) -> Rule:
    rows = tuple(Row(*row) for row in raw["rows"])
    pattern = re.compile("|".join(f"(?:{row.phrase})" for row in rows), re.IGNORECASE)
    return Rule(Reason(raw["reason"]), pattern, raw.get("to"), rows)


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
    if reason.kind == "hard" and session:
        # Whatever it says, it is not about the recipient.
        reason = _by_code(reply, table())
    elif reason.kind == "hard" and reply.command not in _NAMES_RECIPIENT:
        reason = Reason.POLICY
    if session or not 500 <= reply.code <= 599:  # noqa: PLR2004
        # For good, and to be tried again: the code is what the peer goes by.
        return Verdict("deferred", Reason.TEMPORARY if reason is Reason.REFUSED else reason)
    return Verdict("failed", reason, suppress=reason in GONE)


@lru_cache(maxsize=1_024)  # a receiver says the same to thousands, and to try every rule takes 150 µs
def _reason(reply: Reply) -> Reason:
    known = table()
    reason = next((rule.reason for rule in known.rules if rule.holds(reply)), None)
    reason = reason or _by_enhanced(reply.enhanced, known) or _by_code(reply, known)
    if reason in GONE:
        return next((doubt for doubt, words in known.doubts if words.search(reply.text)), reason)
    return reason


def _by_enhanced(enhanced: str | None, known: Table) -> Reason | None:
    if enhanced is None:
        return None
    _, subject, detail = enhanced.split(".")
    return known.enhanced.get(f"{int(subject)}.{int(detail)}") or known.enhanced.get(f"{int(subject)}.*")


def _by_code(reply: Reply, known: Table) -> Reason:
    if reply.command in _SESSION:
        return Reason.AUTHENTICATION if reply.command == "AUTH" else Reason.UNAVAILABLE
    found = known.codes.get(f"{reply.code} {reply.command}") or known.codes.get(str(reply.code))
    return found or (Reason.TEMPORARY if 400 <= reply.code <= 499 else Reason.UNKNOWN)  # noqa: PLR2004
