"""Accounts: the client companies of one installation, made by its operator."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, NotFound
from core.ids import IdSource
from members.accounts import open_account
from members.kek import KekProvider

SQL = sql.load(__package__ or "", "accounts.sql")

DEFAULT = "default"
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `is_new` only where it was made just now."""

    account_id: UUID
    name: str
    created_at: datetime
    is_new: bool


async def create_account(
    main: asyncpg.Pool, vault: asyncpg.Pool, kek: KekProvider, new_id: IdSource, name: str
) -> Account:
    """Make an account with its key ring and the attribute that every account has; one that is there is completed.

    The two databases share no transaction: the account comes first, and making it again makes what a crash left out.
    """
    if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise InvalidInput("An account needs a name", [Fault("/name", "invalid", f"1 to {MAX_NAME} characters")])
    (row,) = await main.fetch(SQL["create"], new_id(), name.strip())
    account = Account(**row)
    await open_account(vault, kek, account.account_id, new_id)
    return account


async def list_accounts(main: asyncpg.Pool) -> list[Account]:
    """Return all accounts, oldest first."""
    return [Account(**row) for row in await main.fetch(SQL["list"])]


async def get_account(main: asyncpg.Pool, name: str) -> Account:
    """Return the account of this name; raise NotFound."""
    row = await main.fetchrow(SQL["get"], name)
    if row is None:
        raise NotFound("There is no account of this name; `todoku accounts list` shows them")
    return Account(**row)


async def has_keys(main: asyncpg.Pool, account_id: UUID) -> bool:
    """Whether an API key was ever made for the account."""
    return bool(await main.fetchval(SQL["has_keys"], account_id))
