"""The four campaigns: whom each is for, as the API is told and as the generator knows it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.demo.letters import Letter, make_letter
from deploy.demo.names import KANSAI
from deploy.demo.people import Person

MANY_POINTS = 11_500


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `rule` is its segment's (None: all members), `meets` says the same of a person."""

    key: str
    name: str
    rule: Mapping[str, Any] | None
    meets: Callable[[Person], bool]
    letter: Letter


def _campaign(
    key: str, name: str, headline: str, rule: Mapping[str, Any] | None, meets: Callable[[Person], bool]
) -> Campaign:
    return Campaign(key, name, rule, meets, make_letter(key, headline))


TOGETHER = (
    _campaign("spring", "Spring news, to all", "春の新着のお知らせ", None, lambda _: True),
    _campaign(
        "gold",
        "Gold members",
        "ゴールド会員限定のご案内",
        {"attribute": "rank", "equals": "gold"},
        lambda person: person.rank == "gold",
    ),
    _campaign(
        "kansai",
        "Kansai fair",
        "関西うまいもの市のご案内",
        {"attribute": "prefecture", "in": list(KANSAI)},
        lambda person: person.prefecture in KANSAI,
    ),
)
"""Scheduled for the same instant."""

AFTERWARDS = _campaign(
    "points",
    "Points, afterwards",
    "ポイントの有効期限のお知らせ",
    {"attribute": "points", "greater": MANY_POINTS},
    lambda person: person.points > MANY_POINTS,
)
"""Scheduled when the others have ended: who bounced or unsubscribed meanwhile is left out."""

ALL = (*TOGETHER, AFTERWARDS)
