"""Made-up members: the same ones for the same seed, and known beforehand what becomes of a mail to each. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from random import Random

from deploy.demo.names import (
    DOMAINS,
    ENGLISH_FAMILIES,
    ENGLISH_GIVENS,
    FAMILIES,
    GIVENS,
    KANSAI,
    PREFECTURES,
    RANKS,
)

FEWEST = 100
MOST = 100_000
MOST_POINTS = 12_000
_EPOCH = date(1950, 1, 1)
_ADULT_DAYS = 55 * 365
_ENGLISH = 0.25
_GOLD = 0.05
_SILVER = 0.25


class Fate(Enum):
    """What becomes of a mail to this address: which share of people has it, and what their names begin with.

    `deferrals` is how often the mailbox puts a mail off before it takes it; `failure` the reason that ends it, as the
    report says it; `returns` what comes back by mail of one that was taken. The last four have a machine before them
    (machines.py); whoever is guarded by one does nothing else.
    """

    ORDINARY = (0.0, "", 0, None, None)
    GONE = (0.005, "bounce-550.", 0, "no_such_user", None)
    FULL = (0.0025, "bounce-552.", 0, "mailbox_full", None)
    LATE_ONCE = (0.005, "defer-451-once.", 1, None, None)
    LATE_TWICE = (0.0025, "defer-451-twice.", 2, None, None)
    RETURNED = (0.0015, "forwarded.", 0, None, "bounce")
    ANNOYED = (0.0008, "annoyed.", 0, None, "complaint")
    AWAY = (0.001, "away.", 0, None, "auto_reply")
    WRITING = (0.0005, "writing.", 0, None, "reply")
    LEAVING = (0.0005, "leaving.", 0, None, "unsubscribe")
    PRIVATE = (0.03, "private.", 0, None, None)
    GUARDED = (0.001, "guarded.", 0, None, None)
    GUARDED_UNNAMED = (0.0005, "guarded-unnamed.", 0, None, None)
    GUARDED_WARILY = (0.0005, "guarded-warily.", 0, None, None)

    def __init__(self, share: float, prefix: str, deferrals: int, failure: str | None, returns: str | None) -> None:
        self.share = share
        self.prefix = prefix
        self.deferrals = deferrals
        self.failure = failure
        self.returns = returns

    @property
    def least(self) -> int:
        """How many people have it at the least; two who complain would be too many for a few hundred."""
        return 1 if self is Fate.ANNOYED else 2


@dataclass(frozen=True, slots=True)
class Person:
    """One member, as the generator knows them. Choices are values, not labels; `number` counts from 0."""

    number: int
    address: str
    name: str
    prefecture: str
    rank: str
    points: int
    birthday: date | None
    fate: Fate


def make_people(members: int, seed: int) -> tuple[Person, ...]:
    """Return `members` people with different addresses (100 to 100,000)."""
    if not FEWEST <= members <= MOST:
        raise ValueError(f"The demo needs {FEWEST} to {MOST} members")
    random = Random(f"people {seed}")  # noqa: S311 - made-up people are no secret
    fates = _fates(members, random)
    return tuple(_person(number, fate, random) for number, fate in enumerate(fates))


def _fates(members: int, random: Random) -> list[Fate]:
    special = [fate for fate in Fate for _ in range(max(fate.least, round(members * fate.share)) if fate.share else 0)]
    fates = special + [Fate.ORDINARY] * (members - len(special))
    random.shuffle(fates)
    return fates


def _person(number: int, fate: Fate, random: Random) -> Person:
    # Who is put off, who bounces for good and who complains is in the campaign to all alone: in two that are sent at
    # the same time nobody could say beforehand which of them meets the deferral, or the other's suppression.
    # And a mailbox that is full in three campaigns at once would be struck out between them.
    in_one_only = fate.deferrals > 0 or fate is Fate.GONE or fate.returns is not None
    prefectures = [value for value in PREFECTURES if not (in_one_only and value in KANSAI)]
    return Person(
        number=number,
        address=_address(number, fate, random),
        name=_name(random),
        prefecture=random.choice(prefectures),
        rank=_rank(random.random(), may_be_gold=not in_one_only and fate is not Fate.FULL),
        points=random.randrange(MOST_POINTS),
        birthday=_EPOCH + timedelta(days=random.randrange(_ADULT_DAYS)) if random.random() < 0.9 else None,  # noqa: PLR2004
        fate=fate,
    )


def _rank(draw: float, *, may_be_gold: bool) -> str:
    gold, silver, regular = "gold", "silver", "regular"
    assert {gold, silver, regular} == RANKS.keys()  # noqa: S101
    if draw < _GOLD:
        return gold if may_be_gold else regular
    return silver if draw < _GOLD + _SILVER else regular


def _name(random: Random) -> str:
    if random.random() < _ENGLISH:
        return f"{random.choice(ENGLISH_GIVENS)} {random.choice(ENGLISH_FAMILIES)}"
    return f"{random.choice(FAMILIES)} {random.choice(GIVENS)}"


def _address(number: int, fate: Fate, random: Random) -> str:
    if fate.prefix:
        return f"{fate.prefix}{number}@{random.choice(DOMAINS)}"
    draw = random.random()
    # What the carriers of Japan once gave out, against the grammar of RFC 5321.
    if draw < 0.01:  # noqa: PLR2004
        return f"taro.{number}.@docomo.ne.jp"
    if draw < 0.02:  # noqa: PLR2004
        return f"ta..ro{number}@ezweb.ne.jp"
    if draw < 0.03:  # noqa: PLR2004
        return f"o'neil+{number}@{random.choice(DOMAINS)}"
    return f"member.{number}@{random.choice(DOMAINS)}"


def fate_of(address: str) -> Fate:
    """Return what becomes of a mail to this address."""
    return next((fate for fate in Fate if fate.prefix and address.startswith(fate.prefix)), Fate.ORDINARY)
