"""What an event turns out to be, once all is there that was asked for around it. Pure.

By its agent if that is a machine's; else by behaviour, in this order: the hidden link was followed at about the same
time, every link of the mail was, or the mail had only just been delivered. Else it stays what its agent said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracking.event import NO_LINK
from tracking.machines.rules import Behaviour, Label

Verdict = tuple[Label, str | None]

HIDDEN = NO_LINK
"""Stands for the hidden link where a link's number could stand."""


@dataclass(frozen=True, slots=True)
class Followed:
    """That a link of a recipient's mail was followed (its number; `HIDDEN` for the hidden one), and when."""

    link: int
    at: datetime


def judge(
    by_agent: Verdict,
    at: datetime,
    *,
    delivered_at: datetime | None,
    followed: Sequence[Followed],
    links: int,
    behaviour: Behaviour,
) -> Verdict:
    """Return the label of what happened to a recipient's mail `at`, and the rule that decided, if one did.

    `followed` is all that was followed of the same mail within `behaviour.window` seconds; a mail has `links` links.
    `delivered_at` is None where no 250 is known.
    """
    if by_agent[0] == "machine":
        return by_agent
    if any(one.link == HIDDEN for one in _around(at, followed, behaviour.honeypot)):
        return "machine", "honeypot"
    enough = max(links, behaviour.least_links)
    if len(followed) >= enough and _bursts(at, followed, enough, behaviour.every_link):
        return "machine", "every_link"
    # Before it as well: the 250 is noted a moment after it came.
    if delivered_at is not None and abs(at - delivered_at) < timedelta(seconds=behaviour.soon_after_delivery):
        return "machine", "soon_after_delivery"
    return by_agent


def _around(at: datetime, followed: Iterable[Followed], seconds: float) -> list[Followed]:
    span = timedelta(seconds=seconds)
    return [one for one in followed if abs(one.at - at) <= span]


def _bursts(at: datetime, followed: Sequence[Followed], enough: int, seconds: float) -> bool:
    """Say whether `enough` different links were followed in some `seconds` that hold `at`."""
    span = timedelta(seconds=seconds)
    near = sorted(_around(at, followed, seconds), key=lambda one: one.at)
    return any(
        len({one.link for one in near if start.at <= one.at <= start.at + span and one.link != HIDDEN}) >= enough
        for start in near
        if start.at <= at <= start.at + span
    )
