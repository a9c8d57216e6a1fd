"""A member's whole life as they see it: signed up, written to, choosing, leaving, forgotten; every part a real process.

Language, scripts and width meet in pairs: each value of one with each of the others in one of the four readers.
"""

import httpx
import orjson
from playwright.async_api import Browser, Page

from tests.support.hosted_form import letter_link, mail_to, opened_form, sign_up
from tests.support.looks import judged
from tests.support.readers import Reader, pictured, reading, seen
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

JA = {
    "sign up": "登録する",
    "sent": "メールをご確認ください",
    "please confirm": "登録のご確認",
    "yes": "登録を完了する",
    "signed up": "登録が完了しました",
    "saved": "保存しました。",
    "unsubscribe": "配信を停止する",
    "unsubscribed": "配信を停止しました",
    "mail me a link": "リンクをメールで受け取る",
    "enter": "マイページを開く",
    "held": "お預かりしている情報",
    "prefecture": "東京",
    "ask to erase": "消去用のリンク",
    "erase": "完全に消去する",
    "erased": "すべて消去しました",
}
EN = {
    "sign up": "Sign up",
    "sent": "Please look into your mail",
    "please confirm": "Please confirm",
    "yes": "Yes, sign me up",
    "signed up": "You are signed up",
    "saved": "Saved.",
    "unsubscribe": "Unsubscribe",
    "unsubscribed": "You are unsubscribed",
    "mail me a link": "Mail me a link",
    "enter": "Open my page",
    "held": "What is held on you",
    "prefecture": "Tokyo",
    "ask to erase": "Mail me the link to erase",
    "erase": "Erase everything for good",
    "erased": "Everything is erased",
}
READERS = [
    Reader("story-phone-ja", "ja-JP", 320, False, "light", JA),
    Reader("story-phone-en", "en-GB", 320, True, "light", EN),
    Reader("story-desk-ja", "ja-JP", 1280, True, "light", JA),
    Reader("story-desk-en-dark", "en-GB", 1280, False, "dark", EN),
]
NEWS = "<h1>春の新作</h1><p>花子様、新しい品が届きました。</p><p><a href='{shop}'>新作を見る</a></p>"


async def test_a_member_signs_up_is_written_to_chooses_leaves_and_is_forgotten(browser: Browser) -> None:
    async with running_service(workers=1) as service:
        form = await opened_form(service)
        events = (await service.post("/v1/topics", {"name": "events", "label": {"ja": "催し", "en": "Events"}}))["id"]
        for reader in READERS:
            async with reading(browser, reader) as page:
                await join(service, page, form, reader)
        members = await eventually(lambda: active_members(service), within=20)
        # The link leads to a page that is there: nothing is loaded from elsewhere.
        campaign = await service.campaign(at="now", html=NEWS.format(shop=f"{form}?from=mail"))
        await service.reaches(campaign, "finished")
        for reader in READERS:
            async with reading(browser, reader) as page:
                mail = await open_mail(service, page, reader)
                await follow_link(page, mail, reader)
                await choose(page, mail, reader)
                shown = await service.get(f"/v1/members/{members[reader.address]}")
                assert shown["locale"] == reader.language
                assert events in shown["topics"]
                await leave(page, mail, reader)
                await has_left(service, members[reader.address])
                await erase(service, page, form.replace("/f/", "/my/"), reader)
        assert (await service.get("/v1/members"))["items"] == []
        for member in members.values():
            assert (await service.client.get(f"/v1/members/{member}")).status_code == 404
        await totals_stay(service, campaign)
        assert len(await service.verified()) > len(READERS)


async def join(service: Service, page: Page, form: str, reader: Reader) -> None:
    """Sign up, and say yes by the letter's link."""
    await sign_up(page, form, reader)
    letter = await mail_to(service, reader.address)
    assert reader.words["please confirm"] in str(letter["Subject"])
    await page.goto(letter_link(letter))
    await seen(page, reader, "confirm")
    await page.get_by_role("button", name=reader.words["yes"]).click()
    await page.get_by_role("heading", name=reader.words["signed up"]).wait_for()
    await seen(page, reader, "confirmed")


async def active_members(service: Service) -> dict[str, str] | None:
    """Ids by address once all readers are members, each with what they typed and ticked."""
    found = [one for one in (await service.get("/v1/members"))["items"] if one["status"] == "active"]
    if len(found) < len(READERS):
        return None
    for one in found:
        assert one["attributes"] == {"prefecture": "tokyo", "name_kana": "ヤマダ"}
        assert len(one["topics"]) == 1
        records = (await service.get(f"/v1/members/{one['id']}/consents"))["items"]
        assert {record["source"] for record in records} == {"sign-up form"}
    return {one["email"]: one["id"] for one in found}


