"""One page of the mail list: newest first, searched by recipient or subject."""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.mailbox.reading import subject_of
from deploy.mailbox.record import Entry

# What one page may look at, so that a search over a full mailbox is answered within a second; it says where to go on.
SEARCHED = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """A mail in the list."""

    entry: Entry
    subject: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows, newest first, and the cursor for older ones (None = there are none)."""

    rows: tuple[Row, ...]
    older: int | None
    cut_short: bool
    """The search stopped at its bound, not because the page was full."""


def list_mails(mails: Iterable[tuple[Entry, bytes]], *, query: str, limit: int, searched: int = SEARCHED) -> Listing:
    """Take up to `limit` mails whose recipient or subject holds `query`, in any case.

    `mails` are entries with their messages' beginnings, newest first.
    """
    wanted = query.casefold()
    rows: list[Row] = []
    for looked_at, (entry, beginning) in enumerate(mails):
        if len(rows) == limit or looked_at == searched:
            return Listing(tuple(rows), entry.id + 1, cut_short=looked_at == searched)
        row = Row(entry, subject_of(beginning))
        if not wanted or _holds(row, wanted):
            rows.append(row)
    return Listing(tuple(rows), None, cut_short=False)


def _holds(row: Row, wanted: str) -> bool:
    return wanted in row.subject.casefold() or any(wanted in address.casefold() for address in row.entry.rcpt_to)
