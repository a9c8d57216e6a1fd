"""The story of a sign-up on the whole service: a form, a letter, a yes, and from then on campaigns."""

import re
from datetime import UTC, datetime, timedelta

import httpx

from api.pages.stamps import Stamps
from core.clock import FixedClock
from deploy.keys import load_signer
from tests.support.service import Service, running_service, soon
from tests.support.waiting import eventually

ADDRESS = "hanako@example.jp"


async def test_who_signs_up_and_confirms_gets_the_next_campaign_and_who_does_not_gets_none() -> None:
    async with running_service(workers=1) as service:
        path = await open_form(service)
        settings = service.started.settings
        signer, now = load_signer(settings.link_key_path), datetime.now(UTC)
        stamp = Stamps(signer, FixedClock(now - timedelta(minutes=1))).make(path)
        async with httpx.AsyncClient(base_url=settings.public_pages_url) as browser:
            for address in (ADDRESS, "nobody@example.jp"):
                answer = await browser.post(path, data={"email": address, "consent": "on", "stamp": stamp})
                assert answer.status_code == 303, answer.text
            letters = await eventually(lambda: both(service), within=20)
            assert isinstance(letters, dict)
            body = letters[ADDRESS].get_body(("plain",)).get_content()
            [link] = re.findall(r"/l/[\w-]{48}", body)
            shown = await browser.get(link)
            [form_stamp] = set(re.findall(r'name="stamp" value="([^"]+)"', shown.text))
            done = await browser.post(link, data={"action": "accept", "stamp": form_stamp})
            assert done.status_code == 200, done.text

        async def active() -> bool:
            return [one["email"] for one in await members(service) if one["status"] == "active"] == [ADDRESS]

        await eventually(active, within=20)
        campaign = await service.campaign(at=soon())
        await service.reaches(campaign, "finished")
        assert (await service.received())[ADDRESS] == 2
        assert (await service.received())["nobody@example.jp"] == 1
        assert len(await service.verified()) >= 2


async def both(service: Service) -> object:
    mails = await service.mails()
    return mails if len(mails) == 2 else None


async def members(service: Service) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await service.get("/v1/members"))["items"]
    return found


async def open_form(service: Service) -> str:
    """Open the account's form; return its path."""
    sender = await service.post(
        "/v1/senders",
        {"name": "店", "address": "news@shop.example", "postal_address": "東京都1-1", "contact": "help@shop.example"},
    )
    match = (await service.client.get("/v1/account/branding")).headers["ETag"]
    answer = await service.client.patch(
        "/v1/account/branding", json={"sender": sender["id"], "signup_open": True}, headers={"If-Match": match}
    )
    account = str(answer.json()["signup_url"]).rpartition("/")[2]
    return f"/f/{account}"
