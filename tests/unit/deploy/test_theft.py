"""The thief is a good one: whatever is planted, in whatever form, is found; and nothing is found where nothing is."""

import csv
import gzip
import hashlib
import io
import json
import random
import urllib.parse
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from quopri import encodestring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from deploy.theft import tables
from deploy.theft.known import Known, known_of, read_known
from deploy.theft.net import LEAST, Net
from deploy.theft.resemblance import resemblance
from deploy.theft.search import search
from deploy.theft.spellings import spellings
from deploy.theft.victims import make_victims, to_csv

ADDRESS, NAME, PHONE = "Hanako-Zanzibar-7431@quagga-mail.example.jp", "紫式部 麒麟児", "090-7431-2956"

PLANTED: dict[str, bytes] = {
    "as it is": ADDRESS.encode(),
    "in lower case": ADDRESS.lower().encode(),
    "in upper case": ADDRESS.upper().encode(),
    "the local part alone": b"hanako-zanzibar-7431",
    "in UTF-16": ADDRESS.encode("utf-16-le"),
    "a name": NAME.encode(),
    "a name in CP932": NAME.encode("cp932"),
    "a name in EUC": NAME.encode("euc-jp"),
    "a name in UTF-16": NAME.encode("utf-16-be"),
    "a name without its space": NAME.replace(" ", "").encode(),
    "a name in JSON": json.dumps(NAME).encode(),
    "a name in Python": ascii(NAME.encode()).encode(),
    "a name in a URL": urllib.parse.quote(NAME).encode(),
    "a name of a Japanese form": urllib.parse.quote(NAME.encode("cp932")).encode(),
    "a name in a mail": encodestring(NAME.encode("utf-8")).replace(b" ", b"=20"),
    "a phone": PHONE.encode(),
    "a phone's digits": PHONE.replace("-", "").encode(),
    "an address in a URL": urllib.parse.quote(ADDRESS).encode(),
    "in hex": ADDRESS.encode().hex().encode(),
    "in hex, upper case": NAME.encode().hex().upper().encode(),
    **{f"in base64, behind {n}": b64encode(bytes(n) + NAME.encode() + bytes(2)) for n in range(3)},
    **{f"in base64 of UTF-16, behind {n}": b64encode(bytes(n) + NAME.encode("utf-16-le")) for n in range(3)},
    "in base64 for URLs": urlsafe_b64encode(bytes(range(250, 253)) + ADDRESS.encode()),
    **{
        f"{name} as {form}": spelt
        for name in ("md5", "sha1", "sha256", "sha512")
        for digest in [hashlib.new(name, ADDRESS.lower().encode()).digest()]
        for form, spelt in {
            "bytes": digest,
            "hex": digest.hex().encode(),
            "base64": b64encode(digest),
            "16 bytes": digest[:16],
            "16 bytes in hex": digest[:16].hex().encode(),
            "16 bytes in base64": urlsafe_b64encode(digest[:16]),
        }.items()
    },
}


@pytest.fixture
def known() -> list[Known]:
    return list(known_of([{"email": ADDRESS, "name": NAME, "phone": PHONE}]))


@pytest.mark.parametrize("form", PLANTED.values(), ids=PLANTED)
def test_a_planted_leak_is_found_in_every_form_and_wherever_it_lies(
    tmp_path: Path, known: list[Known], form: bytes
) -> None:
    noise = random.Random(1)
    for place in range(9):
        (tmp_path / "log").write_bytes(noise.randbytes(100 + place) + form + noise.randbytes(50))
        assert search(known, [tmp_path]).leaks
    assert not search(known, [tmp_path]).clean


def test_what_lies_across_two_pieces_is_found(tmp_path: Path, known: list[Known]) -> None:
    for back in (1, 10, len(ADDRESS) - 1):
        (tmp_path / "wire").write_bytes(bytes((1 << 20) - back) + ADDRESS.encode() + bytes(30))
        assert {leak.kind for leak in search(known, [tmp_path]).leaks} >= {"email"}


def test_in_noise_nothing_is_found(tmp_path: Path) -> None:
    known = list(known_of(csv.DictReader(io.StringIO(to_csv(make_victims(40)), newline=""))))
    (tmp_path / "noise").write_bytes(random.Random(2).randbytes(2_000_000))
    (tmp_path / "hex").write_bytes(random.Random(3).randbytes(500_000).hex().encode())
    (tmp_path / "base64").write_bytes(b64encode(random.Random(4).randbytes(500_000)))
    found = search(known, [tmp_path])
    assert found.clean
    assert found.patterns > 10_000
    assert found.bytes_read > 3_000_000


def test_other_people_are_nobody_known(tmp_path: Path, known: list[Known]) -> None:
    (tmp_path / "log").write_text("hanako-zanzibar-7432@quagga-mail.example.jp 紫式部 鳳凰丸 090-7431-2957 " * 100)
    assert search(known, [tmp_path]).clean


