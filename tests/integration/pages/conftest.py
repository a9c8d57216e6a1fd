"""The members' pages on real databases, by the pages' own role, called over ASGI."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.pages.app import create_app
from api.pages.client_address import ClientAddresses
from api.pages.limits import RateLimits
from api.pages.page import Pages
from api.pages.services import Bounds, PageServices
from api.pages.stamps import Stamps
from core import ids
from core.ids import IdSource
from core.tokens import KEY_BYTES, LinkSigner
from members.accounts import open_account
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.signup import SignupDesk
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterStore
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
    return PageServices(
        clock=clock,
        new_id=new_id,
        signer=signer,
        pages=Pages(),
        branding=BrandingStore(main_pages),
        limits=RateLimits(main_pages, signer),
        stamps=Stamps(signer, clock),
        clients=ClientAddresses([ip_network("10.0.0.0/8")]),
        url="https://my.example.jp",
        bounds=Bounds(per_network=1_000, per_account=1_000),
        attributes=AttributeStore(vault_pages, new_id),
        topics=TopicStore(vault_pages, new_id),
        signups=SignupDesk(vault_pages, KeyRings(vault_pages, kek), new_id),
        letters=LetterStore(main_pages),
    )


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
