"""The order in which the members of a range are written, so that a page has room for what its own rows become.

Postgres writes an updated row beside the old one if their page has room, and then no index is touched; otherwise the
row moves to another page, and every index gets an entry for it. Imported pages are full, and leaving half of each free
would double what every scan of members reads. So of each page a fifth of the rows is written at a time: once that is
committed, and whoever could still see the old rows is through, their space is free for the next fifth. On full pages
only the first fifth moves, and leaves room for the others, now and at the next rotation.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeVar

T = TypeVar("T")

STRIPES = 5
"""Into how many parts the rows of a page fall. Each batch touches all pages of its part of the range."""

_PARTS = 2
"""Of a range, written in turns: between two batches with the same pages lies a commit that others have time to see.

One worker writes one batch at a time: while it wrote another, its snapshot would keep the old rows of the first.
"""

SHARE = STRIPES * _PARTS
"""How many batches a range makes."""

LEAST = 3
"""… where few are left, for which more than one worker may be there. Of a single batch all rows would move."""


def batches(rows: Sequence[T], size: int, turn: int) -> Iterator[Sequence[T]]:
    """Cut a range's rows, which stand in the order of their ids, into at most SHARE batches, in the order of writing.

    What fits in one batch of `size` is left whole. `turn`: another number than at the last rotation, whose first fifth
    moved and shares pages with nothing else now: it falls into all five parts.
    """
    if len(rows) <= size:
        yield rows
        return
    half = -(-len(rows) // _PARTS)
    parts = [rows[start : start + half] for start in range(0, len(rows), half)]
    for first in range(STRIPES):
        for part in parts:
            if stripe := [part[place] for place in _places(len(part), first, turn)]:
                yield stripe


def _places(number: int, first: int, turn: int) -> list[int]:
    """Return one place of each five that follow each other: the `first`, then `turn` before that, and so on."""
    period = STRIPES * STRIPES
    starts = (STRIPES * five + (first - turn * five) % STRIPES for five in range(STRIPES))
    return sorted(chain.from_iterable(range(start, number, period) for start in starts))
