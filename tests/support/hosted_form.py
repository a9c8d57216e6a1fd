"""An account's hosted form, opened over REST and filled in as people do it, and the mail that comes of it."""

import re
from email.message import EmailMessage

from playwright.async_api import Page

from tests.support.readers import Reader, seen
from tests.support.service import Service
from tests.support.waiting import eventually


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


async def sign_up(page: Page, form: str, reader: Reader) -> None:
    """Send the form empty, then filled in."""
    await page.goto(form)
    await seen(page, reader, "signup")
    await page.get_by_role("button", name=reader.words["sign up"]).click()
    await page.get_by_role("alert").wait_for()
    await seen(page, reader, "signup-faults")
    await page.locator("#email").fill(reader.address)
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
    await seen(page, reader, "signup-sent")


async def mail_to(service: Service, address: str, *, number: int = 1) -> EmailMessage:
    """Wait for the so-manieth mail to an address; the last one that it got."""

    async def there() -> EmailMessage | None:
        return (await service.mails()).get(address) if (await service.received())[address] >= number else None

    found = await eventually(there, within=20, step=0.1)
    assert found is not None
    return found


def letter_link(mail: EmailMessage) -> str:
    """The personal link in a letter's text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    [link] = set(re.findall(r"http://127\.0\.0\.1:\d+/l/[\w-]{48}", str(part.get_content())))
    return str(link)
