from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from members.accounts import open_account
from members.attribute import Choice
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.resealing import run
from tests.support.imports import Imports
from tests.support.resealing import House


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


@pytest.fixture
def members(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


@pytest.fixture
def consent(clock: Clock) -> Consent:
    return Consent("form", clock.now())


@pytest.fixture
async def imports(vault: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock) -> Imports:
    attributes = AttributeStore(vault, new_id)
    prefectures = [Choice("tokyo", {"ja": "東京都"}), Choice("osaka", {"ja": "大阪府"})]
    await attributes.define(account, "city", "choice", protection="open", choices=prefectures)
    await attributes.define(account, "age", "number", protection="open")
    await attributes.define(account, "plan", "text", protection="matchable")
    return Imports(vault, rings, account, new_id, clock)


@pytest.fixture
async def house(vault: asyncpg.Pool, kek: Kek, rings: KeyRings, account: UUID, new_id: IdSource) -> House:
    made = House(vault, kek, rings, account, new_id)
    await made.attributes.define(account, "plan", "text", protection="matchable")
    return made


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH", 3)
