import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.imports.encoding import ON_ERROR, Detector, find_delimiter
from members.imports.records import MAX_RECORD, Record, RecordReader


def read(text: str, *, cut: int = 10**9, delimiter: str = ",") -> list[Record]:
    reader = RecordReader(delimiter)
    records = [record for start in range(0, len(text), cut) for record in reader.feed(text[start : start + cut])]
    return records + list(reader.close())


FIELDS = st.text(st.sampled_from('ab,"\r\n;\t日 '), max_size=6)


@given(rows=st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=8), cut=st.integers(1, 40))
def test_what_csv_writes_is_read_back_however_the_stream_is_cut(rows: list[list[str]], cut: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    records = read(out.getvalue(), cut=cut)
    assert [record.fields for record in records] == [row for row in rows if any(row)]
    assert not any(record.fault for record in records)


@given(text=st.text(st.sampled_from('ab,"\r\n'), max_size=60), cut=st.integers(1, 10))
def test_any_text_is_read_the_same_whole_or_in_pieces(text: str, cut: int) -> None:
    assert read(text, cut=cut) == read(text)


def test_records_know_the_line_they_begin_on() -> None:
    records = read('a,b\r\n"one\r\ntwo",x\r\n\r\nlast,y')
    assert [(record.line, record.fields) for record in records] == [
        (1, ["a", "b"]),
        (2, ["one\r\ntwo", "x"]),
        (5, ["last", "y"]),
    ]


def test_a_quote_that_never_closes_costs_one_line() -> None:
    rest = "".join(f"m{number},x\n" for number in range(40_000))
    records = read('h,i\n"open,x\n' + rest, cut=5000)
    assert [record.line for record in records if record.fault] == [2]
    assert len(records) == 40_002


def test_a_record_longer_than_the_bound_is_broken() -> None:
    records = read('"' + "x" * (MAX_RECORD + 1) + "\nok,1\n", cut=30_000)
    assert [(record.line, record.fault is None) for record in records] == [(1, False), (2, True)]


def test_lines_that_end_in_cr_alone_are_lines() -> None:
    assert [record.fields for record in read("a,b\rc,d\r")] == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b,c", ","), ("a\tb", "\t"), ("a;b;c", ";"), ('"a;b;c;d",e', ","), ("email", ",")],
)
def test_the_delimiter_is_what_the_header_is_cut_by(header: str, delimiter: str) -> None:
    assert find_delimiter(header) == delimiter


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("氏名,メール\n髙木①,a@example.jp".encode("cp932"), "cp932"),
        ("\uff80\uff76\uff77,\uff83\uff97\uff80\uff9e".encode("cp932"), "cp932"),
        ("氏名,メール\n".encode() + b"\xff", "utf-8"),
        ("氏名".encode("utf-8-sig"), "utf-8"),
        ("氏名".encode("utf-16"), "utf-16"),
        (b"name,email", "utf-8"),
        ("café".encode(), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_the_encoding_is_found_by_looking(content: bytes, encoding: str) -> None:
    detector = Detector()
    for start in range(0, len(content), 3):
        if not detector.see(content[start : start + 3] if start else content[:3]):
            break
    assert detector.encoding() == encoding


def test_bytes_that_mean_nothing_are_a_fault_of_their_record() -> None:
    text = b"a,b\nc,\xff\nd,e\n".decode("utf-8", ON_ERROR)
    assert [record.fault is None for record in read(text)] == [True, False, True]
