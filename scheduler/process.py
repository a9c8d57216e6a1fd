"""The scheduler process: any number may run, none is special, and the database may come and go."""

import asyncio
from collections.abc import Callable
from functools import partial

import asyncpg

from core.clock import Clock
from core.ids import IdSource
from core.settings import Settings
from delivery import recovery
from scheduler.clock import Tick, Ticks
from scheduler.recount import Recount
from scheduler.starts import soon_due
from scheduler.sweep import Step, Sweep
from scheduler.webhooks.sending import WebhookSender
from scheduler.webhooks.signing import WebhookKeys
from tracking import breakdown, engagement, feed, tallies
from tracking.machines import rules, settlement

HORIZON_SECONDS = 1.0


async def run(
    *,
    settings: Settings,
    main: asyncpg.Pool,
    stops_pool: asyncpg.Pool,
    webhook_keys: WebhookKeys,
    clock: Clock,
    jitter: Callable[[], float],
    stop: asyncio.Event,
) -> None:
    """Sweep, and post to webhooks, until `stop` is set. A step that is at work then is undone by its transaction.

    `main` is a pool of the application's role with at least 4 connections, `stops_pool` one of the role that may only
    carry stops into the vault.
    """
    new_id = IdSource(clock)
    sweep = Sweep(
        main,
        stops_pool,
        clock,
        new_id=new_id,
        lead=settings.audience_lead,
        audit_days=settings.audit_days,
        consent_days=settings.consent_days,
        unconfirmed_days=settings.unconfirmed_days,
        events_keep_months=settings.events_keep_months,
        reap=partial(recovery.reap, main, settings.final_dot_timeout),
        settle_events=partial(settlement.settle, main, rules.load(), settings.settle_after),
        fold=partial(tallies.fold, main),
        break_down=partial(breakdown.break_down, main),
        fold_breakdowns=partial(breakdown.fold, main),
        fold_engagement=partial(engagement.fold, main),
        forget_batches=partial(tallies.forget_batches, main),
        advance_feed=partial(feed.advance, main),
        recount=Recount(main, clock, new_id, hour=settings.recount_hour, days=settings.recount_days).if_due,
    )
    sender = WebhookSender(main, webhook_keys, clock, jitter=jitter, loopback=settings.webhook_loopback)
    async with Ticks(clock) as ticks:
        work = [
            asyncio.create_task(_follow(ticks, sweep, main), name="sweep"),
            asyncio.create_task(sweep.keep_house(stop), name="chores"),
            asyncio.create_task(sender.run(), name="webhooks"),
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*work, stopping):
                task.cancel()
            await asyncio.gather(*work, stopping, return_exceptions=True)


async def _follow(ticks: Ticks, sweep: Sweep, main: asyncpg.Pool) -> None:
    async def look_ahead() -> None:
        ticks.expect(await soon_due(main, HORIZON_SECONDS))

    ahead = Step("look_ahead", look_ahead)
    while True:
        if await ticks.wait() is Tick.START:
            await sweep.take(sweep.start)
        else:
            await sweep.pass_prompt()
            await sweep.take(ahead)
