"""How a run's recipients are cut into chunks. Pure.

The first chunks of a run are small, so that a hundred campaigns due at once all begin at once; a rated lane's chunk
holds at most one second's worth, so that nothing waits long behind it.
"""

USUAL = 1_000
_FIRST = ((20, 20), (70, 50), (270, 200))
_SECONDS_AN_HOUR = 3600


def cut(offset: int, count: int, rate_per_hour: int | None) -> list[tuple[int, int]]:
    """Cut the `count` recipients that follow the run's first `offset` into (first, last) sequence numbers.

    Sequence numbers begin at 1; chunks hold 20, 50, 200, then 1,000 each.
    """
    most = USUAL if rate_per_hour is None else min(USUAL, max(1, rate_per_hour // _SECONDS_AN_HOUR))
    chunks = []
    done, end = offset, offset + count
    while done < end:
        size = min(_size_at(done), most, end - done)
        chunks.append((done + 1, done + size))
        done += size
    return chunks


def _size_at(offset: int) -> int:
    return next((size for below, size in _FIRST if offset < below), USUAL)
