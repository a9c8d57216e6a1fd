"""A sign-up as people do it: form, mail out of the mailbox, confirmation; both languages, phone and desk.

The pages run no script, and one reader's browser would run none; axe-core, which judges by WCAG 2.2 AA, needs one.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from tests.support.chromium import SCREENS
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]


@dataclass(frozen=True)
class Reader:
    """Who reads, and on what."""

    name: str
    locale: str
    width: int
    scripts: bool
    scheme: str
    words: dict[str, str]


JA = {
    "sign up": "登録する",
    "sent": "メールをご確認ください",
    "confirm": "登録のご確認",
    "yes": "登録を完了する",
    "no": "申し込んでいません",
    "done": "登録が完了しました",
    "gone": "メールはお送りしません",
    "subject": "登録のご確認",
}
EN = {
    "sign up": "Sign up",
    "sent": "Please look into your mail",
    "confirm": "Confirm your sign-up",
    "yes": "Yes, sign me up",
    "no": "It wasn't me",
    "done": "You are signed up",
    "gone": "We will not write to you",
    "subject": "Please confirm",
}
READERS = [
    Reader("phone-ja", "ja-JP", 320, False, "light", JA),
    Reader("desk-en-dark", "en-GB", 1280, True, "dark", EN),
    Reader("phone-en", "en-GB", 320, True, "light", EN),
    Reader("desk-ja", "ja-JP", 1280, True, "light", JA),
]


async def opened_form(service: Service) -> str:
    """Open the account's form as an account does, over REST; its address."""
    sender = await service.post(
        "/v1/senders",
        {
            "name": "届く商店",
            "address": "news@shop.example",
            "postal_address": "東京都千代田区千代田1-1",
            "contact": "https://shop.example.jp/contact",
        },
    )
    await service.post(
        "/v1/attributes",
        {
            "name": "prefecture",
            "type": "choice",
            "ask_at_signup": True,
            "required": True,
            "label": {"ja": "都道府県", "en": "Prefecture"},
            "choices": [
                {"value": "tokyo", "label": {"ja": "東京", "en": "Tokyo"}},
                {"value": "osaka", "label": {"ja": "大阪", "en": "Osaka"}},
            ],
        },
    )
    await service.post(
        "/v1/attributes",
        {"name": "name_kana", "type": "text", "ask_at_signup": True, "label": {"ja": "フリガナ", "en": "Name in kana"}},
    )
    await service.post("/v1/topics", {"name": "weekly", "label": {"ja": "週刊のお知らせ", "en": "Weekly news"}})
    match = (await service.client.get("/v1/account/branding")).headers["ETag"]
    answer = await service.client.patch(
        "/v1/account/branding",
        json={
            "name": "届く商店",
            "postal_address": "東京都千代田区千代田1-1",
            "contact": "03-0000-0000",
            "links": [
                {"label": {"ja": "プライバシーポリシー", "en": "Privacy"}, "url": "https://shop.example.jp/privacy"}
            ],
            "sender": sender["id"],
            "signup_open": True,
        },
        headers={"If-Match": match},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["signup_url"])


async def judged(page: Page, reader: Reader, name: str) -> None:
    """Keep a picture of the page, and hold it to its width and to WCAG 2.2 AA."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / f"{name}-{reader.name}.png", full_page=True)
    assert await page.locator("html").get_attribute("lang") == reader.locale[:2]
    if not reader.scripts:
        return
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": LEVELS}})
    faults = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
    assert not faults, f"{name}: {faults}"


async def sign_up(page: Page, form: str, reader: Reader, address: str) -> None:
    await page.goto(form)
    await judged(page, reader, "signup")
    await page.get_by_role("button", name=reader.words["sign up"]).click()
    await page.get_by_role("alert").wait_for()
    await judged(page, reader, "signup-faults")
    await page.locator("#email").fill(address)
    await page.locator("input[name='a.prefecture'][value='tokyo']").check()
    await page.locator("[id='a.name_kana']").fill("やまだ")
    await page.locator("#topic-1").check()
    await page.locator("#consent").check()
    # Nobody is as fast as this test: a form that comes back at once is shown once more.
    for _ in range(20):
        await page.get_by_role("button", name=reader.words["sign up"]).click()
        await page.wait_for_load_state()
        if page.url.partition("?")[0].endswith("/sent"):
            break
        await page.locator("body").press("Tab", delay=2_100)
    await page.get_by_role("heading", name=reader.words["sent"]).wait_for()
    await judged(page, reader, "signup-sent")


async def letter_to(service: Service, address: str) -> Any:
    async def there() -> Any:
        return (await service.mails()).get(address)

    return await eventually(there, within=20)


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_the_story_of_a_sign_up(browser: Browser, answer: str) -> None:
    readers = READERS if answer == "yes" else READERS[:1]
    async with running_service(workers=1) as service:
        form = await opened_form(service)
        for reader in readers:
            context = await browser.new_context(
                locale=reader.locale,
                viewport={"width": reader.width, "height": 720},
                java_script_enabled=reader.scripts,
                color_scheme="dark" if reader.scheme == "dark" else "light",
            )
            page = await context.new_page()
            refused: list[str] = []
            asked: list[str] = []
            page.on("console", lambda message: refused.append(message.text))  # noqa: B023 - of this reader
            page.on("request", lambda request: asked.append(request.url))  # noqa: B023
            address = f"{reader.name}@example.jp"
            await sign_up(page, form, reader, address)
            mail = await letter_to(service, address)
            assert reader.words["subject"] in str(mail["Subject"])
            [link] = set(re.findall(r"http://127\.0\.0\.1:\d+/l/[\w-]{48}", mail.get_body(("plain",)).get_content()))
            await page.goto(link)
            await page.get_by_role("heading", name=reader.words["confirm"]).wait_for()
            await judged(page, reader, "confirm")
            await page.get_by_role("button", name=reader.words[answer]).click()
            await page.get_by_role("heading", name=reader.words["done" if answer == "yes" else "gone"]).wait_for()
            await judged(page, reader, "confirmed" if answer == "yes" else "disowned")
            origin = form.partition("/f/")[0]
            assert all(url.startswith((origin, "data:")) for url in asked), "something was loaded from elsewhere"
            assert not [text for text in refused if "Policy" in text], "the page's own policy refused a part of it"
            await context.close()
        await settled(service, {f"{reader.name}@example.jp" for reader in readers}, confirmed=answer == "yes")


async def settled(service: Service, addresses: set[str], *, confirmed: bool) -> None:
    """Wait until those who said yes are active members with what they typed, and those who said no are nobody."""

    async def so() -> bool:
        found = (await service.get("/v1/members"))["items"]
        if not confirmed:
            return found == []
        return {one["email"] for one in found if one["status"] == "active"} == addresses

    await eventually(so, within=20)
    if confirmed:
        for one in (await service.get("/v1/members"))["items"]:
            assert one["attributes"] == {"prefecture": "tokyo", "name_kana": "ヤマダ"}
            assert len(one["topics"]) == 1
            [*records] = (await service.get(f"/v1/members/{one['id']}/consents"))["items"]
            assert {record["source"] for record in records} == {"sign-up form"}
