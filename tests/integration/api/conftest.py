"""The API on real databases, called over ASGI: no socket, all else as in production."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.idempotency import IdempotencyStore
from api.jobs import VaultJobs
from api.keys import KeyStore
from api.members.stops import StopStore
from api.pages.page import Pages
from api.scopes import SCOPES
from api.services import Services
from core.audit import AuditLog
from core.clock import Clock
from core.ids import IdSource
from core.outbox import NoticeStore
from delivery.attachments import AttachmentStore
from delivery.senders import SenderStore
from delivery.templates import TemplateStore
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.bulk import BulkStore
from members.exports.store import ExportStore
from members.groups import GroupStore
from members.growth import GrowthStore
from members.imports.store import ImportStore
from members.kek import Kek
from members.keyring import KeyRings, create_ring
from members.listing import MemberList
from members.members import MemberStore
from members.previews import PreviewStore
from members.search import MemberSearch
from members.segments import SegmentStore
from members.suppression_lists import SuppressionLists
from members.suppressions import SuppressionStore
from members.topics import TopicStore
from members.vault import Vault
from scheduler.accounts import AccountStore
from scheduler.branding import BrandingStore
from scheduler.campaigns.addressees import VaultAddressees
from scheduler.campaigns.store import CampaignStore
from scheduler.resealing import ResealJobs
from scheduler.runs import RunStore
from scheduler.webhooks.deliveries import WebhookDeliveries
from scheduler.webhooks.signing import WebhookKeys
from scheduler.webhooks.store import WebhookStore
from tracking.breakdown import BreakdownStore
from tracking.engagement import MemberEngagement
from tracking.feed import EventFeed
from tracking.mails import MailStore
from tracking.reports import ReportStore
from tracking.traits import TraitStore
from tracking.why_left import WhyLeft


@pytest.fixture
def kek() -> Kek:
    return Kek(os.urandom(32))


@pytest.fixture
def services(main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, clock: Clock, new_id: IdSource) -> Services:
    attributes = AttributeStore(vault, new_id, ResealJobs(main, new_id).due_after)
    rings = KeyRings(vault, kek)
    audiences = AudienceSource(vault, rings, MemberEngagement(main))
    return Services(
        clock=clock,
        new_id=new_id,
        import_max_bytes=8_000_000,
        pages_url="https://pages.example.jp",
        keys=KeyStore(main, new_id, os.urandom),
        idempotency=IdempotencyStore(main, kek),
        accounts=AccountStore(main, new_id),
        branding=BrandingStore(main),
        pages=Pages(),
        attributes=attributes,
        members=MemberStore(vault, rings, new_id),
        listing=MemberList(vault, rings),
        vault=Vault(vault, rings),
        search=MemberSearch(vault, rings, clock),
        stops=StopStore(main),
        groups=GroupStore(vault, new_id),
        bulk=BulkStore(vault, rings, new_id),
        exports=ExportStore(vault, rings, audiences, keep=86400),
        topics=TopicStore(vault, new_id),
        imports=ImportStore(vault, rings, new_id, max_bytes=8_000_000),
        jobs=VaultJobs(main, new_id),
        audiences=audiences,
        segments=SegmentStore(vault, rings, audiences, new_id),
        previews=PreviewStore(vault, rings, audiences),
        suppressions=SuppressionStore(vault, rings),
        suppression_lists=SuppressionLists(vault, SuppressionStore(vault, rings)),
        senders=SenderStore(main, kek, new_id),
        attachments=AttachmentStore(main, new_id),
        templates=TemplateStore(main, new_id),
        campaigns=CampaignStore(
            main, attributes=attributes, audiences=audiences, addressees=VaultAddressees(vault), new_id=new_id
        ),
        runs=RunStore(main),
        reports=ReportStore(main),
        breakdowns=BreakdownStore(main),
        traits=TraitStore(main),
        why_left=WhyLeft(main),
        growth=GrowthStore(vault),
        events=EventFeed(main),
        mails=MailStore(main),
        notices=NoticeStore(main),
        webhooks=WebhookStore(main, WebhookKeys({1: os.urandom(32)}, 1), new_id),
        webhook_deliveries=WebhookDeliveries(main),
        audit=AuditLog(main, new_id),
    )


@pytest.fixture
def app(services: Services) -> FastAPI:
    return create_app(services)


@dataclass
class Account:
    """A client company and a key of its own that may do everything."""

    account_id: UUID
    client: httpx.AsyncClient


@dataclass
class Accounts:
    """Makes accounts as `todoku init` does."""

    app: FastAPI
    services: Services
    main: asyncpg.Pool
    vault: asyncpg.Pool
    kek: Kek

    @asynccontextmanager
    async def made(self, name: str) -> AsyncIterator[Account]:
        account_id = self.services.new_id()
        await self.main.execute("INSERT INTO account (account_id, name) VALUES ($1, $2)", account_id, name)
        await create_ring(self.vault, self.kek, account_id)
        await self.services.attributes.define_built_in(account_id)
        async with self.client(account_id, *SCOPES) as client:
            yield Account(account_id, client)

    @asynccontextmanager
    async def client(self, account_id: UUID, *scopes: str) -> AsyncIterator[httpx.AsyncClient]:
        made = await self.services.keys.create(account_id, "a key", scopes)
        headers = {"Authorization": f"Bearer {made.token}"}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
            yield client


@pytest.fixture
def accounts(app: FastAPI, services: Services, main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek) -> Accounts:
    return Accounts(app, services, main, vault, kek)


@pytest.fixture
async def account(accounts: Accounts) -> AsyncIterator[Account]:
    async with accounts.made("default") as made:
        yield made


@pytest.fixture
async def stranger(accounts: Accounts) -> AsyncIterator[Account]:
    async with accounts.made("another") as made:
        yield made


@pytest.fixture
def client(account: Account) -> httpx.AsyncClient:
    return account.client


@dataclass
class Story:
    """One of each thing, made over REST: ids by the route's parameter, and where each is read."""

    ids: dict[str, str]
    paths: list[str]


