"""A sign-up that somebody else typed: its owner says so, and nothing is kept. Who says yes: test_whole_story."""

from playwright.async_api import Browser

from tests.support.hosted_form import letter_link, mail_to, opened_form, sign_up
from tests.support.readers import Reader, reading, seen
from tests.support.service import running_service
from tests.support.waiting import eventually

READER = Reader(
    "disowning-phone-ja",
    "ja-JP",
    320,
    False,
    "light",
    {"sign up": "登録する", "sent": "メールをご確認ください"},
)


async def test_who_did_not_sign_up_says_so_and_is_nobody(browser: Browser) -> None:
    async with running_service(workers=1) as service, reading(browser, READER) as page:
        await sign_up(page, await opened_form(service), READER)
        await page.goto(letter_link(await mail_to(service, READER.address)))
        await page.get_by_role("button", name="申し込んでいません").click()
        await page.get_by_role("heading", name="メールはお送りしません").wait_for()
        await seen(page, READER, "disowned")

        async def nobody() -> bool:
            return (await service.get("/v1/members"))["items"] == []

        await eventually(nobody, within=20)
