"""Pausing for a time over REST: by seconds, until a time, and every way to ask for what can't be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from scheduler.campaigns.steering import resume_due
from tests.support.postgres import shift_clock


@pytest.fixture
async def where(story: Any, main: asyncpg.Pool) -> str:
    """A campaign that runs."""
    await main.execute("UPDATE run SET state = 'running', started_at = app.now()")
    await main.execute("UPDATE lane SET state = 'running'")
    return f"/v1/campaigns/{story.ids['campaign_id']}"


def away(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()


async def test_a_pause_for_a_time_ends_by_itself(
    client: httpx.AsyncClient, where: str, main: asyncpg.Pool, main_owner: asyncpg.Pool
) -> None:
    paused = await client.post(f"{where}/pause", json={"for_seconds": 3_600})
    assert paused.status_code == 200, paused.text
    assert paused.json()["state"] == "paused"
    assert abs(away(paused.json()["resume_at"]) - 3_600) < 30
    run = (await client.get(f"/v1/runs/{paused.json()['run']}")).json()
    assert run["resume_at"] == paused.json()["resume_at"]
    await shift_clock(main_owner, 3_601)
    await resume_due(main)
    shown = (await client.get(where)).json()
    assert (shown["state"], shown["resume_at"]) == ("running", None)


async def test_a_pause_until_a_time_may_be_said_with_any_offset(client: httpx.AsyncClient, where: str) -> None:
    tokyo = (datetime.now(UTC) + timedelta(hours=11)).isoformat().replace("+00:00", "+09:00")
    paused = await client.post(f"{where}/pause", json={"until": tokyo})
    assert paused.status_code == 200, paused.text
    assert abs(away(paused.json()["resume_at"]) - 2 * 3_600) < 30


async def test_a_pause_without_an_end_and_a_resume_end_it(client: httpx.AsyncClient, where: str) -> None:
    for path, state in (("pause", "paused"), ("resume", "running")):
        await client.post(f"{where}/pause", json={"for_seconds": 3_600})
        answer = await client.post(f"{where}/{path}")
        assert (answer.status_code, answer.json()["state"], answer.json()["resume_at"]) == (200, state, None)


BAD_PAUSES: list[tuple[dict[str, Any], str]] = [
    ({"for_seconds": 0}, "/for_seconds"),
    ({"for_seconds": 10**9}, "/for_seconds"),
    ({"for_seconds": "1h"}, "/for_seconds"),
    ({"until": "2020-01-01T00:00:00Z"}, "/until"),
    ({"until": "2099-01-01T00:00:00Z"}, "/until"),
    ({"until": "2026-12-01T09:00:00"}, "/until"),
    ({"for_seconds": 60, "until": "2026-12-01T09:00:00Z"}, ""),
    ({"for": 60}, "/for"),
]


async def test_an_end_that_can_not_be_is_refused(client: httpx.AsyncClient, where: str) -> None:
    for body, pointer in BAD_PAUSES:
        answer = await client.post(f"{where}/pause", json=body)
        assert answer.status_code == 422, answer.text
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert (await client.get(where)).json()["state"] == "running"
