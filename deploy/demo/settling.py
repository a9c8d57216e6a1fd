"""Waits until the reports have told people from machines, and shows how far they are."""

import asyncio
import math

from core.clock import Clock
from deploy.demo import marketer
from deploy.demo.rest import Api
from deploy.demo.sending import PATIENCE, NoProgress
from deploy.demo.view import Bar, View

_POLL = 0.3


async def wait_until_settled(api: Api, campaign_id: str, *, view: View, clock: Clock) -> None:
    """Return once all that has happened until now is settled; raise NoProgress if that takes too long."""
    asked, began = clock.now(), clock.monotonic()
    first = await marketer.settled_until(api, campaign_id)
    total = math.ceil((asked - first).total_seconds())
    while (until := await marketer.settled_until(api, campaign_id)) < asked:
        done = max(0, total - math.ceil((asked - until).total_seconds()))
        view.progress([Bar("seconds of events told apart", done, total, "by what was done around each")])
        if clock.monotonic() - began > PATIENCE:
            raise NoProgress(f"Events are settled until {until:%H:%M:%S} UTC alone")
        await asyncio.sleep(_POLL)
