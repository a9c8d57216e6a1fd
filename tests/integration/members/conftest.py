from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from members.accounts import open_account
from members.kek import Kek
from members.keyring import KeyRings


@pytest.fixture
def kek() -> Kek:
    return Kek(bytes(range(32)))


@pytest.fixture
def rings(vault: asyncpg.Pool, kek: Kek) -> KeyRings:
    return KeyRings(vault, kek)


@pytest.fixture
async def account(vault: asyncpg.Pool, kek: Kek, new_id: IdSource) -> UUID:
    account_id = new_id()
    await open_account(vault, kek, account_id, new_id)
    return account_id
