"""`todoku api-keys`: what opens the REST API, shown once and stored as a digest."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from uuid import UUID

    from api.keys import ApiKey, KeyStore, NewKey

api_keys = typer.Typer(no_args_is_help=True, help="Keys to the REST API.")

AccountName = Annotated[str, typer.Option("--account", help="The account that the key is for.")]


@api_keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, to tell it from others.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; repeat for more. Without any: everything.")
    ] = None,
    account: AccountName = "default",
) -> None:
    """Make a key and show it, once. Standard output has the key alone."""
    from deploy.commands.output import note  # noqa: PLC0415 - the command line starts without it

    made = asyncio.run(_create(account, name, scope))
    note("Keep this key: it is shown only now.")
    typer.echo(made.token)


@api_keys.command("list")
def list_(account: AccountName = "default") -> None:
    """Show the account's keys, never the keys themselves."""
    from core import ids  # noqa: PLC0415 - the command line starts without them
    from deploy.commands.output import show_table  # noqa: PLC0415

    rows = [
        (
            ids.encode("key", key.api_key_id),
            key.name,
            "all" if _has_all(key) else " ".join(key.scopes),
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "live",
        )
        for key in asyncio.run(_list(account))
    ]
    show_table(("id", "name", "scopes", "last used (UTC)", "state"), rows)


@api_keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `todoku api-keys list` shows it.")],
    account: AccountName = "default",
) -> None:
    """End a key at once."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    revoked = asyncio.run(_revoke(account, key_id))
    show(f"The key {revoked.name} opens nothing any more.")


async def _create(account: str, name: str, scopes: list[str] | None) -> "NewKey":
    from api.scopes import SCOPES  # noqa: PLC0415 - the command line starts without it

    async with _keys(account) as (keys, account_id):
        return await keys.create(account_id, name, scopes or list(SCOPES))


async def _list(account: str) -> "list[ApiKey]":
    async with _keys(account) as (keys, account_id):
        return await keys.list(account_id)


async def _revoke(account: str, key_id: str) -> "ApiKey":
    from core import ids  # noqa: PLC0415 - the command line starts without it

    async with _keys(account) as (keys, account_id):
        return await keys.revoke(account_id, ids.decode("key", key_id))


@asynccontextmanager
async def _keys(account: str) -> "AsyncIterator[tuple[KeyStore, UUID]]":
    from api.keys import KeyStore  # noqa: PLC0415 - the command line starts without them
    from core.clock import SystemClock  # noqa: PLC0415
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import get_account  # noqa: PLC0415

    async with databases.reached(load(), "main", process="api-keys") as main:
        found = await get_account(main, account)
        yield KeyStore(main, IdSource(SystemClock()), os.urandom), found.account_id


def _has_all(key: "ApiKey") -> bool:
    from api.scopes import SCOPES  # noqa: PLC0415 - the command line starts without it

    return set(key.scopes) == set(SCOPES)
