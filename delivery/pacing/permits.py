"""One worker's permits: which connections it may use of the budgets that all workers of all machines share.

An ask is a poll, several times a second for all pairs at once. It looks without a lock, and decides; only where that
means a change it takes the pairs' rows of `pace` in the order of their key, looks again, decides again and writes.

Failure model. A permit is its owner's while its lease is alive: a dead worker's need not be taken back, and a grant
must not be used once the lease is lost or out of time. If an ask fails, its answer may be lost and not its work: it is
to be repeated with the same feedback or more. Permits taken by the lost one are found again, and feedback that may
have been written is not written twice: failures counted double would bury a site that lives.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import logs, sql
from core.database import AWAY, with_retry
from delivery.pacing.decision import UNREACHABLE, Decision, Seen, decide
from delivery.pacing.feedback import Window
from delivery.pacing.pace import Pace, Restriction
from delivery.pacing.shares import Claim
from delivery.pacing.wants import Grant, Pair, Slot, Want

__all__ = ["Grant", "Permits", "Slot", "Want"]

SQL = sql.load(__package__ or "", "permits.sql")

log = logs.get()

Runner = asyncpg.Pool | PoolConnectionProxy


class Permits:
    """Of one owner; `pool` is bulk or fast, `random` returns a float in [0, 1)."""

    def __init__(self, main: asyncpg.Pool, owner: UUID, pool: str, random: Callable[[], float]) -> None:
        self._main = main
        self._owner = owner
        self._pool = pool
        self._random = random
        self._one_at_a_time = asyncio.Lock()
        self._in_doubt: dict[Pair, tuple[int, int]] = {}

    async def ask(self, wants: Sequence[Want]) -> list[Grant]:
        """Return a grant for each want, in their order; ValueError if two are for the same pair.

        What is granted replaces what was: slots that are missing now are ours no more, once their connections (the
        want's `open`) are closed. A reaped owner gets nothing. Raises what `AWAY` lists while the database is away.
        """
        if len({want.pair for want in wants}) < len(wants):
            raise ValueError("a pair is wanted twice")
        if not wants:
            return []
        async with self._one_at_a_time:
            asked = [self._without_doubtful(want) for want in wants]
            decisions = await self._decide(self._main, asked)
            changing = sorted((want for want in asked if decisions[want.pair].writes), key=lambda want: want.pair)
            if changing:
                decisions.update(await self._change(changing))
            for want in wants:
                self._in_doubt.pop(want.pair, None)
            return [decisions[want.pair].grant for want in wants]

    async def give_up(self, pairs: Collection[Pair]) -> None:
        """Give up all slots of these pairs, whose connections are closed."""
        async with self._one_at_a_time:
            ordered = sorted(set(pairs))
            await with_retry(
                lambda: self._main.execute(SQL["give_up"], self._owner, *_columns(ordered, 2)), what="give_up"
            )

    async def release_all(self) -> None:
        """Give up everything, at the end; while the database is away that is left to the end of the lease."""
        async with self._one_at_a_time:
            with suppress(*AWAY):
                await self._main.execute(SQL["give_up"], self._owner, None, None)

    async def _decide(self, runner: Runner, wants: Sequence[Want]) -> dict[Pair, Decision]:
        rows = await runner.fetch(SQL["look"], self._owner, self._pool, *_columns([want.pair for want in wants], 2))
        return {
            want.pair: decide(
                want,
                _seen(row),
                owner=self._owner,
                pool=self._pool,
                spread=self._random(),
            )
            for want, row in zip(wants, rows, strict=True)
        }

    async def _change(self, wants: Sequence[Want]) -> Mapping[Pair, Decision]:
        """Decide again under the lock, and write what comes of it. `wants` in the order of their pairs."""
        pairs = _columns([want.pair for want in wants], 2)
        async with self._main.acquire() as connection, connection.transaction():
            await connection.execute(
                SQL["make"],
                *pairs,
                [want.limits.connections for want in wants],
                [float(want.limits.start if want.adaptive else want.limits.connections) for want in wants],
            )
            await connection.execute(SQL["lock"], *pairs)
            decisions = await self._decide(connection, wants)
            await self._write(connection, decisions)
            for want in wants:
                self._doubt(want)
        for pair, decision in decisions.items():
            if decision.buried_for is not None:
                log.warning("site_unreachable", source_id=pair[0], site_id=pair[1], seconds=round(decision.buried_for))
        return decisions

    async def _write(self, connection: PoolConnectionProxy, decisions: Mapping[Pair, Decision]) -> None:
        if paces := [_row(pair, one.pace) for pair, one in decisions.items() if one.pace is not None]:
            await connection.execute(SQL["write_pace"], *_columns(paces, 13))
        if wants := [(*pair, one.wanted) for pair, one in decisions.items() if one.wanted is not None]:
            await connection.execute(SQL["want"], self._owner, *_columns(wants, 3))
        if dropped := [(*pair, slot) for pair, one in decisions.items() for slot in sorted(one.share.dropped)]:
            await connection.execute(SQL["drop"], self._owner, *_columns(dropped, 3))
        if taken := [(*pair, slot) for pair, one in decisions.items() for slot in sorted(one.share.taken)]:
            await connection.execute(SQL["take"], self._owner, *_columns(taken, 3))
        if buried := [(*pair, one.buried_for) for pair, one in decisions.items() if one.buried_for is not None]:
            await connection.execute(SQL["bury"], *_columns(buried, 3), UNREACHABLE)

    def _doubt(self, want: Want) -> None:
        """Note feedback that is about to be committed, until the answer is here."""
        successes, failures = self._in_doubt.get(want.pair, (0, 0))
        self._in_doubt[want.pair] = successes + want.successes, failures + want.failures

    def _without_doubtful(self, want: Want) -> Want:
        successes, failures = self._in_doubt.get(want.pair, (0, 0))
        return replace(want, successes=max(0, want.successes - successes), failures=max(0, want.failures - failures))


async def forget_dead(main: asyncpg.Pool) -> None:
    """Remove what workers left behind that were reaped an hour ago: for housekeeping, it counts for nothing."""
    await main.execute(SQL["forget_dead"])


def _seen(row: asyncpg.Record) -> Seen:
    return Seen(
        now=row["now"],
        alive=row["alive"],
        pace=_pace(row) if row["made"] else None,
        restriction=Restriction(
            connections=row["restricted_to"],
            rate=row["restricted_rate"],
            suspended_for=row["suspended_for"],
            reason=row["reason"],
        ),
        mine=frozenset(row["mine"]),
        others=frozenset(row["others"]),
        apart=row["apart"],
        peers=[Claim(*one) for one in zip(row["peers"], row["peers_want"], row["peers_have"], strict=True)],
        wanted=row["wanted"],
    )


def _pace(row: asyncpg.Record) -> Pace:
    return Pace(
        slots=row["slots"],
        rate=row["rate"],
        phase_at=row["phase_at"],
        window=Window(row["allowed"], row["credit"], row["failures"], row["dead_times"]),
        connections=row["connections"],
        limit_rate=row["limit_rate"],
        limits_at=row["limits_at"],
        urgent_at=row["urgent_at"],
    )


def _row(pair: Pair, pace: Pace) -> tuple[object, ...]:
    """Return a row in the order of the statement `write_pace`."""
    window = pace.window
    return (
        *pair,
        *(pace.slots, pace.rate, pace.phase_at),
        *(window.allowed, window.credit, window.failures, window.dead_times),
        *(pace.urgent_at, pace.connections, pace.limit_rate, pace.limits_at),
    )


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows into the arrays that a statement takes."""
    columns: list[list[object]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
