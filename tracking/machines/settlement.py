"""Settles what came in: a fixed time after a batch came, its opens and clicks are judged and counted by label.

Totals are counted by intake, at once. Whether an event was a person's shows by what else was asked for around it, so it
is counted as `human_open`, `human_click`, `machine_open` or `machine_click` only then: once, in one transaction with
what marks its batch as settled. If that fails or its process dies, nothing has happened, and the next one begins anew.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from tracking.machines.judge import Followed, judge
from tracking.machines.rules import Rules

SQL = sql.load(__package__ or "", "settlement.sql")

BATCHES = 50
"""Settled in one transaction: some thousand events under load."""

Delivery = tuple[UUID, int]


async def settle(main: asyncpg.Pool, rules: Rules, after: float) -> int:
    """Settle what came at least `after` seconds ago; return how many batches. Another that is at it is left to it."""
    total = 0
    while True:
        async with main.acquire() as connection, connection.transaction():
            if await connection.fetchrow(SQL["begin"]) is None:
                return total
            due = [row["batch_id"] for row in await connection.fetch(SQL["due"], after, BATCHES)]
            if due:
                await _label(connection, rules, due)
                await connection.execute(SQL["settle"], due)
            await connection.execute(SQL["advance"], after)
        total += len(due)
        if len(due) < BATCHES:
            return total


async def settled_until(main: asyncpg.Pool | PoolConnectionProxy) -> datetime:
    """Return before when everything that came in is in the figures of people and machines."""
    until: datetime = await main.fetchval(SQL["until"])
    return until


async def _label(connection: PoolConnectionProxy, rules: Rules, batches: Sequence[UUID]) -> None:
    events = await connection.fetch(SQL["events"], batches)
    followed = by_delivery(await connection.fetch(SQL["followed"], batches, rules.behaviour.window))
    found = []
    for event in events:
        _, rule = judge(
            ("human", event["rule"]),
            event["occurred_at"],
            delivered_at=event["delivered_at"],
            followed=followed[event["run_id"], event["seq"]],
            links=event["links"],
            behaviour=rules.behaviour,
        )
        if rule != event["rule"]:
            found.append((event["batch_id"], event["place"], rule))
    if found:
        await connection.execute(SQL["label"], *map(list, zip(*found, strict=True)))


def by_delivery(rows: Sequence[asyncpg.Record]) -> Mapping[Delivery, Sequence[Followed]]:
    """Return what was followed, by run and sequence number; nothing for others."""
    followed: defaultdict[Delivery, list[Followed]] = defaultdict(list)
    for row in rows:
        followed[row["run_id"], row["seq"]].append(Followed(row["link"], row["at"]))
    return followed
