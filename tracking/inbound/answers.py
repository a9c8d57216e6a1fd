"""Whether a machine answered: an out-of-office note (RFC 3834), or a filter that wants proof of a person."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

from tracking.inbound.mail import Mail

Answer: TypeAlias = Literal["challenge", "auto_reply"]

_TEXT = 4_000
"""Characters of what a mail says that are looked at."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sign of a rule; `where` is a header field, or "text"."""

    where: str
    phrase: re.Pattern[str]
    by: str
    example: str

    def shows_in(self, mail: Mail) -> bool:
        """Say whether the mail has it."""
        if self.where == "text":
            return self.phrase.search(mail.text[:_TEXT]) is not None
        return self.where in mail.head and self.phrase.search(mail.head.decoded(self.where)) is not None


@cache
def rules() -> dict[Answer, tuple[Row, ...]]:
    """Load answers.toml, in the order in which its rules are tried."""
    raw = tomllib.loads(resources.files(__package__).joinpath("answers.toml").read_text("utf-8"))
    names: tuple[Answer, ...] = ("challenge", "auto_reply")
    return {
        name: tuple(
            Row(where, re.compile(phrase, re.IGNORECASE | re.DOTALL), by, example)
            for rule in raw[name]
            for where, phrase, by, example in rule["rows"]
        )
        for name in names
    }


def answer_of(mail: Mail) -> Answer | None:
    """Return what a machine meant by a mail, or None if no machine answered."""
    for answer, rows in rules().items():
        if any(row.shows_in(mail) for row in rows):
            return answer
    return None
