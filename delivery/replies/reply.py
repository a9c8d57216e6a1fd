"""One reply of a receiver, taken apart: the command that drew it, code, enhanced code, text."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Command: TypeAlias = Literal["CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY"]

TEXT_LIMIT = 2_000
"""Characters of a reply's text that are kept; all that any classification rule needs."""

# RFC 3463 section 2; only at a line's start, so that a version number further on in the text is not taken for one.
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t:]+|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to `command`; "BODY" is the reply to the final dot (RFC 5321 section 4.2).

    `text` is what the peer wrote, unmasked, the enhanced code (RFC 2034) taken out, lines joined by spaces: pass it
    through `mask` before it is logged or stored.
    """

    command: Command
    code: int
    enhanced: str | None
    text: str


def parse_reply(command: Command, code: int, text: str) -> Reply:
    """Take the enhanced status code off `text`, whose lines are separated by line feeds.

    A code of another class than the reply's is ignored, as RFC 2034 section 4 forbids it. Never raises.
    """
    enhanced = None
    kept = []
    for number, line in enumerate(text.split("\n")):
        # Every line of a multi-line reply repeats the code.
        found = _ENHANCED.match(line)
        if found is not None:
            if number == 0 and int(found[1][0]) == code // 100:
                enhanced = found[1]
            line = line[found.end() :]  # noqa: PLW2901
        kept.append(line.strip())
    return Reply(command, code, enhanced, shortened(" ".join(kept), TEXT_LIMIT).strip())


def shortened(text: str, limit: int) -> str:
    """Return the words of `text` that fit into `limit` characters: half an address would pass for a word."""
    return text if len(text) <= limit else text[: limit + 1].rpartition(" ")[0]
