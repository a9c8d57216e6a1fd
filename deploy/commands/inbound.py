"""`todoku inbound`: bounces, complaints, unsubscribes and replies that come by mail."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.settings import load
from deploy import ports, process

inbound = typer.Typer(
    invoke_without_command=True,
    help="Take in bounces, complaints, unsubscribes and replies by SMTP; faces the internet.",
)


@inbound.callback()
def listen(context: typer.Context) -> None:
    """Take in bounces, complaints, unsubscribes and replies by SMTP; faces the internet."""
    if context.invoked_subcommand is not None:
        return

    async def serve(this: process.Process) -> None:
        from deploy.wiring import inbound as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("inbound", serve, metrics_port=lambda base: ports.metrics_port(base, "inbound"))


@inbound.command("file")
def file(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Messages, mbox files, Maildirs, directories.")],
) -> None:
    """Take in mail that arrived elsewhere; the same mail again counts nothing."""
    from deploy.commands.output import show, show_table  # noqa: PLC0415 - the command line starts without it
    from deploy.wiring import inbound as wired  # noqa: PLC0415

    tally = asyncio.run(wired.read_files(load(), paths))
    if not tally:
        show("No mail was found.")
        return
    show_table(("mails", "what they were"), [(f"{count:,}", what) for what, count in sorted(tally.items())])


@inbound.command("kept")
def kept(
    show_: Annotated[str, typer.Option("--show", metavar="MAIL", help="Write this mail to standard output.")] = "",
    remove: Annotated[str, typer.Option("--remove", metavar="MAIL", help="Remove this mail.")] = "",
) -> None:
    """List mail that nobody but a person can make sense of; it holds what strangers wrote, addresses included."""
    from deploy.commands.output import show, show_table  # noqa: PLC0415 - the command line starts without it
    from deploy.wiring.inbound import kept_mail  # noqa: PLC0415

    mails = kept_mail(load())
    if show_:
        sys.stdout.buffer.write(mails.read(show_))
        return
    if remove:
        mails.remove(remove)
        show("Removed.")
        return
    rows = [(mail.name, mail.why, f"{mail.at:%Y-%m-%d %H:%M}", f"{mail.size:,}") for mail in mails.all()]
    if rows:
        show_table(("mail", "why", "came (UTC)", "bytes"), rows)
    else:
        show("No mail waits for a person.")