def test_a_leak_names_where_whose_what_and_how_and_not_the_value(tmp_path: Path, known: list[Known]) -> None:
    (tmp_path / "api.log").write_bytes(b"x" + b64encode(NAME.encode()))
    [leak] = search(known, [tmp_path]).leaks
    assert (leak.where, leak.line, leak.kind, leak.how) == (f"{tmp_path.name}/api.log", 2, "name", "base64")
    assert NAME not in repr(leak)
    assert NAME not in repr(known)


def test_searching_nothing_is_not_clean(tmp_path: Path, known: list[Known]) -> None:
    assert not search(known, [tmp_path]).clean
    with pytest.raises(ConfigurationError):
        search(known, [tmp_path / "nowhere"])


@pytest.mark.parametrize("value", ["", "太郎", "Al", "tokyo", "123456"])
def test_what_is_too_short_to_be_told_from_chance_is_counted_and_not_looked_for(tmp_path: Path, value: str) -> None:
    (tmp_path / "log").write_text("Al 太郎 tokyo 123456")
    found = search([Known(2, "name", value)], [tmp_path])
    assert (found.too_short, found.patterns, len(found.leaks)) == (1, 0, 0)


DUMP = (
    b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.member (member_id, sealed, facets, tag) FROM stdin;\n"
    b'1\t\\\\x%b\t{"match": {"plan": "1.aa", "likes": ["1.b", "1.c"]}}\t7\n'
    b'2\t\\\\x0102\t{"match": {"plan": "1.aa", "likes": ["1.b"]}}\t7\n'
    b"\\.\n\nCOPY keys.member_key (member_id, wrapped) FROM stdin;\n1\t\\\\x0102\n\\.\n\nSELECT 1;\n"
)


@pytest.mark.parametrize("inner", [b64encode(NAME.encode()), NAME.encode("cp932"), json.dumps(NAME).encode()])
def test_what_a_binary_column_of_a_dump_holds_is_searched_too_and_its_table_is_named(
    tmp_path: Path, known: list[Known], inner: bytes
) -> None:
    for name, content in {
        "plain": DUMP % inner.hex().encode(),
        "zip": gzip.compress(DUMP % inner.hex().encode()),
    }.items():
        (tmp_path / name).write_bytes(content)
        found = search(known, [tmp_path / name]).leaks
        assert {leak.where for leak in found} == {f"{tmp_path.name}/{name}: public.member"}


def test_escapes_of_a_dump_hide_nothing(tmp_path: Path, known: list[Known]) -> None:
    escaped = json.dumps(NAME).replace("\\", "\\\\").encode()
    (tmp_path / "dump").write_bytes(DUMP.replace(b'"1.c"', escaped) % b"00")
    assert search(known, [tmp_path]).leaks


def test_a_dump_tells_which_values_are_equal_how_often_and_how_long_ciphertexts_are() -> None:
    found = resemblance(tables.rows(io.BytesIO(DUMP % b"0102030405")))
    assert found.members == 2
    assert found.lengths == {5: 1, 2: 1}
    assert found.tags == {b"7": 2}
    assert {name: dict(counts) for name, counts in found.values.items()} == {
        "plan": {"1.aa": 2},
        "likes": {"1.b": 2, "1.c": 1},
    }
    # A member key that is another row's profile.
    assert found.repeated_ciphertexts == 1
    assert len(found.lines()) == 6


def test_a_dump_without_members_tells_nothing() -> None:
    assert resemblance(tables.rows(io.BytesIO(b"--\n"))).lines() == []


@given(st.lists(st.binary(min_size=LEAST, max_size=40), min_size=1, max_size=20), st.binary(max_size=60), st.data())
def test_the_net_holds_exactly_the_patterns_that_stand_in_a_block(
    patterns: list[bytes], around: bytes, data: st.DataObject
) -> None:
    block = around + data.draw(st.sampled_from(patterns)) + around[::-1]
    assert Net(patterns).caught(block) == {one for one in patterns if one in block}


@given(st.lists(st.text("ab", min_size=LEAST, max_size=18), min_size=1, max_size=12), st.text("ab", max_size=200))
def test_the_net_holds_among_patterns_that_are_much_alike(patterns: list[str], text: str) -> None:
    block, wanted = text.encode(), [one.encode() for one in patterns]
    assert Net(wanted).caught(block) == {one for one in wanted if one in block}


def test_a_pattern_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="short"):
        Net([b"123456"])


@given(st.text(max_size=30))
def test_every_spelling_is_long_enough_for_the_net(value: str) -> None:
    Net(spellings(value))


def test_a_file_of_known_people_is_read_and_a_wrong_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text(to_csv(make_victims(3)))
    kinds = [one.kind for one in read_known(path)]
    assert kinds.count("email") == kinds.count("local part") == kinds.count("phone") == 3
    for content in (b"", b"email\n", b"\xff\xfe\xff"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError):
            read_known(path)
    with pytest.raises(ConfigurationError):
        read_known(tmp_path / "nowhere")
