"""The process that takes in mail, and the same without its listener, for mail out of files."""

from collections.abc import Sequence
from pathlib import Path

from core.clock import Clock
from core.settings import Settings
from delivery import recovery
from delivery.shaping import load as load_shaping
from delivery.smtp.peer import Timeouts
from delivery.ways_out import router_of, single_sender
from deploy import databases, keys
from deploy.process import Process
from tracking.inbound import process
from tracking.inbound.connection import Bounds, Listener
from tracking.inbound.files import Tally, take_files
from tracking.inbound.forwarding import Forwarding
from tracking.inbound.kept import Kept
from tracking.inbound.reception import Reception
from tracking.inbound.records import Records


async def serve(this: Process) -> None:
    """Take mail in until told to stop."""
    settings = this.settings
    signer = keys.load_signer(settings.link_key_path)
    kept = kept_mail(settings)
    tls = process.tls_context(settings.inbound_certificate, settings.inbound_certificate_key)
    async with databases.pool(settings, "main_inbound", process="inbound", size=4) as main:
        reception = Reception(Records(main), signer, kept, _forwarding(settings, this.clock), settings.operator_address)
        listener = Listener(
            reception,
            signer,
            this.clock,
            domain=settings.return_path_domain,
            name=settings.ehlo_name,
            bounds=Bounds(message_bytes=settings.inbound_message_bytes),
            tls=tls,
        )
        await process.serve(
            listener,
            host=settings.inbound_host,
            port=settings.inbound_port,
            stop=this.stop,
            on_ready=lambda port: this.announce_ready(f"smtp://{settings.inbound_host}:{port}"),
        )


async def read_files(settings: Settings, paths: Sequence[Path]) -> Tally:
    """Take in what files hold; nothing of it is sent on. Raises TodokuError."""
    signer = keys.load_signer(settings.link_key_path)
    async with databases.reached(settings, "main_inbound", process="inbound file") as main:
        reception = Reception(Records(main), signer, kept_mail(settings), None, "")
        return await take_files(reception, signer, paths, most=settings.inbound_message_bytes)


def kept_mail(settings: Settings) -> Kept:
    """Return where mail is kept that a person is to look at."""
    return Kept(settings.kept_dir, most=settings.inbound_kept_bytes)


def _forwarding(settings: Settings, clock: Clock) -> Forwarding:
    timeouts = Timeouts(body=recovery.BODY_SECONDS, final=settings.final_dot_timeout)
    router = router_of(settings, load_shaping(settings.shaping_file), clock) if settings.direct else None
    sender = single_sender(settings, router, timeouts=timeouts)
    return Forwarding(sender, clock, domain=settings.return_path_domain, name=settings.ehlo_name)
