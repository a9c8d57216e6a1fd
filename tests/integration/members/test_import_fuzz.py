"""Malformed files through the whole import: it ends, and its counts add up."""

from tests.support.imports import Imports, counters
from tests.support.malformed import malformed


async def test_every_malformed_file_comes_to_an_end_with_counts_that_add_up(imports: Imports) -> None:
    ends = set()
    for seed in range(150):
        content = b"".join(malformed(seed))
        if not content:
            continue
        done = await imports.through(content)
        ends.add(done.state)
        assert done.state in {"finished", "failed"}
        assert sum(counters(done)) == done.rows_done
        if done.state == "failed":
            assert done.error
            assert done.rows_done == 0
        else:
            assert done.rows_total == done.rows_done
            rejects = await imports.reject_file(done)
            assert (rejects.count(b"\n") > 0) == (done.rejected > 0 or done.format == "csv")
    assert ends == {"finished", "failed"}
