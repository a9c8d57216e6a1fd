"""The mailbox's process."""

from deploy.mailbox import server
from deploy.mailbox.config import MailboxConfig
from deploy.process import Process


async def serve(this: Process) -> None:
    """Receive until told to stop."""
    settings = this.settings
    config = MailboxConfig(
        directory=settings.data_dir / "mailbox",
        smtp_port=settings.mailbox_smtp_port,
        http_port=settings.mailbox_http_port,
        max_bytes=settings.mailbox_bytes,
    )
    await server.serve(
        config,
        this.stop,
        clock=this.clock,
        on_ready=lambda smtp, http: this.announce_ready(f"smtp://127.0.0.1:{smtp} http://127.0.0.1:{http}"),
    )
