"""An account's keys exchanged as an operator does it, while a campaign is being sent and files come in."""

import asyncio

from tests.acceptance.ledger import check_ledger
from tests.support.command_line import todoku
from tests.support.service import Service, running_service

MEMBERS = 2_000
KNOWN = NEW = 150
"""Of each file: who is there already, and who is not."""


async def operator(service: Service, *words: str) -> str:
    """Run a command on the service's machine; what it says. It must succeed."""
    done = await asyncio.to_thread(todoku, *words, data_dir=service.directory, metrics_port=0)
    assert done.returncode == 0, done
    return done.stdout


async def import_files(service: Service, addresses: list[str], enough: asyncio.Event) -> list[list[str]]:
    """Bring in file after file until it is enough, each with other members of those that are there; the files."""
    files: list[list[str]] = []
    while not enough.is_set():
        start = len(files) * KNOWN % (MEMBERS - KNOWN)
        newcomers = [f"new{len(files)}.{n}@example.jp" for n in range(NEW)]
        files.append([*newcomers, *addresses[start : start + KNOWN][::-1]])
        done = await service.import_members(files[-1])
        # In its second round a file may find what an earlier one left.
        assert (done["created"], done["updated"] + done["unchanged"], done["rejected"]) == (NEW, KNOWN, 0)
    return files


async def test_keys_are_exchanged_while_a_campaign_is_sent_and_files_come_in() -> None:
    async with running_service(key_beat=0.2) as service:
        addresses = [f"member{n}@example.jp" for n in range(MEMBERS)]
        await service.import_members(addresses)
        campaign = await service.campaign(at="now", rate_per_hour=20 * 3_600)
        await service.accepted_at_least(20)

        enough = asyncio.Event()
        coming = asyncio.create_task(import_files(service, addresses, enough))
        said = [await operator(service, "keys", word) for word in ("add", "promote", "reseal", "retire")]
        enough.set()
        files = await coming
        assert await service.state(campaign) == "running", "the run was over before the keys were exchanged"
        await service.main_owner.execute("UPDATE lane SET rate_per_hour = NULL, next_claim_at = '-infinity'")
        await service.reaches(campaign, "finished", within=60)

        await check_ledger(service, campaign, addresses, kills=0)
        assert "destroyed: seal version 1" in said[-1]
        assert "destroyed: index version 1" in said[-1]
        total = MEMBERS + NEW * len(files)
        assert await operator(service, "verify", "--members") == f"{total:,} members: all open in place\n"
        # No change was lost, and each address is still one member's, whom the new index finds.
        last = files[-1]
        for address in (last[0], last[-1], addresses[-1]):
            found = await service.post("/v1/members/search", {"email": address})
            name = last.index(address) if address in last else addresses.index(address)
            assert [one["attributes"]["name"] for one in found["items"]] == [f"山田 {name}"]
        again = await service.import_members(last)
        assert (again["created"], again["unchanged"]) == (0, len(last))
