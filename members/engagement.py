"""What segments ask of the main database: who was sent, opened or clicked what. Implemented in tracking/engagement.py.

The two databases share no join: ids cross as a stream of binary COPY, for a range of member ids at a time.
"""

from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol
from uuid import UUID

from members.rules.tree import LastSeen, Mailed

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
"""Takes the blocks of a stream in Postgres' binary COPY format, header and trailer included."""


class Engagement(Protocol):
    """The main database's side."""

    async def campaigns(self, account_id: UUID, campaign_ids: Collection[UUID], /) -> set[UUID]:
        """Return those of the ids that are campaigns of the account."""

    async def copy(
        self, account_id: UUID, asked: Mailed | LastSeen, number: int, after: UUID | None, upto: UUID, sink: Sink, /
    ) -> None:
        """Write rows (member_id uuid, `number` smallint) of all who meet `asked`, after `after` and up to `upto`.

        `asked.days` is never set: what is counted from now has been turned into times.
        """
