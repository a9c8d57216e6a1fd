"""A run's audience and an export whose worker is killed go on by themselves, and end with each member once."""

import csv
import io
from typing import Any

from core.ids import decode
from tests.support.killed_jobs import AT_ONCE, killed_in_mid_job
from tests.support.service import running_service
from tests.support.waiting import eventually

MEMBERS = 60_000


async def test_killing_the_worker_leaves_nobody_out_of_an_audience_or_an_export_and_names_nobody_twice() -> None:
    addresses = [f"member{number}@example.jp" for number in range(MEMBERS)]
    async with running_service(audience_slice=2_000) as service:
        await service.import_members(addresses)

        # One mail an hour: sending takes nothing of the time, and what is cut can be counted.
        campaign = await service.campaign(at="now", rate_per_hour=1)
        run = decode("run", (await service.get(f"/v1/campaigns/{campaign}"))["run"])

        async def cut() -> int:
            cut: int | None = await service.main_owner.fetchval("SELECT snapshot FROM run WHERE run_id = $1", run)
            return cut or 0

        async def whole() -> bool:
            state = await service.main_owner.fetchval("SELECT audience_state FROM run WHERE run_id = $1", run)
            return bool(state == "whole")

        await killed_in_mid_job(service, cut, MEMBERS)
        await eventually(whole, within=AT_ONCE)
        recipients, members = await service.main_owner.fetchrow(
            "SELECT count(*), count(DISTINCT member_id) FROM recipient WHERE run_id = $1", run
        )
        assert await cut() == recipients == members == MEMBERS
        await service.post(f"/v1/campaigns/{campaign}/cancel")
        await service.reaches(campaign, "cancelled")
        await service.verified()

        export = (await service.post("/v1/exports", {"columns": ["email"]}))["id"]

        async def shown() -> dict[str, Any]:
            told: dict[str, Any] = await service.get(f"/v1/exports/{export}")
            assert told["state"] != "failed", told
            return told

        async def written() -> int:
            members: int = (await shown())["members"]
            return members

        async def finished() -> bool:
            return (await shown())["state"] == "finished"

        await killed_in_mid_job(service, written, MEMBERS)
        await eventually(finished, within=AT_ONCE)
        told = await shown()
        assert (told["members"], told["unreadable"]) == (MEMBERS, 0)
        file = (await service.client.get(f"/v1/exports/{export}/file")).text.removeprefix("\ufeff")
        assert sorted(row["email"] for row in csv.DictReader(io.StringIO(file))) == sorted(addresses)
