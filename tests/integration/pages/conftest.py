"""The members' pages on real databases, by the pages' own role, called over ASGI."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.pages.app import create_app
from api.pages.services import PageServices
from core import ids
from core.ids import IdSource
from core.tokens import KEY_BYTES, LinkSigner
from members.accounts import open_account
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.topics import TopicStore
from tests.integration.pages.reader import Reader
from tests.support.mails import content
from tests.support.pages import page_services
from tests.support.runs import make_run
from tests.support.signups import Desk, MovingClock


@dataclass(frozen=True)
class Account:
    """A client company; `shown` is its id as paths have it."""

    account_id: UUID
    shown: str


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def kek() -> Kek:
    return Kek(os.urandom(32))


@pytest.fixture
def signer() -> LinkSigner:
    return LinkSigner({1: os.urandom(KEY_BYTES)}, 1)


@pytest.fixture
def services(
    main_pages: asyncpg.Pool,
    vault_pages: asyncpg.Pool,
    kek: Kek,
    signer: LinkSigner,
    clock: MovingClock,
    new_id: IdSource,
) -> PageServices:
    return page_services(main_pages, vault_pages, kek, signer, clock, new_id)


@pytest.fixture
def app(services: PageServices) -> FastAPI:
    return create_app(services)


@pytest.fixture
async def account(main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, new_id: IdSource) -> Account:
    account_id = new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'Todoku Shop')", account_id)
    await open_account(vault, kek, account_id, new_id)
    return Account(account_id, ids.encode("acc", account_id))


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser, on the pages' own site."""
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="https://my.example.jp") as client:
        yield client


@pytest.fixture
async def desk(
    app: FastAPI,
    browser: httpx.AsyncClient,
    services: PageServices,
    clock: MovingClock,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    kek: Kek,
    new_id: IdSource,
    account: Account,
) -> Desk:
    """An account whose sign-up form is open."""
    desk = Desk(app, browser, services, clock, main, vault, kek, new_id, account.account_id)
    await desk.open(account.account_id)
    return desk


@pytest.fixture
def store(vault: asyncpg.Pool, kek: Kek, new_id: IdSource) -> MemberStore:
    """Members as other processes open them."""
    return MemberStore(vault, KeyRings(vault, kek), new_id)


@pytest.fixture
async def reader(
    account: Account,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    store: MemberStore,
    signer: LinkSigner,
    clock: MovingClock,
    new_id: IdSource,
) -> Reader:
    """Somebody who got a mail about a topic."""
    topic = await TopicStore(vault, new_id).create(account.account_id, "weekly", {"ja": "週刊", "en": "Weekly"})
    consent = Consent("form", clock.now() - timedelta(days=1))
    member = await store.create(account.account_id, "taro@example.jp", consent=consent, topics=[topic.topic_id])
    run = await make_run(
        main,
        new_id,
        account_id=account.account_id,
        members=[member.member_id],
        topic_id=topic.topic_id,
        body=content().to_json(),
    )
    return Reader(account.account_id, member, run.run_id, 1, topic.topic_id, signer)
