"""The scheduler's process."""

from deploy import databases, keys
from deploy.process import Process
from scheduler import process


async def serve(this: Process) -> None:
    """Sweep until told to stop."""
    webhook_keys = keys.load_webhook_keys(this.settings.webhook_key_path)
    async with (
        databases.pool(this.settings, "main", process="scheduler", size=6) as main,
        databases.pool(this.settings, "members_stops", process="scheduler", size=1) as stops,
    ):
        this.announce_ready()
        await process.run(
            settings=this.settings,
            main=main,
            stops_pool=stops,
            webhook_keys=webhook_keys,
            clock=this.clock,
            jitter=this.jitter,
            stop=this.stop,
        )
