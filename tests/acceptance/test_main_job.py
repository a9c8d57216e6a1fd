"""The main job on real processes: from a file to the report, as a marketer and her members live it."""

from collections import Counter

import httpx

from tests.support.service import running_service, soon


async def test_a_campaign_goes_from_a_file_to_a_report_that_says_what_happened() -> None:
    async with running_service(retry_first=0.3, retry_cap=0.5) as service:
        addresses = [f"member{n}@example.jp" for n in range(120)]
        odd = ["bounce-550.1@example.jp", "bounce-552.1@example.jp", "defer-451-once.1@example.jp"]
        imported = await service.import_members([*addresses, *odd, "not an address"])
        assert imported["created"] == 123
        assert imported["rejected"] == 1

        campaign = await service.campaign(at=soon(1))
        await service.reaches(campaign, "finished")
        assert await service.received() == Counter([*addresses, "defer-451-once.1@example.jp"])

        urls = await service.one_click_urls()
        async with httpx.AsyncClient() as member:
            for address in addresses[:5]:
                answer = await member.post(urls[address], data={"List-Unsubscribe": "One-Click"})
                assert answer.status_code == 200
            assert (await member.get(urls[addresses[6]])).status_code == 200  # shows a page, changes nothing

        report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
        assert report["snapshot"] == 123
        assert report["accepted"] == 121
        assert report["failed"] == 2
        assert report["waiting"] == report["uncertain"] == report["cancelled"] == 0
        assert report["unsubscribes"] == 5

        again = await service.campaign(at=soon(1))
        await service.reaches(again, "finished")
        second = (await service.get(f"/v1/reports/campaigns/{again}"))["total"]
        left_out = 123 - second["snapshot"] + second["suppressed"]
        assert left_out == 6  # five left, and one address does not exist
        assert second["accepted"] == 116
        await service.verified()
