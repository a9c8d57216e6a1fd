"""An account whose sign-up form is open, a browser before it, and the rounds that a worker does behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI

from api.pages.services import PageServices
from core import ids
from core.ids import IdSource
from core.tokens import SLOT_LETTER
from members.accounts import open_account
from members.addresses import parse
from members.attribute import Choice
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from members.reach import MemberReach
from members.signup import SignupAnswers, SignupTaking
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterDispatch
from scheduler.signups import Signups


class MovingClock:
    """The machine's clock, moved on by hand: nobody waits for a form's least time."""

    def __init__(self) -> None:
        self._shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift

    def monotonic(self) -> float:
        return self.now().timestamp()

    def move(self, seconds: float) -> None:
        self._shift += timedelta(seconds=seconds)


@dataclass
class Desk:
    """What a test of sign-ups needs."""

    app: FastAPI
    browser: httpx.AsyncClient
    services: PageServices
    clock: MovingClock
    main: asyncpg.Pool
    vault: asyncpg.Pool
    kek: Kek
    new_id: IdSource
    account_id: UUID

    def __post_init__(self) -> None:
        self.rings = KeyRings(self.vault, self.kek)
        self.members = MemberStore(self.vault, self.rings, self.new_id)
        self.attributes = AttributeStore(self.vault, self.new_id)
        self.signups = Signups(
            self.main,
            self.vault,
            SignupTaking(self.vault, self.rings, self.new_id),
            SignupAnswers(self.vault, self.rings, self.members),
            valid=timedelta(hours=48),
        )
        self.dispatch = LetterDispatch(
            self.main, MemberReach(self.vault), new_id=self.new_id, pages_url="https://my.example.jp"
        )

    @property
    def shown(self) -> str:
        return ids.encode("acc", self.account_id)

    @property
    def path(self) -> str:
        return f"/f/{self.shown}"

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    def bound(self, **bounds: int) -> None:
        self.services = self.app.state.services = replace(self.services, bounds=replace(self.services.bounds, **bounds))

    def choices(self, *values: str) -> tuple[Choice, ...]:
        return tuple(Choice(value, {}) for value in values)

    async def suppress(self, address: str) -> None:
        """Have somebody at an address have complained."""
        ring = await self.rings.ring(self.account_id)
        await self.vault.execute(
            "INSERT INTO suppression (account_id, hash, reason, occurred_at) VALUES ($1, $2, 'complained', app.now())",
            self.account_id,
            ring.hashes(parse(address).key).suppression,
        )

    async def topic(self, name: str) -> UUID:
        return (await TopicStore(self.vault, self.new_id).create(self.account_id, name)).topic_id

    async def open(self, account_id: UUID) -> None:
        """Give an account a sender and open its form."""
        sender = self.new_id()
        await self.main.execute(
            "INSERT INTO sender (sender_id, account_id, name, address, postal_address, contact, domain)"
            " VALUES ($1, $2, 'News', 'news@example.jp', 'Tokyo', 'desk@example.jp', 'example.jp')",
            sender,
            account_id,
        )
        store = BrandingStore(self.main)
        present = await store.get(account_id)
        fields = replace(present.fields, sender_id=sender, signup_open=True)
        await store.change(account_id, fields, revision=present.revision)

    async def another_account(self) -> str:
        """The path of another account's open form."""
        account_id = self.new_id()
        await self.main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'Another')", account_id)
        await open_account(self.vault, self.kek, account_id, self.new_id)
        await self.open(account_id)
        return f"/f/{ids.encode('acc', account_id)}"

    async def send(
        self,
        address: str,
        *,
        after: float = 5,
        stamp: str | None = None,
        consent: str | None = "on",
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """Send the form as a browser does, `after` seconds of filling it in."""
        stamp = self.services.stamps.make(self.path) if stamp is None else stamp
        self.wait(after)
        data = {"email": address, "stamp": stamp, "website": "", **fields}
        if consent is not None:
            data["consent"] = consent
        given = {"Accept-Language": "en", **(headers or {})}
        return await self.browser.post(f"{self.path}?lang=en", data=data, headers=given)

    async def rounds(self) -> None:
        """Do what a worker does, until there is nothing left to do."""
        while await self.signups.take() + await self.signups.carry() + await self.dispatch.once():
            pass

    async def waiting(self) -> int:
        """How many forms are in hand and not over."""
        count: int = await self.vault.fetchval("SELECT count(*) FROM signup_request WHERE state <> 'ended'")
        return count

    async def letters(self) -> list[str]:
        """The kinds of the letters that were sent."""
        rows = await self.main.fetch("SELECT kind FROM letter WHERE run_id IS NOT NULL ORDER BY asked_at, letter_id")
        return [row["kind"] for row in rows]

    async def link(self, kind: str) -> str:
        """The path of the newest letter's link."""
        row = await self.main.fetchrow(
            "SELECT run_id, seq FROM letter WHERE kind = $1 AND run_id IS NOT NULL"
            " ORDER BY asked_at DESC, letter_id DESC LIMIT 1",
            kind,
        )
        assert row is not None, "no such letter was sent"
        [token] = self.services.signer.mint(row["run_id"], row["seq"], [SLOT_LETTER])
        return f"/l/{token}"

    async def press(self, link: str, action: str) -> httpx.Response:
        """Press a button of a letter's page."""
        data = {"action": action, "stamp": self.services.stamps.make(link)}
        return await self.browser.post(link, data=data, headers={"Accept-Language": "en"})
