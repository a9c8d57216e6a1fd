"""Topics by import: a column `topics` of the file, and who may not join by a file what they left.

A file can't know what a member did since it was written. So whoever left a topic, or all mail, stays out of it whatever
the file says, and so does who is suppressed for it: they join by a consent of their own (`PATCH /v1/members/{id}`).
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import asyncpg

from core import ids, sql
from members.attribute import Attribute, Choice, Definitions
from members.facets import topics_of
from members.imports.columns import Row
from members.topics import KIND

SQL = sql.load(__package__ or "", "joining.sql")

TOPICS = "topics"
"""The column: ids of topics, one or several as tags are written."""

_NO_ID = UUID(int=0)


def with_topics(definitions: Definitions, topics: Collection[UUID]) -> Definitions:
    """Return what a column may become: an attribute, or `topics`, which is read as tags of these choices are.

    An account that has an attribute of that name keeps its own, and one without topics has no such column.
    """
    if not topics or definitions.named(TOPICS) is not None:
        return definitions
    column = Attribute(
        attribute_id=_NO_ID,
        key=TOPICS,
        name=TOPICS,
        type="tags",
        protection="open",
        label={},
        choices=tuple(Choice(ids.encode(KIND, topic), {}) for topic in topics),
        required=False,
        ask_at_signup=False,
        used=False,
        revision=0,
    )
    return Definitions([*definitions.values(), column])


def joins(row: Row) -> Row:
    """Return a row whose column `topics` is no value any more, but the topics to join. An empty one joins none."""
    values = dict(row.values)
    chosen = values.pop(TOPICS, None)
    topics = frozenset(ids.decode(KIND, topic) for topic in chosen) if isinstance(chosen, list) else frozenset()
    return row._replace(values=values, removed=row.removed - {TOPICS}, topics=topics)


async def find_barred(
    pool: asyncpg.Pool,
    account_id: UUID,
    rows: Sequence[Row],
    existing: Mapping[int, asyncpg.Record],
    topics: frozenset[UUID],
) -> Mapping[UUID, frozenset[UUID]]:
    """Return by member the topics that must not be joined by a file.

    `existing`: members by the place of their row; `topics`: those that each is to join besides its row's own.
    """
    wanted = [
        (one["member_id"], topic)
        for place, one in existing.items()
        for topic in (topics | rows[place].topics).difference(topics_of(one["facets"]))
    ]
    if not wanted:
        return {}
    members, chosen = zip(*wanted, strict=True)
    found = await pool.fetch(SQL["barred"], account_id, members, chosen)
    return {row["member_id"]: frozenset(row["topics"]) for row in found}
