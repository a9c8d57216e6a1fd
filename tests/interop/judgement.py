"""What is sent in these tests, and how the ledger and what Postfix delivered are judged."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from deploy.demo.signatures import ALGORITHMS, make_zone, valid_signatures
from tests.support.postfix import Delivered, Postfix
from tests.support.service import Service, running_service

COUNT = 200
"""Recipients a case: enough for connections to carry long chains."""


def addresses(count: int = COUNT, *, name: str = "member", domain: str = "receiver.example") -> list[str]:
    return [f"{name}{n}@{domain}" for n in range(count)]


@asynccontextmanager
async def service_with(postfix: Postfix, people: Sequence[str], **settings: object) -> AsyncIterator[Service]:
    """A service with members; what went to Postfix keeps its protocol at the end: nothing was said out of turn."""
    async with running_service(**settings) as service:
        await service.import_members(people)
        yield service
        await service.verified()
    assert "improper command" not in postfix.log
    assert "fatal:" not in postfix.log


async def check_delivered(service: Service, delivered: Sequence[Delivered], expected: Sequence[str]) -> None:
    """Each of `expected` was delivered to exactly once, nobody else, and every message as both keys signed it."""
    assert Counter(one.recipient for one in delivered) == Counter(expected)
    sender = (await service.get("/v1/senders"))["items"][0]
    zone = make_zone((await service.get(f"/v1/senders/{sender['id']}"))["dns_records"])
    wanted = {algorithm.decode() for algorithm in ALGORITHMS}
    assert [one.recipient for one in delivered if valid_signatures(one.message, zone) != wanted] == []


async def ledger(service: Service, campaign: str) -> dict[str, dict[str, Any]]:
    """Return each recipient's delivery as the API tells it, by address."""
    run = (await service.get(f"/v1/campaigns/{campaign}"))["run"]
    members = (await service.get("/v1/members?limit=500"))["items"]
    deliveries = (await service.get(f"/v1/runs/{run}/deliveries?limit=500"))["items"]
    by_member = {one["member"]: one for one in deliveries}
    return {member["email"]: by_member[member["id"]] for member in members if member["id"] in by_member}


def states(found: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return how many deliveries are in each state."""
    return Counter(one["state"] for one in found.values())


async def attempts(service: Service) -> dict[str, int]:
    """Return how many messages were begun, by what came of it.

    A try that ended before that ("released") is none: its worker had leave for it, and no connection left to use it.
    """
    rows = await service.main_owner.fetch(
        "SELECT outcome::text, count(*) FROM intent LEFT JOIN result USING (run_id, seq, try) "
        "WHERE outcome IS DISTINCT FROM 'released' GROUP BY outcome"
    )
    return {row["outcome"]: row["count"] for row in rows}
