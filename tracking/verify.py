"""Proves, from the tables, that every message is accounted for.

Each recipient of a run is classified by its own rows: `accepted` or `failed` if its last try's result says so; else
`suppressed` if there is an omission; else `uncertain` if the last try's result says so; else `cancelled` in a cancelled
run, and `waiting` in any other (never tried, deferred, released, or on the wire just now). So

    accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot

holds when each recipient of the snapshot is there. These laws are true of every run at every committed instant,
whatever crashed; each is one statement in verify.sql:

snapshot_is_whole               the run has as many recipients as its snapshot says
results_have_intents            no result without its intent
rows_have_recipients            no intent, omission, event or open chunk names a recipient that isn't there
nothing_follows_a_final_result  a try that is not the last ended deferred or released, or uncertain if the run resends
accepted_once                   at most one try of a recipient was accepted
settled_once                    nobody is both omitted and accepted or failed: the counters would count that twice
open_intents_are_leased         an intent without a result stands in a chunk that is leased by its owner, in its epoch
leases_are_live                 a leased chunk's owner is not retired, and its run is running, pausing or cancelling
waiting_are_covered             who waits is in a chunk that is not done. (Who is final may be in one too: after a
                                worker's death its chunk is claimed again as a whole, and the final ones are skipped.)
covered_once                    no recipient is in two chunks that are not done
finished_is_done                a finished run has no chunk that is not done
nothing_sent_after_a_stop       no intent is dated more than 5 s after its member's stop
unsubscribes_stop               every unsubscribe, and every complaint, has stopped its member
events_stored_once              no request is there twice: of a batch of the tracker's each place at most once
mails_counted_once              as many bounces, complaints and unsubscribes by mail as mails were taken in
firsts_equal_distinct_events    first_event holds each (recipient, kind, link) of the events, and of those that are
                                settled each (recipient, label and kind, link), and nothing else
bounces_equal_distinct_events   bounce holds each (recipient, class) of the bounces, and nothing else
breakdowns_add_up               over all minutes, and over all sites, there is as much as there are rows
traits_add_up                   each trait of the recipients (scheduler/traits.py) has as much as there are rows
counters_equal_recounts         folded and unfolded counters equal the rows that they count: by reason, by link, and of
                                settled events by label

All statements about one run read one snapshot, so a run may be checked while it is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from core.errors import NotFound

SQL = sql.load(__package__ or "", "verify.sql")

LAWS = (
    "snapshot_is_whole",
    "results_have_intents",
    "rows_have_recipients",
    "nothing_follows_a_final_result",
    "accepted_once",
    "settled_once",
    "open_intents_are_leased",
    "leases_are_live",
    "waiting_are_covered",
    "covered_once",
    "finished_is_done",
    "nothing_sent_after_a_stop",
    "unsubscribes_stop",
    "events_stored_once",
    "mails_counted_once",
    "firsts_equal_distinct_events",
    "bounces_equal_distinct_events",
    "breakdowns_add_up",
    "traits_add_up",
    "counters_equal_recounts",
)

CLASSES = ("accepted", "failed", "suppressed", "cancelled", "uncertain", "waiting")

_LONGEST_STATEMENT = 3_600.0


@dataclass(frozen=True, slots=True)
class Breach:
    """A law that does not hold: how many rows break it, and up to five of them (sequence numbers, mostly)."""

    law: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunCheck:
    """What the tables say of one run: `counts` holds `snapshot` and how many recipients are in each class."""

    run_id: UUID
    state: str
    counts: Mapping[str, int]
    faults: tuple[Breach, ...]

    @property
    def ok(self) -> bool:
        """Whether every law holds."""
        return not self.faults


async def verify(main: asyncpg.Pool, run_id: UUID | None = None) -> list[RunCheck]:
    """Check one run, or all, oldest first. A million takes seconds.

    Runs whose rows are not kept any more are left out. Raises NotFound for such a run, and one that isn't there.
    """
    async with main.acquire() as connection:
        runs = await connection.fetch(SQL["runs"], run_id)
        if run_id is not None and not runs:
            raise NotFound("No such run")
        return [await _check(connection, run["run_id"]) for run in runs]


async def _check(connection: PoolConnectionProxy, run_id: UUID) -> RunCheck:
    # Not read-only: the classification is kept in temporary tables for the length of the transaction.
    async with connection.transaction(isolation="repeatable_read"):
        for setting in ("without_time_limit", "without_nested_loops"):
            await connection.execute(SQL[setting])
        for statement in ("stand", "cover", "gather"):
            await connection.execute(SQL[statement], run_id, timeout=_LONGEST_STATEMENT)
        for statement in ("analyze_standing", "analyze_covered"):
            await connection.execute(SQL[statement], timeout=_LONGEST_STATEMENT)
        run = (await connection.fetch(SQL["runs"], run_id))[0]
        classes = {row["stands"]: row["count"] for row in await connection.fetch(SQL["counts"])}
        faults = []
        for law in LAWS:
            rows = await connection.fetch(SQL[law], run_id, timeout=_LONGEST_STATEMENT)
            if rows:
                faults.append(Breach(law, rows[0]["count"], tuple(row["example"] for row in rows)))
    counts = {"snapshot": run["snapshot"], **{name: classes.get(name, 0) for name in CLASSES}}
    return RunCheck(run_id, run["state"], counts, tuple(faults))