async def open_mail(service: Service, page: Page, reader: Reader) -> str:
    """Open the campaign's mail in the mailbox; the address of its HTML part."""
    await mail_to(service, reader.address, number=2)
    mailbox = f"http://127.0.0.1:{service.started.settings.mailbox_http_port}"
    async with httpx.AsyncClient() as client:
        lines = (await client.get(f"{mailbox}/messages.jsonl")).text.splitlines()
    number = max(one["id"] for one in map(orjson.loads, lines) if one["rcpt_to"] == [reader.address])
    mail = f"{mailbox}/messages/{number}/html"
    await page.goto(mail)
    await judged(page, f"mail-{reader.name}", scripts=False)
    return mail


async def follow_link(page: Page, mail: str, reader: Reader) -> None:
    shop = await follow(page, mail, "新作を見る")
    assert shop.url.endswith("?from=mail")
    assert await shop.locator("html").get_attribute("lang") == reader.language
    await shop.close()


async def follow(page: Page, mail: str, link: str) -> Page:
    """Follow a link of the mail, which opens beside it."""
    await page.goto(mail)
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name=link).click()
    found = await opened.value
    await found.wait_for_load_state()
    return found


async def choose(page: Page, mail: str, reader: Reader) -> None:
    """Choose a topic more and the language, by the mail's link and without logging in."""
    choices = await follow(page, mail, "Preferences")
    await pictured(choices, reader, "preferences")
    await choices.locator("#topics input[type=checkbox]").nth(1).check()
    await choices.locator("#topics button").click()
    await choices.wait_for_url("**?saved=topics")
    # Another language and back: the page turns with it.
    for language in ("en" if reader.language == "ja" else "ja", reader.language):
        await choices.locator(f"#language-{language}").check()
        await choices.locator("#language button").click()
        await choices.locator(f"html[lang={language}] p[role=status]").wait_for()
    await choices.get_by_text(reader.words["saved"]).wait_for()
    await pictured(choices, reader, "preferences-saved")
    await choices.close()


async def leave(page: Page, mail: str, reader: Reader) -> None:
    leaving = await follow(page, mail, "Unsubscribe")
    await pictured(leaving, reader, "unsubscribe")
    await leaving.get_by_role("button", name=reader.words["unsubscribe"]).click()
    await leaving.get_by_role("heading", name=reader.words["unsubscribed"]).wait_for()
    await pictured(leaving, reader, "unsubscribed")
    await leaving.close()


async def has_left(service: Service, member: str) -> None:
    """Wait until the member database says so too: the sending is bound by the stop from the answer on."""

    async def told() -> bool:
        return bool((await service.get(f"/v1/members/{member}"))["status"] == "unsubscribed")

    await eventually(told, within=20, step=0.1)


async def erase(service: Service, page: Page, my_page: str, reader: Reader) -> None:
    """Come in by a mailed link, ask to be erased, and say so once more by another mailed link."""
    await page.goto(my_page)
    await page.locator("#email").fill(reader.address)
    await page.get_by_role("button", name=reader.words["mail me a link"]).click()
    await page.get_by_role("status").wait_for()
    await pictured(page, reader, "sign-in-mailed")
    await page.goto(letter_link(await mail_to(service, reader.address, number=3)))
    await page.get_by_role("button", name=reader.words["enter"]).click()
    await page.get_by_role("link", name=reader.words["held"]).wait_for()
    await pictured(page, reader, "my-page")
    await page.get_by_role("link", name=reader.words["held"]).click()
    await page.get_by_role("cell", name=reader.words["prefecture"]).wait_for()
    await pictured(page, reader, "privacy")
    await page.get_by_role("button", name=reader.words["ask to erase"]).click()
    await page.get_by_role("status").wait_for()
    await page.goto(letter_link(await mail_to(service, reader.address, number=4)))
    await pictured(page, reader, "erase")
    await page.get_by_role("button", name=reader.words["erase"]).click()
    await page.get_by_role("heading", name=reader.words["erased"]).wait_for()
    await pictured(page, reader, "erased")


async def totals_stay(service: Service, campaign: str) -> None:
    """What came of the campaign is counted still, though nobody of it is there."""

    async def counted() -> bool:
        total = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
        return bool(total["accepted"] == total["unsubscribes"] == len(READERS) and total["clicks"] >= len(READERS))

    await eventually(counted, within=30, step=0.2)
