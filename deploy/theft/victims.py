"""Made-up members for a robbery: long and odd enough that nothing of them can turn up by chance. Pure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

FATES = {0: "bounce-550.", 1: "defer-451-once.", 2: "bounce-552."}
"""What the mailbox does with mail to the first few; the others get theirs."""
DOMAIN = "quagga-mail.example.jp"

_GIVEN = ("hanako", "taro", "sakura", "kenzaburo", "murasaki", "izumi", "sei")
_SURNAMES = ("紫式部", "清少納言", "和泉式部", "菅原孝標女", "藤原道綱母", "額田王女", "小野小町")
_NAMES = ("麒麟児", "鳳凰丸", "玄武郎", "朱雀子", "青龍彦", "白虎之介")
_NOTES = ("左利きで猫アレルギー", "毎週木曜に三味線を習う", "犬二匹と山羊一頭を飼う", "蕎麦は食べられない")


@dataclass(frozen=True, slots=True)
class Victim:
    """A member as the thief knows them; all of it is sealed, `plan` matchable besides.

    `origin`: the address on the internet that they consented from.
    """

    email: str
    domain: str
    name: str
    phone: str
    note: str
    plan: str
    origin: str

    def __repr__(self) -> str:
        """Say nothing: a repr ends up in logs."""
        return "Victim(…)"


def make_victims(count: int) -> list[Victim]:
    """Return `count` different people."""
    return [
        Victim(
            email=f"{FATES.get(number, '')}{_GIVEN[number % len(_GIVEN)]}-zanzibar-{7431 + number}@{DOMAIN}",
            domain=DOMAIN,
            name=f"{_SURNAMES[number % len(_SURNAMES)]} {_NAMES[number % len(_NAMES)]}",
            phone=f"090-{7431 + number}-{2956 + 7 * number}",
            note=f"{_NOTES[number % len(_NOTES)]}、会員番号ZX{88_000 + number}",
            plan=f"platypus-plan-{number % 3}",
            origin=f"2001:db8:7431:{0x2956 + number:x}::1f",
        )
        for number in range(count)
    ]


def to_csv(victims: Sequence[Victim], *, without: Sequence[str] = ()) -> str:
    """Return them as a CSV file, with a line of column names."""
    names = [field.name for field in fields(Victim) if field.name not in without]
    places = [place for place, field in enumerate(fields(Victim)) if field.name in names]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([[astuple(one)[place] for place in places] for one in victims])
    return out.getvalue()
