import pytest

from core import sql


def test_statements_are_found_by_name_without_their_semicolon() -> None:
    found = sql.parse("-- a file\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT 2")
    assert dict(found) == {"one": "-- why\nSELECT 1", "two": "SELECT 2"}


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        sql.parse("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;")
