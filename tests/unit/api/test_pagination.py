"""Cursors: opaque, ours alone."""

from uuid import UUID

import pytest

from api.pagination import Page, part
from core.errors import InvalidInput


def test_pages_follow_each_other_to_the_end() -> None:
    whole = [UUID(int=n) for n in range(1, 8)]
    seen: list[UUID] = []
    cursor = None
    for _ in range(4):
        found, cursor = part(whole, Page(limit=2, cursor=cursor), lambda one: one)
        seen += found
    assert seen == whole
    assert cursor is None


@pytest.mark.parametrize("cursor", ["", "1", "cur_", "mem_0000000000000000000000000a", "cur_" + "z" * 26])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        _ = Page(cursor=cursor).after
