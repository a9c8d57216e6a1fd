"""`todoku mailbox`: the embedded receiver and its page."""

from deploy import ports, process


def mailbox() -> None:
    """Receive mail on loopback and show it on a page: the only way out until a relay is named."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import mailbox as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("mailbox", serve, metrics_port=lambda base: ports.metrics_port(base, "mailbox"))