@pytest.fixture
async def story(client: httpx.AsyncClient) -> Story:
    made = Story({}, [])

    async def make(parameter: str, path: str, body: dict[str, object]) -> str:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made.ids[parameter] = answer.json()["id"]
        made.paths.append(answer.headers["Location"])
        return str(answer.json()["id"])

    await make("attribute_id", "/v1/attributes", {"name": "city", "type": "text", "protection": "open"})
    group = await make("group_id", "/v1/groups", {"name": "Shop"})
    topic = await make("topic_id", "/v1/topics", {"name": "weekly"})
    await make(
        "member_id",
        "/v1/members",
        {
            "email": "taro@example.jp",
            "attributes": {"name": "太郎", "city": "tokyo"},
            "groups": [group],
            "topics": [topic],
            "consent": {"source": "form"},
        },
    )
    upload = await client.post(
        "/v1/imports",
        files={"file": ("m.csv", "email,name\r\nhanako@example.jp,花子\r\n".encode())},
        data={"consent_source": "form"},
    )
    assert upload.status_code == 202, upload.text
    made.ids["import_id"] = upload.json()["id"]
    made.paths.append(upload.headers["Location"])
    ordered = await client.post("/v1/exports", json={})
    assert ordered.status_code == 202, ordered.text
    made.ids["export_id"] = ordered.json()["id"]
    made.paths.append(ordered.headers["Location"])
    rule = {"attribute": "city", "equals": "tokyo"}
    segment = await make("segment_id", "/v1/segments", {"name": "Tokyo", "rule": rule})
    sealed = {"rule": {"attribute": "name", "is_set": True}}
    preview = await client.post("/v1/segments/preview", json=sealed)
    assert preview.status_code == 202, preview.text
    made.ids["preview_id"] = preview.json()["id"]
    made.paths.append(preview.headers["Location"])
    await make("suppression_id", "/v1/suppressions", {"email": "gone@example.jp"})
    sender = await make(
        "sender_id",
        "/v1/senders",
        {"name": "店", "address": "news@shop.example.jp", "postal_address": "東京都1-1", "contact": "03-0000-0000"},
    )
    attached = await client.post("/v1/attachments", files={"file": ("a.png", b"a picture")})
    assert attached.status_code == 201, attached.text
    made.ids["attachment_id"] = attached.json()["id"]
    made.paths.append(attached.headers["Location"])
    words = {"name": "news", "subject": "{{ name }} 様へ", "html": '<a href="https://example.com/a">a</a>'}
    template = await make("template_id", "/v1/templates", words)
    campaign = await make(
        "campaign_id",
        "/v1/campaigns",
        {"name": "Dec", "sender": sender, "template": template, "audience": {"segments": [segment]}},
    )
    await make("webhook_id", "/v1/webhooks", {"url": "https://hooks.example.jp/todoku", "events": ["run.finished"]})
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    scheduled = await client.post(f"/v1/campaigns/{campaign}/schedule", json={"at": at})
    assert scheduled.status_code == 200, scheduled.text
    made.ids["run_id"] = scheduled.json()["run"]
    made.paths += [f"/v1/runs/{made.ids['run_id']}", f"/v1/reports/campaigns/{campaign}"]
    return made
