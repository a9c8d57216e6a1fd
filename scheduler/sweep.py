"""One pass over everything that is due, made of steps that don't depend on one another's success.

Prompt steps move runs and go with every tick of the clock. Chores may have to wait for the vault or for much work;
each has a rhythm of its own and none holds up a start. A step that fails is logged, counted, and tried again at its
next turn.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from core import logs
from core.clock import Clock
from core.database import AWAY
from core.ids import IdSource
from scheduler import chores
from scheduler.campaigns import autostop, steering
from scheduler.meters import STEP_ERRORS, STEP_SECONDS
from scheduler.starts import start_due

log = logs.get()

HOUR = 3600.0
DAY = 24 * HOUR

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Step:
    """A step and, for a chore, its rhythm in seconds."""

    name: str
    call: Call
    every: float = 0.0


class Sweep:
    """The steps, some of them handed in.

    `reap` retires dead workers, `settle_events` tells people from machines, `fold` folds tallies, `break_down` counts
    events by minute and provider, `fold_breakdowns` folds that, `fold_engagement` last opens and clicks,
    `forget_batches` drops old batch ids, `advance_feed` lets readers of raw events see further, `recount`
    counts anew at night.
    `events_keep_months` is how many whole months raw events are kept,
    `lead` is how many seconds before its start an audience is cut, `audit_days` how long the audit log is kept,
    `consent_days` how long consents of who is not mailed any more are, `unconfirmed_days` how long sign-ups that nobody
    confirmed are.
    """

    def __init__(
        self,
        main: asyncpg.Pool,
        stops: asyncpg.Pool,
        clock: Clock,
        *,
        new_id: IdSource,
        lead: float,
        audit_days: int,
        consent_days: int,
        unconfirmed_days: int,
        events_keep_months: int,
        reap: Call,
        settle_events: Call,
        fold: Call,
        break_down: Call,
        fold_breakdowns: Call,
        fold_engagement: Call,
        forget_batches: Call,
        advance_feed: Call,
        recount: Call,
    ) -> None:
        self._clock = clock
        self.start = Step("start", lambda: start_due(main))
        self.prompt = (
            Step("plan", lambda: chores.plan_audiences(main, lead)),
            self.start,
            Step("resume", lambda: steering.resume_due(main)),
            Step("stop", lambda: autostop.stop_bouncing(main, new_id)),
            Step("finish", lambda: chores.finish(main)),
            Step("settle", lambda: chores.settle(main)),
        )
        self.chores = (
            Step("reap", reap, 1.0),
            Step("release_jobs", lambda: chores.release_jobs(main), 5.0),
            Step("carry_stops", lambda: chores.carry_stops(main, stops), 0.5),
            Step("settle_events", settle_events, 1.0),
            Step("fold", fold, 1.0),
            Step("break_down", break_down, 1.0),
            Step("fold_breakdowns", fold_breakdowns, 1.0),
            Step("fold_engagement", fold_engagement, 1.0),
            Step("advance_feed", advance_feed, 1.0),
            Step("recount", recount, 600.0),
            Step("sweep_files", lambda: chores.sweep_files(stops), 600.0),
            Step("expire_consents", lambda: chores.expire_consents(stops, consent_days), DAY),
            Step("forget_unconfirmed", lambda: chores.forget_unconfirmed(stops, unconfirmed_days), HOUR),
            Step("fold_growth", lambda: chores.fold_growth(stops), 60.0),
            Step("measure", lambda: chores.measure(main), 5.0),
            Step("partitions", lambda: chores.make_partitions(main), HOUR),
            Step("drop_months", lambda: chores.drop_months(main, events_keep_months), HOUR),
            Step("forget", lambda: chores.forget(main, audit_days), HOUR),
            Step("forget_batches", forget_batches, HOUR),
        )

    async def once(self) -> None:
        """Take every step one time."""
        for step in (*self.prompt, *self.chores):
            await self.take(step)

    async def pass_prompt(self) -> None:
        """Take the prompt steps."""
        for step in self.prompt:
            await self.take(step)

    async def keep_house(self, stop: asyncio.Event) -> None:
        """Take each chore in its rhythm until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            for step in self.chores:
                group.create_task(self._repeat(step, stop), name=f"chore {step.name}")

    async def take(self, step: Step) -> bool:
        """Take one step; False if it failed."""
        began = self._clock.monotonic()
        try:
            await step.call()
        except AWAY as error:
            STEP_ERRORS.labels(step.name).inc()
            log.warning("database_away", what=step.name, error=type(error).__name__)
            return False
        except Exception:
            STEP_ERRORS.labels(step.name).inc()
            log.exception("step_failed", step=step.name)
            return False
        finally:
            STEP_SECONDS.labels(step.name).observe(self._clock.monotonic() - began)
        return True

    async def _repeat(self, step: Step, stop: asyncio.Event) -> None:
        while not stop.is_set():
            # An hourly chore that failed is not left for an hour.
            wait = step.every if await self.take(step) else min(step.every, 10.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await stop.wait()
