"""Reads the figures of a campaign, or of all of a period: what was sent, what came of it, what came back.

Exact at once: counters are written in the transactions that they count, and a report reads all it says in one snapshot.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from core.errors import NotFound
from tracking import tallies
from tracking.event import NO_LINK
from tracking.figures import BOUNCED, CampaignReport, Figures, LinkReport, PeriodReport, RunReport, VersionReport
from tracking.tallies import Tally

SQL = sql.load(__package__ or "", "reports.sql")


MOST_RUNS = 10_000
"""Runs that a report over campaigns adds up."""


class ReportStore:
    """Reports from the main database; another account's campaign is NotFound."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def campaign(self, account_id: UUID, campaign_id: UUID) -> CampaignReport:
        """Return the figures of each run and of all; a campaign that never ran has zeros. Raises NotFound."""
        [report] = await self.compare(account_id, [campaign_id])
        return report

    async def compare(self, account_id: UUID, campaign_ids: Sequence[UUID]) -> tuple[CampaignReport, ...]:
        """Return the reports of several campaigns as of one moment, in this order. Raises NotFound for any."""
        async with (
            self._main.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            until = await connection.fetchval(SQL["settled_until"])
            return tuple([await _campaign(connection, account_id, one, until) for one in campaign_ids])

    async def over(self, account_id: UUID, since: datetime, until: datetime) -> PeriodReport:
        """Add up the runs that started from `since` to before `until`, of the newest 10,000."""
        async with (
            self._main.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            settled_until = await connection.fetchval(SQL["settled_until"])
            parts = await connection.fetch(SQL["between"], account_id, since, until, MOST_RUNS)
            found = [await _added_up(connection, part) for part in parts]
        campaigns = {campaign_id for part in parts for campaign_id in part["campaign_ids"]}
        runs = sum(len(part["run_ids"]) for part in parts)
        return PeriodReport(since, until, len(campaigns), runs, Figures.total(found), settled_until)

    async def versions(self, account_id: UUID, campaign_id: UUID) -> tuple[VersionReport, ...]:
        """Return the figures of each content that the campaign was sent with, oldest first. Raises NotFound."""
        async with (
            self._main.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            until = await connection.fetchval(SQL["settled_until"])
            report = await _campaign(connection, account_id, campaign_id, until)
            rows = await connection.fetch(SQL["versions"], account_id, campaign_id)
        sent = {row["run_id"]: (row["content_id"], row["subject"]) for row in rows}
        found: defaultdict[tuple[UUID, str], list[RunReport]] = defaultdict(list)
        for run in report.runs:
            found[sent[run.run_id]].append(run)
        return tuple(
            VersionReport(
                number, subject, tuple(run.run_id for run in runs), Figures.total(run.figures for run in runs)
            )
            for number, ((_, subject), runs) in enumerate(found.items(), start=1)
        )

    async def links(self, account_id: UUID, campaign_id: UUID) -> tuple[LinkReport, ...]:
        """Return each link of each run, also those that nobody followed, in the order of runs and numbers."""
        async with self._main.acquire() as connection:
            await name_of(connection, account_id, campaign_id)
            rows = await connection.fetch(SQL["links"], account_id, campaign_id)
        return tuple(LinkReport(**dict(row)) for row in rows)


async def name_of(connection: PoolConnectionProxy, account_id: UUID, campaign_id: UUID) -> str:
    """Return a campaign's name. Raises NotFound."""
    name: str | None = await connection.fetchval(SQL["campaign"], account_id, campaign_id)
    if name is None:
        raise NotFound("No such campaign")
    return name


async def _campaign(
    connection: PoolConnectionProxy, account_id: UUID, campaign_id: UUID, settled_until: datetime
) -> CampaignReport:
    name = await name_of(connection, account_id, campaign_id)
    runs = await connection.fetch(SQL["runs"], account_id, campaign_id)
    run_ids = [run["run_id"] for run in runs]
    uncertain = {row["run_id"]: row["total"] for row in await connection.fetch(SQL["uncertain"], run_ids)}
    counted: defaultdict[UUID, list[Tally]] = defaultdict(list)
    for tally in await tallies.read(connection, run_ids):
        counted[tally.run_id].append(tally)
    reports = tuple(
        RunReport(
            **{key: value for key, value in run.items() if key != "snapshot"},
            figures=figures(
                counted[run["run_id"]],
                snapshot=run["snapshot"],
                uncertain=uncertain.get(run["run_id"], 0),
                cancelled=run["state"] == "cancelled",
            ),
        )
        for run in runs
    )
    return CampaignReport(
        campaign_id, name, reports, Figures.total(report.figures for report in reports), settled_until
    )


async def _added_up(connection: PoolConnectionProxy, runs: asyncpg.Record) -> Figures:
    run_ids = runs["run_ids"]
    uncertain = sum(row["total"] for row in await connection.fetch(SQL["uncertain"], run_ids))
    rows = await connection.fetch(SQL["counted_over"], run_ids)
    counted = [Tally(run_ids[0], link=NO_LINK, **dict(row)) for row in rows]
    return figures(counted, snapshot=runs["snapshot"], uncertain=uncertain, cancelled=runs["cancelled"])


def figures(counted: Iterable[Tally], *, snapshot: int, uncertain: int, cancelled: bool) -> Figures:
    """Make a run's figures of its counters; whoever has no final result waits, or was cancelled with the run."""
    totals: defaultdict[str, int] = defaultdict(int)
    people: defaultdict[str, int] = defaultdict(int)
    reasons: defaultdict[str, dict[str, int]] = defaultdict(dict)
    bounced: dict[str, int] = {}
    for tally in counted:
        if tally.link == NO_LINK:
            totals[tally.kind] += tally.total
            people[tally.kind] += tally.people
            if tally.total:
                reasons[tally.kind][tally.detail] = tally.total
            if tally.kind == "bounce" and tally.people:
                bounced[tally.detail] = tally.people
    # Of a run whose rows are gone it was counted before they went.
    uncertain += totals["uncertain"]
    left = snapshot - totals["accepted"] - totals["failed"] - totals["suppressed"] - uncertain
    return Figures(
        snapshot=snapshot,
        accepted=totals["accepted"],
        failed=totals["failed"],
        failed_by_reason=dict(sorted(reasons["failed"].items())),
        suppressed=totals["suppressed"],
        suppressed_by_reason=dict(sorted(reasons["suppressed"].items())),
        cancelled=left if cancelled else 0,
        uncertain=uncertain,
        waiting=0 if cancelled else left,
        deferred=totals["deferred"],
        opens=totals["open"],
        unique_opens=people["open"],
        human_opens=totals["human_open"],
        unique_human_opens=people["human_open"],
        machine_opens=totals["machine_open"],
        clicks=totals["click"],
        unique_clicks=people["click"],
        human_clicks=totals["human_click"],
        unique_human_clicks=people["human_click"],
        machine_clicks=totals["machine_click"],
        unsubscribes=people["unsubscribe"],
        bounces=sum(count for kind, count in bounced.items() if kind in BOUNCED),
        bounces_by_class=dict(sorted(bounced.items())),
        complaints=people["complaint"],
    )
