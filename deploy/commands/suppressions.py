"""`todoku suppressions`: addresses that get no mail from any account of this installation.

Addresses are read from standard input, one a line: a command line stands in the shell's history and in `ps`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from members.global_suppressions import GlobalSuppressions, Reason

MOST_LINES = 100_000
LONGEST_LINE = 320

suppressions = typer.Typer(no_args_is_help=True, help="Addresses that no account of this installation may mail.")


@suppressions.command("add")
def add(
    reason: Annotated[str, typer.Option(help="manual, unsubscribed, bounced or complained.")] = "manual",
) -> None:
    """Suppress the addresses on standard input, one a line, in every account, those made later too."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    addresses = _addresses()
    stopped = asyncio.run(_add(addresses, _reason(reason)))
    show(f"{len(addresses):,} addresses are suppressed; {stopped:,} members have one of them.")


@suppressions.command("remove")
def remove() -> None:
    """Lift the addresses on standard input. What an account suppresses by itself stays."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    addresses = _addresses()
    show(f"{asyncio.run(_remove(addresses)):,} of {len(addresses):,} addresses were suppressed, and are not any more.")


@suppressions.command("list")
def list_() -> None:
    """Show how many addresses are suppressed, by reason. Which, nobody can tell: they are kept as keyed hashes."""
    from deploy.commands.output import show_table  # noqa: PLC0415 - the command line starts without it

    show_table(("reason", "addresses"), [(name, f"{total:,}") for name, total in asyncio.run(_counts()).items()])


async def _add(addresses: Sequence[str], reason: "Reason") -> int:
    from api.members.stops import StopStore  # noqa: PLC0415 - the command line starts without them
    from deploy import databases  # noqa: PLC0415

    stopped = 0
    async with databases.reached(load(), "main", process="suppressions") as main, _list() as everywhere:
        async for account_id, members in everywhere.add(addresses, reason):
            await StopStore(main).stop(account_id, members, reason)
            stopped += len(members)
    return stopped


async def _remove(addresses: Sequence[str]) -> int:
    async with _list() as everywhere:
        return await everywhere.remove(addresses)


async def _counts() -> dict[str, int]:
    async with _list() as everywhere:
        return await everywhere.counts()


@asynccontextmanager
async def _list() -> "AsyncIterator[GlobalSuppressions]":
    from deploy import databases  # noqa: PLC0415 - the command line starts without them
    from deploy.kek import open_kek  # noqa: PLC0415
    from members.global_suppressions import GlobalSuppressions  # noqa: PLC0415
    from members.keyring import KeyRings  # noqa: PLC0415

    settings = load()
    kek = await open_kek(settings)
    async with databases.reached(settings, "members", process="suppressions") as vault:
        yield GlobalSuppressions(vault, KeyRings(vault, kek))


def _addresses() -> list[str]:
    """Return the lines of standard input that are not empty; InvalidInput if they are too many or too long."""
    from core.errors import Fault, TooLarge  # noqa: PLC0415 - as above

    lines: list[str] = []
    while line := sys.stdin.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE or len(lines) >= MOST_LINES:
            fault = Fault(f"/{len(lines)}", "too-large", f"At most {MOST_LINES:,} lines of {LONGEST_LINE} characters")
            raise TooLarge("The list is too long", [fault])
        if line.strip():
            lines.append(line.strip())
    return lines


def _reason(text: str) -> "Reason":
    from members.global_suppressions import REASONS  # noqa: PLC0415 - as above

    if text not in REASONS:
        raise typer.BadParameter(f"One of: {', '.join(REASONS)}")
    return text
