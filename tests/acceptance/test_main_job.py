"""The main job on real processes: from a file to the report, as a marketer and her members live it."""

from collections import Counter

import httpx

from tests.support.service import running_service


async def test_a_campaign_goes_from_a_file_to_a_report_that_says_what_happened() -> None:
    async with running_service(retry_first=0.3, retry_cap=0.5) as service:
        addresses = [f"member{n}@example.jp" for n in range(120)]
        odd = ["bounce-550.1@example.jp", "bounce-552.1@example.jp", "defer-451-once.1@example.jp"]
        imported = await service.import_members([*addresses, *odd, "not an address"])
        assert imported["created"] == 123
        assert imported["rejected"] == 1

        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished")
        assert await service.received() == Counter([*addresses, "defer-451-once.1@example.jp"])

        urls = await service.one_click_urls()
        async with httpx.AsyncClient() as member:
            for address in addresses[:5]:
                answer = await member.post(urls[address], data={"List-Unsubscribe": "One-Click"})
                assert answer.status_code == 200
            assert (await member.get(urls[addresses[6]])).status_code == 303  # leads to a page, changes nothing

        report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
        assert report["snapshot"] == 123
        assert report["accepted"] == 121
        assert report["failed"] == 2
        assert report["waiting"] == report["uncertain"] == report["cancelled"] == 0
        assert report["unsubscribes"] == 5

        again = await service.campaign(at="now")
        await service.reaches(again, "finished")
        second = (await service.get(f"/v1/reports/campaigns/{again}"))["total"]
        left_out = 123 - second["snapshot"] + second["suppressed"]
        assert left_out == 6  # five left, and one address does not exist
        assert second["accepted"] == 116
        await service.verified()


async def test_a_file_and_a_picture_of_the_text_arrive_with_every_mail_also_of_a_campaign_that_was_paused() -> None:
    files = {"logo.png": bytes(range(256)) * 8, "価格表.pdf": b"%PDF-1.7 \r\n.\r\n" * 99}
    async with running_service() as service:
        await service.import_members([f"member{n}@example.jp" for n in range(30)])
        ids = []
        for name, content in files.items():
            made = await service.client.post("/v1/attachments", files={"file": (name, content)})
            assert made.status_code == 201, made.text
            ids.append(made.json()["id"])
        html = '<p>{{ name }} 様 <img src="cid:logo.png" alt=""></p>'
        campaign = await service.campaign(at="now", html=html, attachments=ids, rate_per_hour=36_000)
        await service.accepted_at_least(5)
        await service.post(f"/v1/campaigns/{campaign}/pause")
        await service.reaches(campaign, "paused")
        await service.post(f"/v1/campaigns/{campaign}/resume")
        await service.reaches(campaign, "finished")
        mails = await service.mails()
        assert len(mails) == 30
        for mail in mails.values():
            parts = {part.get_filename(): part for part in mail.walk() if part.get_filename()}
            assert {name: part.get_payload(decode=True) for name, part in parts.items()} == files
            shown = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
            assert f"cid:{parts['logo.png']['Content-ID'].strip('<>')}" in shown
        await service.verified()
