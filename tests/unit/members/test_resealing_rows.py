"""Members are read from binary COPY and written to it as Postgres' manual says."""

from hypothesis import given
from hypothesis import strategies as st

from members.binary_copy import HEADER, NULL, TRAILER, field, fields, integer
from members.resealing.rows import array, read, renewed

ID = st.binary(min_size=16, max_size=16)
CONTENT = st.binary(max_size=50)
INTEGER = st.integers(0, 2**31 - 1)
PLACE = st.binary(min_size=6, max_size=6)
ROW = st.tuples(ID, INTEGER, PLACE, INTEGER, INTEGER, CONTENT, CONTENT, st.none() | CONTENT)


@given(rows=st.lists(ROW, max_size=5), cut=st.integers(0, 5))
def test_rows_are_read_from_whatever_blocks_they_come_in(
    rows: list[tuple[bytes, int, bytes, int, int, bytes, bytes, bytes | None]], cut: int
) -> None:
    written, expected = [], []
    for member_id, revision, place, generation, version, wrapped, sealed, facets in rows:
        own = field(member_id) + integer(revision) + field(place)
        rest = NULL if facets is None else field(b"\1" + facets)
        written.append(fields(8) + own + integer(generation) + integer(version) + field(wrapped) + field(sealed) + rest)
        expected.append((own, member_id, generation, version, wrapped, sealed, facets))
    blocks = [HEADER + b"".join(written[:cut]), b"".join(written[cut:]) + TRAILER]
    assert [row for number, block in enumerate(blocks) for row in read(block, first=not number)] == expected


def test_what_stays_as_it_is_is_written_as_null() -> None:
    assert renewed(b"own", None, None, None, NULL) == b"own" + NULL * 4
    written = renewed(b"own", b"sealed", b"key", b"{}", array([b"hash"]))
    assert written == b"own" + field(b"sealed") + field(b"key") + field(b"\1{}") + array([b"hash"])


def test_an_array_is_written_as_postgres_sends_it() -> None:
    header = (
        (1).to_bytes(4, "big") + bytes(4) + (17).to_bytes(4, "big") + (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
    )
    assert array([b"one", b"other"]) == field(header + field(b"one") + field(b"other"))
