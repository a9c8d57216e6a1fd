"""`todoku accounts`: the client companies of this installation."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from deploy.accounts import Account

accounts = typer.Typer(no_args_is_help=True, help="The client companies of this installation.")


@accounts.command("create")
def create(name: Annotated[str, typer.Argument(help="What the account is called; unique.")]) -> None:
    """Make an account, with its keys; one of this name that is there stays as it is."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    made = asyncio.run(_create(name))
    show(f"The account {made.name} {'was made' if made.is_new else 'is there already'}.")


@accounts.command("list")
def list_() -> None:
    """Show all accounts."""
    from deploy.commands.output import show_table  # noqa: PLC0415 - the command line starts without it

    rows = [(account.name, f"{account.created_at:%Y-%m-%d %H:%M}") for account in asyncio.run(_list())]
    show_table(("account", "made (UTC)"), rows)


async def _create(name: str) -> "Account":
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import create_account  # noqa: PLC0415
    from members.kek import Kek  # noqa: PLC0415

    settings = load()
    kek = Kek.load(settings.kek_path)
    async with (
        databases.reached(settings, "main", process="accounts") as main,
        databases.reached(settings, "members", process="accounts") as members,
    ):
        return await create_account(main, members, kek, IdSource(SystemClock()), name)


async def _list() -> "list[Account]":
    from deploy import databases  # noqa: PLC0415 - the command line starts without them
    from deploy.accounts import list_accounts  # noqa: PLC0415

    async with databases.reached(load(), "main", process="accounts") as main:
        return await list_accounts(main)
