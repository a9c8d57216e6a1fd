"""Webhooks from the notice to the receiver: real posts over loopback, on real tables."""

import asyncio
import hmac
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from core import ids
from core.clock import Clock
from core.errors import Conflict, NotFound
from scheduler import chores
from scheduler.campaigns.states import State
from scheduler.webhooks import backoff, sending
from scheduler.webhooks.deliveries import WebhookDeliveries
from scheduler.webhooks.destination import Address
from scheduler.webhooks.sending import WebhookSender
from scheduler.webhooks.signing import WebhookKeys
from scheduler.webhooks.store import MOST, Webhook, WebhookFields, WebhookStore
from tests.support.campaigns import Stage
from tests.support.postgres import shift_clock
from tests.support.scripted_smtp import make_certificate
from tests.support.webhook_receiver import Posted, Receiver, receiving

EVENTS = ("run.started", "run.paused", "run.resumed", "run.cancelled", "run.finished")
KEYS = WebhookKeys({1: bytes(range(32))}, 1)


@dataclass
class Hooked:
    """An account with one webhook that leads to a receiver, and what posts to it."""

    stage: Stage
    receiver: Receiver
    store: WebhookStore
    sender: WebhookSender
    deliveries: WebhookDeliveries
    webhook: Webhook
    secret: str

    async def run(self, *states: State) -> UUID:
        """A run that goes through these states."""
        campaign = await self.stage.scheduled(seconds=600)
        assert campaign.run_id is not None
        for state in states:
            await self.stage.main.execute("UPDATE run SET state = $2 WHERE run_id = $1", campaign.run_id, state.value)
        return campaign.run_id

    async def post(self) -> None:
        """Post what is due, until nothing is."""
        while await self.sender.begin_due():
            await self.sender.settle()

    async def states(self) -> list[tuple[str, int, int | None, str | None]]:
        found = await self.deliveries.list(self.stage.account_id, self.webhook.webhook_id)
        return [(one.state, one.attempts, one.status, one.fault) for one in reversed(found)]


