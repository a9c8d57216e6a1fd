"""An installation at work, as operators see it: a run, sites, sources, permits in use, restrictions in force."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core.ids import IdSource
from tests.support.runs import Run, make_run


@dataclass(frozen=True)
class Arranged:
    """Sites `google` (a provider) and `other`, sources `relay1` and `mx1`; the run has 100 recipients."""

    run: Run
    google: int
    other: int
    relay: int
    mx1: int
    owner: UUID

    @property
    def account_id(self) -> UUID:
        return self.run.account_id

    @property
    def run_id(self) -> UUID:
        return self.run.run_id


async def arrange(main: asyncpg.Pool, new_id: IdSource) -> Arranged:
    """Make it: 40 recipients wait for google, 7 for another site, 53 for no site; mx1 is suspended, google slowed."""
    run = await make_run(main, new_id, recipients=100)
    await main.execute("INSERT INTO lane (run_id, pool, state, weight) VALUES ($1, 'bulk', 'running', 7)", run.run_id)
    google = await main.fetchval(
        "INSERT INTO site (digest, provider) VALUES (decode(repeat('01', 16), 'hex'), 'google') RETURNING site_id"
    )
    other = await main.fetchval("INSERT INTO site (digest) VALUES (decode(repeat('02', 16), 'hex')) RETURNING site_id")
    relay, mx1 = [
        await main.fetchval("INSERT INTO source (name) VALUES ($1) RETURNING source_id", name)
        for name in ("relay1", "mx1")
    ]
    owner = new_id()
    await main.execute(
        "INSERT INTO worker (owner, pool, slot, host, pid, alive_until)"
        " VALUES ($1, 'bulk', 3, 'here', 1, app.now() + interval '1 hour')",
        owner,
    )
    for source, site, slots, rate, used in (
        (mx1, google, 3, 12.0, 2),
        (mx1, other, 5, None, 0),
        (relay, 0, 10, None, 1),
    ):
        await main.execute(
            "INSERT INTO pace (source_id, site_id, slots, rate, phase_at, allowed, connections, limits_at)"
            " VALUES ($1, $2, $3, $4, app.now(), 3, 10, app.now())",
            *(source, site, slots, rate),
        )
        await main.execute(
            "INSERT INTO permit (source_id, site_id, slot, owner)"
            " SELECT $1, $2, n, $4 FROM generate_series(1, $3) AS n",
            *(source, site, used, owner),
        )
    await main.execute("UPDATE chunk SET first_seq = 48 WHERE run_id = $1", run.run_id)
    for seqs, site, why in ((range(1, 41), google, "site"), (range(41, 48), other, "retry")):
        await main.execute(
            "INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id, why, held_since)"
            " VALUES ($1, $2, $3, $4, $5, $6, app.now() - interval '10 minutes')",
            *(run.run_id, min(seqs), max(seqs), list(seqs), site, why),
        )
    await main.execute(
        "INSERT INTO restriction (source_id, site_id, connections, rate, ends_at, reason, imposed_by) VALUES"
        " (NULL, $2, 1, 0.5, app.now() + interval '30 minutes', 'rule too-many', 'rule'),"
        " ($1, NULL, 0, NULL, app.now() + interval '1 hour', 'a new certificate', 'operator')",
        *(mx1, google),
    )
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'deferred', 'throttled', 12, 0)",
        run.run_id,
    )
    return Arranged(run, google, other, relay, mx1, owner)
