"""The tracker's process."""

from deploy import databases, keys
from deploy.process import Process
from tracking import process


async def serve(this: Process) -> None:
    """Serve until told to stop."""
    settings = this.settings
    signer = keys.load_signer(settings.link_key_path)
    async with databases.pool(settings, "main_tracker", process="tracker", size=4, plan_once=True) as main:
        await process.run(
            main,
            signer,
            spool=settings.spool_dir,
            spool_bytes=settings.spool_bytes,
            hosts=settings.tracker_hosts,
            pages_url=settings.public_pages_url,
            host=settings.tracker_host,
            port=settings.tracker_port,
            shared=settings.trackers > 1,
            stop=this.stop,
            clock=this.clock,
            new_id=this.new_id,
            on_ready=lambda port: this.announce_ready(f"http://{settings.tracker_host}:{port}"),
        )
