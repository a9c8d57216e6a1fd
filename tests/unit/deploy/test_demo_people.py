"""The demo's made-up people and their file."""

import csv
import io

import pytest

from deploy.demo.campaigns import TOGETHER
from deploy.demo.names import PREFECTURES, RANKS
from deploy.demo.people import Fate, fate_of, make_people
from deploy.demo.sheet import COLUMNS, ENCODING, MAPPING, Flaw, make_sheet


def test_the_same_seed_makes_the_same_people_and_another_seed_others() -> None:
    assert make_people(500, 7) == make_people(500, 7)
    assert make_people(500, 7) != make_people(500, 8)
    assert make_sheet(make_people(500, 7), 7) == make_sheet(make_people(500, 7), 7)


def test_there_are_as_many_people_as_asked_for_and_each_has_an_address_of_his_own() -> None:
    people = make_people(2_000, 1)
    assert len(people) == 2_000
    assert len({person.address.lower() for person in people}) == 2_000
    assert {person.prefecture for person in people} == PREFECTURES.keys()
    assert {person.rank for person in people} == RANKS.keys()


def test_known_shares_bounce_and_are_put_off() -> None:
    people = make_people(2_000, 1)
    fates = [person.fate for person in people]
    assert {fate: fates.count(fate) for fate in Fate} == {
        Fate.ORDINARY: 1_893,
        Fate.GONE: 10,
        Fate.FULL: 5,
        Fate.LATE_ONCE: 10,
        Fate.LATE_TWICE: 5,
        Fate.RETURNED: 3,
        Fate.ANNOYED: 2,
        Fate.AWAY: 2,
        Fate.WRITING: 2,
        Fate.LEAVING: 2,
        Fate.PRIVATE: 60,
        Fate.GUARDED: 2,
        Fate.GUARDED_UNNAMED: 2,
        Fate.GUARDED_WARILY: 2,
    }
    for person in people:
        assert fate_of(person.address) is person.fate


def test_whoever_is_put_off_or_bounces_for_good_is_in_one_campaign_of_those_sent_together() -> None:
    for person in make_people(5_000, 3):
        if person.fate in {Fate.GONE, Fate.LATE_ONCE, Fate.LATE_TWICE, Fate.RETURNED, Fate.ANNOYED}:
            assert sum(campaign.meets(person) for campaign in TOGETHER) == 1


def test_the_carriers_odd_addresses_are_among_them() -> None:
    addresses = [person.address for person in make_people(2_000, 1)]
    assert any(address.endswith(".@docomo.ne.jp") for address in addresses)
    assert any(".." in address and address.endswith("@ezweb.ne.jp") for address in addresses)


@pytest.mark.parametrize("members", [0, 99, 100_001])
def test_too_few_or_too_many_people_are_refused(members: int) -> None:
    with pytest.raises(ValueError, match="100 to 100000"):
        make_people(members, 1)


def test_the_file_is_cp932_with_one_good_row_for_each_person() -> None:
    people = make_people(1_000, 1)
    sheet = make_sheet(people, 1)
    text = sheet.content.decode(ENCODING)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1_000 + len(sheet.bad)
    named = {(row["メール"], row["氏名"]) for row in rows}
    assert {(person.address, person.name) for person in people} <= named
    assert any("\n" in row["住所"] for row in rows)
    assert any("髙" in row["氏名"] for row in rows)
    assert MAPPING.keys() < set(COLUMNS)


def test_every_flaw_stands_on_the_line_that_is_told() -> None:
    sheet = make_sheet(make_people(1_000, 1), 1)
    assert {row.flaw for row in sheet.bad} == set(Flaw)
    reader = csv.reader(io.StringIO(sheet.content.decode(ENCODING), newline=""))
    begins, at = {}, 1
    for cells in reader:
        begins[at] = dict(zip(COLUMNS, cells, strict=True))
        at = reader.line_num + 1
    for bad in sheet.bad:
        row = begins[bad.line]
        match bad.flaw:
            case Flaw.NO_ADDRESS:
                assert row["メール"] == ""
            case Flaw.BAD_ADDRESS:
                assert row["メール"].startswith("extra..")
            case Flaw.UNKNOWN_CHOICE:
                assert row["会員ランク"] not in RANKS.values()
            case Flaw.BAD_DATE:
                assert row["誕生日"] == "1990/02/30"
            case Flaw.DUPLICATE:
                assert row["メール"] == row["メール"].upper()