def signed(secret: str, posted: Posted) -> list[bool]:
    """Whether each signature of a post is the one that `secret` makes."""
    key = b64decode(secret.removeprefix("whsec_"))
    about = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}.".encode()
    right = "v1," + b64encode(hmac.new(key, about + posted.body, sha256).digest()).decode()
    return [one == right for one in posted.headers["webhook-signature"].split(" ")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def hooked(stage: Stage, receiver: Receiver, clock: Clock) -> Hooked:
    store = WebhookStore(stage.main, KEYS, stage.new_id, loopback=True)
    fields = WebhookFields(f"http://127.0.0.1:{receiver.port}/hook?of=todoku", EVENTS)
    webhook, secret = await store.create(stage.account_id, fields)
    sender = WebhookSender(stage.main, KEYS, clock, jitter=lambda: 0.0, loopback=True)
    return Hooked(stage, receiver, store, sender, WebhookDeliveries(stage.main), webhook, secret)


async def test_each_step_of_a_run_is_posted_once_signed_and_with_nothing_but_ids(hooked: Hooked) -> None:
    run_id = await hooked.run(State.RUNNING, State.PAUSING, State.PAUSED, State.RUNNING, State.FINISHED)
    await hooked.post()
    posts = hooked.receiver.posts
    told = sorted((orjson.loads(posted.body) for posted in posts), key=lambda one: one["timestamp"])
    assert [one["type"] for one in told] == ["run.started", "run.paused", "run.resumed", "run.finished"]
    assert all(one["data"] == {"subject": ids.encode("run", run_id)} for one in told)
    assert {posted.line for posted in posts} == {"POST /hook?of=todoku HTTP/1.1"}
    assert all(signed(hooked.secret, posted) == [True] for posted in posts)
    assert len({posted.headers["webhook-id"] for posted in posts}) == 4
    assert await hooked.states() == [("sent", 1, 204, None)] * 4
    assert await hooked.sender.begin_due() == 0


async def test_what_is_rolled_back_is_posted_to_nobody_and_what_no_webhook_asks_for_is_not_told(
    hooked: Hooked, stage: Stage
) -> None:
    campaign = await stage.scheduled(seconds=600)
    async with stage.main.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE run SET state = 'running' WHERE run_id = $1", campaign.run_id)
        await transaction.rollback()
    await stage.main.execute("UPDATE webhook SET events = '{member.erased}'")
    await hooked.run(State.RUNNING)
    await hooked.post()
    assert hooked.receiver.posts == []
    assert await stage.main.fetchval("SELECT count(*) FROM outbox") == 0


async def test_members_who_leave_are_told_by_id_once_they_are_carried(
    hooked: Hooked, stage: Stage, stops: asyncpg.Pool
) -> None:
    members = await stage.members(3)
    await stage.main.execute("UPDATE webhook SET events = '{member.unsubscribed,member.suppressed}'")
    for member_id, reason in zip(members, ("unsubscribed", "manual", "bounced"), strict=True):
        await stage.main.execute(
            "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, $3, app.now())",
            *(stage.account_id, member_id, reason),
        )
    await chores.carry_stops(stage.main, stops)
    await hooked.post()
    told = {(one["type"], one["data"]["subject"]) for one in (orjson.loads(p.body) for p in hooked.receiver.posts)}
    shown = [ids.encode("mem", member_id) for member_id in members]
    assert told == {("member.unsubscribed", shown[0]), ("member.suppressed", shown[1])}


ANSWERS: tuple[tuple[bytes, int | None, str | None], ...] = (
    (b"HTTP/1.1 500 Oops\r\n\r\n", 500, "refused"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 302, "refused"),
    (b"220 mail.example.jp ESMTP\r\n", None, "not_http"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, None, "not_http"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200, None),
)


async def test_only_a_2xx_is_taken_for_a_yes(hooked: Hooked) -> None:
    expected = []
    for answer, status, fault in ANSWERS:
        hooked.receiver.answers = [answer]
        await hooked.run(State.RUNNING)
        await hooked.post()
        expected.append(("waiting" if fault else "sent", 1, status, fault))
    assert await hooked.states() == expected
    assert len(hooked.receiver.posts) == len(ANSWERS)


async def test_a_receiver_that_says_nothing_costs_one_attempt_and_others_nothing(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "POST_SECONDS", 0.3)
    hooked.receiver.answers = [b""]
    async with receiving() as quick:
        fields = WebhookFields(f"http://127.0.0.1:{quick.port}/", EVENTS)
        await hooked.store.create(hooked.stage.account_id, fields)
        for _ in range(sending.AT_ONCE_EACH + 2):
            await hooked.run(State.RUNNING)
        await hooked.post()
        assert len(quick.posts) == sending.AT_ONCE_EACH + 2
    assert await hooked.states() == [("waiting", 1, None, "timeout")] * (sending.AT_ONCE_EACH + 2)


async def test_it_is_tried_again_under_the_same_id_until_it_is_given_up_and_can_then_be_replayed(
    hooked: Hooked, main_owner: asyncpg.Pool
) -> None:
    hooked.receiver.answers = [b"HTTP/1.1 503 Later\r\n\r\n"]
    await hooked.run(State.RUNNING)
    shift = 0.0
    for delay in (*backoff.DELAYS, 0.0):
        await hooked.post()
        shift += delay + 1
        await shift_clock(main_owner, shift)
    assert await hooked.states() == [("dead", backoff.MOST_ATTEMPTS, 503, "refused")]
    assert len({posted.headers["webhook-id"] for posted in hooked.receiver.posts}) == 1
    assert len(hooked.receiver.posts) == backoff.MOST_ATTEMPTS

    hooked.receiver.answers = [b"HTTP/1.1 200 OK\r\n\r\n"]
    webhook_id = hooked.webhook.webhook_id
    assert await hooked.deliveries.replay(webhook_id, since=await hooked.stage.now()) == 0
    assert await hooked.deliveries.replay(webhook_id) == 1
    await hooked.post()
    assert await hooked.states() == [("sent", 1, 200, None)]
    assert await hooked.deliveries.replay(webhook_id) == 0
    [taken] = await hooked.deliveries.list(hooked.stage.account_id, webhook_id, state="sent")
    assert await hooked.deliveries.replay(webhook_id, notices=[taken.event_id]) == 1


async def test_one_who_died_between_the_post_and_its_record_has_it_posted_again(
    hooked: Hooked, main_owner: asyncpg.Pool
) -> None:
    await hooked.run(State.RUNNING)
    [lost] = await hooked.deliveries.claim([], each=4, most=32)
    await hooked.post()
    assert hooked.receiver.posts == []
    await shift_clock(main_owner, 61)
    await hooked.post()
    assert await hooked.states() == [("sent", 2, 204, None)]
    # What the dead one would still say is not its business any more.
    assert not await hooked.deliveries.failed(lost, status=None, fault="timeout", delay=None)
    assert await hooked.states() == [("sent", 2, 204, None)]


async def test_a_receiver_that_is_gone_is_posted_to_no_more_until_a_person_turns_it_on(hooked: Hooked) -> None:
    hooked.receiver.answers = [b"HTTP/1.1 410 Gone\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    await hooked.run(State.RUNNING)
    await hooked.post()
    await hooked.run(State.RUNNING)
    await hooked.post()
    assert [state[:2] for state in await hooked.states()] == [("dead", 1), ("waiting", 0)]
    found = await hooked.store.get(hooked.stage.account_id, hooked.webhook.webhook_id)
    assert (found.fields.enabled, "410" in str(found.reason)) == (False, True)
    await hooked.store.change(hooked.stage.account_id, found.webhook_id, found.revision, hooked.webhook.fields)
    await hooked.post()
    assert [state[:2] for state in await hooked.states()] == [("dead", 1), ("sent", 1)]


async def test_both_secrets_sign_for_a_day_after_a_change(hooked: Hooked, main_owner: asyncpg.Pool) -> None:
    account_id, webhook_id = hooked.stage.account_id, hooked.webhook.webhook_id
    _, fresh = await hooked.store.rotate(account_id, webhook_id)
    await hooked.run(State.RUNNING)
    await hooked.post()
    await shift_clock(main_owner, 86_401)
    await hooked.run(State.RUNNING)
    await hooked.post()
    during, after = hooked.receiver.posts
    assert (signed(fresh, during), signed(hooked.secret, during)) == ([True, False], [False, True])
    assert (signed(fresh, after), signed(hooked.secret, after)) == ([True], [False])


async def test_no_secret_stands_in_the_database(hooked: Hooked) -> None:
    rows = await hooked.stage.main.fetch("SELECT w::text AS row FROM webhook w")
    secret = b64decode(hooked.secret.removeprefix("whsec_"))
    assert not any(hooked.secret[6:] in row["row"] or secret.hex() in row["row"] for row in rows)


async def test_the_name_is_proven_by_tls_and_the_address_is_the_one_that_was_checked(
    stage: Stage, clock: Clock, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate.path)
    asked: list[str] = []

    async def resolve(name: str, _: int) -> list[Address]:
        asked.append(name)
        return [ip_address("127.0.0.1")]

    async with receiving(certificate.server_context()) as receiver:
        store = WebhookStore(stage.main, KEYS, stage.new_id)
        for name in ("localhost", "other.example.jp"):
            await store.create(stage.account_id, WebhookFields(f"https://{name}:{receiver.port}/", ("run.started",)))
        sender = WebhookSender(
            stage.main, KEYS, clock, jitter=lambda: 0.0, loopback=True, resolve=resolve, tls=trusting
        )
        hooked = Hooked(stage, receiver, store, sender, WebhookDeliveries(stage.main), None, "")  # type: ignore[arg-type]
        await hooked.run(State.RUNNING)
        await hooked.post()
        assert [posted.headers["host"] for posted in receiver.posts] == [f"localhost:{receiver.port}"]
    assert sorted(asked) == ["localhost", "other.example.jp"]
    rows = await stage.main.fetch("SELECT fault FROM webhook_delivery ORDER BY fault NULLS FIRST")
    assert [row["fault"] for row in rows] == [None, "tls"]


async def test_what_leads_into_our_own_network_is_not_posted_to(hooked: Hooked, clock: Clock) -> None:
    strict = WebhookSender(hooked.stage.main, KEYS, clock, jitter=lambda: 0.0)
    await hooked.run(State.RUNNING)
    await strict.begin_due()
    await strict.settle()
    assert hooked.receiver.posts == []
    assert await hooked.states() == [("waiting", 1, None, "forbidden_address")]


async def test_an_account_has_a_bounded_number_of_webhooks_and_sees_no_others(hooked: Hooked, stage: Stage) -> None:
    fields: Any = hooked.webhook.fields
    made = await asyncio.gather(
        *(hooked.store.create(stage.account_id, fields) for _ in range(MOST + 2)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in made) == 3
    with pytest.raises(NotFound):
        await hooked.store.get(stage.new_id(), hooked.webhook.webhook_id)
