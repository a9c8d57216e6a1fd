"""Judges again what happened in a period, by the rules in force, and corrects the figures of people and machines.

For after a change of the rules. Range by range of a run's recipients, each in one transaction with its corrections, so
that figures equal the labels at every instant, and a death in between leaves the rest for another call. Repeated, it
changes nothing. Settling waits meanwhile. A member's last open or click is corrected forwards only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from tracking.machines.judge import Verdict, judge
from tracking.machines.rules import Rules
from tracking.machines.settlement import by_delivery

SQL = sql.load(__package__ or "", "relabel.sql")

RECIPIENTS = 5_000
"""Looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class Relabelled:
    """How many different events (recipient, moment, agent) were judged, and how many got another label or rule."""

    judged: int
    changed: int


async def relabel(main: asyncpg.Pool, rules: Rules, start: datetime, end: datetime) -> Relabelled:
    """Judge again what happened from `start` until before `end`, of every run; both are aware."""
    judged = changed = 0
    texts = {row["agent"]: row["text"] for row in await main.fetch(SQL["agents"])}
    for run in await main.fetch(SQL["runs"], end):
        # From 0 on, which is nobody: sums that name no recipient.
        for first in range(0, run["snapshot"] + 1, RECIPIENTS):
            span = (run["run_id"], first, first + RECIPIENTS - 1, start, end)
            async with main.acquire() as connection, connection.transaction():
                await connection.execute(SQL["wait"])
                looked_at, altered = await _relabel_range(connection, rules, texts, span, run["links"])
            judged, changed = judged + looked_at, changed + altered
    return Relabelled(judged, changed)


async def _relabel_range(
    connection: PoolConnectionProxy,
    rules: Rules,
    texts: Mapping[int, str],
    span: tuple[UUID, int, int, datetime, datetime],
    links: int,
) -> tuple[int, int]:
    events = await connection.fetch(SQL["events"], *span)
    if not events:
        return 0, 0
    followed = by_delivery(await connection.fetch(SQL["followed"], *span, rules.behaviour.window))
    found = []
    for event in events:
        label, rule = judge(
            _by_agent(rules, texts, event),
            event["occurred_at"],
            delivered_at=event["delivered_at"],
            followed=followed[span[0], event["seq"]],
            links=links,
            behaviour=rules.behaviour,
        )
        if (label, rule) != (event["label"], event["rule"]):
            found.append((event["seq"], event["occurred_at"], event["agent"], label, rule))
    if not found:
        return len(events), 0
    changed: int = await connection.fetchval(SQL["label"], span[0], *map(list, zip(*found, strict=True)))
    recipients = sorted({one[0] for one in found})
    await connection.execute(SQL["count_people"], span[0], recipients)
    await connection.execute(SQL["engage"], span[0], recipients)
    return len(events), changed


def _by_agent(rules: Rules, texts: Mapping[int, str], event: asyncpg.Record) -> Verdict:
    """Return what the agent says by the rules in force; where its text was not kept, what it said then."""
    if not event["agent_noted"]:
        return "human", None
    text = "" if event["agent"] == 0 else texts.get(event["agent"])
    if text is not None:
        return rules.verdict(text)
    known = any(event["rule"] == one.name for one in rules.agents)
    return (event["label"], event["rule"]) if known else ("human", None)
