"""`todoku accounts`: the client companies of this installation."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.settings import load

if TYPE_CHECKING:
    from deploy.accounts import Account
    from scheduler.accounts import Account as Shown

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

    rows = [(account.name, f"{account.created_at:%Y-%m-%d %H:%M}", _limit(account)) for account in asyncio.run(_list())]
    show_table(("account", "made (UTC)", "campaigns stop by themselves"), rows)


@accounts.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    auto_stop: Annotated[
        bool | None, typer.Option("--auto-stop/--no-auto-stop", help="Whether its campaigns stop by themselves.")
    ] = None,
    auto_stop_share: Annotated[
        float | None, typer.Option(help="The share of results, up to 1, past which hard bounces stop a campaign.")
    ] = None,
    auto_stop_after: Annotated[int | None, typer.Option(help="Nothing is judged by fewer results than these.")] = None,
    auto_stop_complaints: Annotated[
        float | None, typer.Option(help="The share of accepted mails, up to 1, past which complaints stop a campaign.")
    ] = None,
    soft_bounces: Annotated[
        int | None, typer.Option(help="After how many soft bounces a member is stopped; 0: never.")
    ] = None,
    soft_bounce_days: Annotated[int | None, typer.Option(help="Within how many days.")] = None,
) -> None:
    """Change when an account's campaigns stop by themselves, and its members after bounces; what is not said stays."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    said = {
        "auto_stop": auto_stop,
        "auto_stop_share": auto_stop_share,
        "auto_stop_after": auto_stop_after,
        "auto_stop_complaints": auto_stop_complaints,
        "soft_bounces": soft_bounces,
        "soft_bounce_days": soft_bounce_days,
    }
    changed = asyncio.run(_set(name, {key: value for key, value in said.items() if value is not None}))
    show(f"{changed.name}: campaigns stop by themselves {_limit(changed)}.")


async def _create(name: str) -> "Account":
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import create_account  # noqa: PLC0415
    from deploy.kek import open_kek  # noqa: PLC0415

    settings = load()
    kek = await open_kek(settings)
    async with (
        databases.reached(settings, "main", process="accounts") as main,
        databases.reached(settings, "members", process="accounts") as members,
    ):
        return await create_account(main, members, kek, IdSource(SystemClock()), name)


async def _list() -> "list[Shown]":
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import list_accounts  # noqa: PLC0415
    from scheduler.accounts import AccountStore  # noqa: PLC0415

    async with databases.reached(load(), "main", process="accounts") as main:
        store = AccountStore(main, IdSource(SystemClock()))
        return [await store.get(account.account_id) for account in await list_accounts(main)]


async def _set(name: str, said: "dict[str, Any]") -> "Shown":
    from dataclasses import replace  # noqa: PLC0415 - the command line starts without them

    from core.audit import OPERATOR  # noqa: PLC0415
    from core.clock import SystemClock  # noqa: PLC0415
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import get_account  # noqa: PLC0415
    from scheduler.accounts import AccountStore  # noqa: PLC0415

    async with databases.reached(load(), "main", process="accounts") as main:
        store = AccountStore(main, IdSource(SystemClock()))
        present = await store.get((await get_account(main, name)).account_id)
        fields = replace(present.fields, **said)
        return await store.change(present.account_id, fields, revision=present.revision, by=OPERATOR)


def _limit(account: "Shown") -> str:
    fields = account.fields
    if not fields.auto_stop:
        return "never"
    bounces, complaints = fields.auto_stop_share * 100, fields.auto_stop_complaints * 100
    limits = f"{bounces:g} % of hard bounces or {complaints:g} % of complaints"
    return f"past {limits}, after {fields.auto_stop_after:,} results"
