"""The file that is imported: CSV in CP932 as Excel in Japan writes it, with flaws whose reasons are known. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from random import Random

from deploy.demo.names import BUILDINGS, PREFECTURES, RANKS, TOWNS
from deploy.demo.people import Person

ENCODING = "cp932"
COLUMNS = ("会員番号", "メール", "氏名", "都道府県", "住所", "会員ランク", "ポイント", "誕生日")
MAPPING = {
    "メール": "email",
    "氏名": "name",
    "都道府県": "prefecture",
    "住所": "street",
    "会員ランク": "rank",
    "ポイント": "points",
    "誕生日": "birthday",
}
"""Column to attribute; 会員番号 is left out."""

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001


class Flaw(StrEnum):
    """What can be wrong with a row: the reason that the reject file gives for it."""

    BAD_ADDRESS = "email: The address breaks the rules for mail addresses"
    NO_ADDRESS = "email: The address is missing"
    UNKNOWN_CHOICE = "rank: Unknown choice"
    BAD_DATE = "birthday: There is no such date"
    DUPLICATE = "The address stands in an earlier line too"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that must be rejected: the line of the file on which it begins (the header is line 1), and why."""

    line: int
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class Sheet:
    """The file, and which of its rows are bad."""

    content: bytes
    bad: tuple[BadRow, ...]


def make_sheet(people: Sequence[Person], seed: int) -> Sheet:
    """Return a file with one good row for each of `people`, in order, and a bad row after every hundredth or so."""
    random = Random(f"sheet {seed}")  # noqa: S311 - made-up people are no secret
    every = max(10, min(200, len(people) // 20))
    bad: list[BadRow] = []
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    line = 2
    for row, flaw in _rows(people, every, random):
        if flaw is not None:
            bad.append(BadRow(line, flaw))
        writer.writerow(row)
        line += 1 + sum(cell.count("\n") for cell in row)
    return Sheet(out.getvalue().encode(ENCODING), tuple(bad))


def _rows(people: Sequence[Person], every: int, random: Random) -> Iterator[tuple[list[str], Flaw | None]]:
    flaws = list(Flaw)
    for person in people:
        yield _row(person, random), None
        place, rest = divmod(person.number + 1, every)
        if rest == 0:
            flaw = flaws[place % len(flaws)]
            yield _spoilt(_row(person, random), person, flaw), flaw


def _row(person: Person, random: Random) -> list[str]:
    return [
        f"{person.number + 1:07}",
        person.address,
        person.name,
        PREFECTURES[person.prefecture],
        _street(random),
        RANKS[person.rank],
        _points(person.points, random),
        _date(person.birthday, random) if person.birthday else "",
    ]


def _spoilt(row: list[str], person: Person, flaw: Flaw) -> list[str]:
    """Return the row of somebody new with one flaw, or the same person's once more in capitals."""
    spoilt = dict(zip(COLUMNS, row, strict=True))
    spoilt["メール"] = f"extra.{person.number}@example.com"
    match flaw:
        case Flaw.BAD_ADDRESS:
            # Two dots are taken from the carriers' customers alone.
            spoilt["メール"] = f"extra..{person.number}@example.com"
        case Flaw.NO_ADDRESS:
            spoilt["メール"] = ""
        case Flaw.UNKNOWN_CHOICE:
            spoilt["会員ランク"] = "プラチナ"
        case Flaw.BAD_DATE:
            spoilt["誕生日"] = "1990/02/30"
        case Flaw.DUPLICATE:
            spoilt["メール"] = person.address.upper()
    return list(spoilt.values())


def _street(random: Random) -> str:
    street = f"{random.choice(TOWNS)}{random.randint(1, 9)}-{random.randint(1, 30)}"
    if random.random() < 0.1:  # noqa: PLR2004
        # Excel's own line break within a cell (Alt+Enter) is a bare LF.
        return f"{street}\n{random.choice(BUILDINGS)} {random.randint(101, 909)}号室"
    return street


def _points(points: int, random: Random) -> str:
    return random.choice((str(points), f"{points:,}", str(points).translate(_FULL_WIDTH)))


def _date(day: date, random: Random) -> str:
    forms = (day.isoformat(), f"{day.year}/{day.month}/{day.day}", f"{day.year}年{day.month}月{day.day}日")
    return random.choice(forms)
