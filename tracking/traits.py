"""Reads a campaign's figures by what its recipients have in common: segments, groups, the values of an open attribute.

What recipients had when the audience was cut counts, whatever they have now. Sent mail, and who was left out, is
counted in the transaction that records it; what comes back by housekeeping some seconds later, and people and machines
once their events are settled, as in the campaign's own figures. Each recipient has one value of an attribute, `none` or
`other`, so that these add up to the campaign; of segments and groups it may be in several.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from tracking.event import NO_LINK
from tracking.figures import Figures
from tracking.reports import figures, name_of
from tracking.tallies import Tally

SQL = sql.load(__package__ or "", "traits.sql")

Dimension = Literal["segment", "group", "attribute"]
Part = Literal["value", "none", "other"]
_ORDER = ("value", "none", "other")


@dataclass(frozen=True, slots=True)
class TraitReport:
    """The figures of recipients with one value; of `none` and `other`, `value` is None.

    `none`: no value, or in none of the segments or groups that are told apart. `other`: of a value beyond the bound, or
    of nobody: a mail whose tokens name no member.
    """

    part: Part
    value: str | None
    figures: Figures


class TraitStore:
    """Reports by trait; another account's campaign is NotFound."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def by_segment(self, account_id: UUID, campaign_id: UUID) -> Sequence[TraitReport]:
        """Return the figures of each segment that is told apart; values are UUIDs. Raises NotFound."""
        return await self._by(account_id, campaign_id, "segment")

    async def by_group(self, account_id: UUID, campaign_id: UUID) -> Sequence[TraitReport]:
        """Return the figures of each group that is told apart; values are UUIDs. Raises NotFound."""
        return await self._by(account_id, campaign_id, "group")

    async def by_attribute(self, account_id: UUID, campaign_id: UUID, key: str) -> Sequence[TraitReport]:
        """Return the figures of each value of the attribute with this key. Raises NotFound for the campaign."""
        return await self._by(account_id, campaign_id, "attribute", key)

    async def _by(
        self, account_id: UUID, campaign_id: UUID, dimension: Dimension, name: str = ""
    ) -> Sequence[TraitReport]:
        async with (
            self._main.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await name_of(connection, account_id, campaign_id)
            runs = await connection.fetch(SQL["runs"], account_id, campaign_id)
            states = {row["run_id"]: row["state"] for row in runs}
            asked = (list(states), dimension, name)
            counted: defaultdict[tuple[Part, str | None], defaultdict[UUID, list[Tally]]]
            counted = defaultdict(lambda: defaultdict(list))
            for row in await connection.fetch(SQL["by_trait"], *asked):
                tally = Tally(row["run_id"], row["kind"], row["detail"], NO_LINK, row["total"], row["people"])
                counted[row["part"], row["value"]][tally.run_id].append(tally)
            uncertain = {
                (row["part"], row["value"], row["run_id"]): row["total"]
                for row in await connection.fetch(SQL["uncertain"], *asked)
            }
        found = [
            TraitReport(
                part,
                value,
                Figures.total(
                    figures(
                        tallies,
                        snapshot=sum(one.total for one in tallies if one.kind == "snapshot"),
                        uncertain=uncertain.get((part, value, run_id), 0),
                        cancelled=states[run_id] == "cancelled",
                    )
                    for run_id, tallies in by_run.items()
                ),
            )
            for (part, value), by_run in counted.items()
        ]
        return sorted(found, key=lambda one: (_ORDER.index(one.part), one.value or ""))
