"""Leaving and choosing in a browser, as a reader who clicked the link in a mail meets it: by the tracker to pages."""

from datetime import timedelta

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from api.pages.app import create_app
from core.clock import Clock
from core.ids import IdSource
from members.accounts import open_account
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent, Member
from members.members import MemberStore
from members.topics import TopicStore
from tests.support.chromium import SCREENS
from tests.support.pages import page_services, served
from tests.support.runs import SIGNER, Run, make_run
from tests.support.tracker import served_tracker

WORDS = {
    "ja-JP": ("「週刊」のメールを停止する", "配信を停止しました", "届くメールを見る", "保存しました。"),
    "en-GB": ("End mail about “Weekly”", "You are unsubscribed", "See and change", "Saved."),
}


async def sent_to_taro(
    main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, clock: Clock, new_id: IdSource
) -> tuple[Run, Member]:
    account_id = new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'とどく商店')", account_id)
    await open_account(vault, kek, account_id, new_id)
    await AttributeStore(vault, new_id).define(
        account_id, "birthday", "date", label={"ja": "生年月日", "en": "Birthday"}, member_editable=True
    )
    topics = TopicStore(vault, new_id)
    weekly = (await topics.create(account_id, "weekly", {"ja": "週刊", "en": "Weekly"})).topic_id
    await topics.create(account_id, "events", {"ja": "催し", "en": "Events"})
    consent = Consent("form", clock.now() - timedelta(days=1))
    store = MemberStore(vault, KeyRings(vault, kek), new_id)
    taro = await store.create(account_id, "taro@example.jp", consent=consent, topics=[weekly])
    return await make_run(main, new_id, account_id=account_id, members=[taro.member_id], topic_id=weekly), taro


async def is_clean(page: Page) -> None:
    """Nothing wider than the screen, and the page lets itself be read on a telephone."""
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("locale", "width"), [("ja-JP", 320), ("en-GB", 1280)])
async def test_the_page_changes_nothing_until_its_button_is_pressed(
    browser: Browser,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    main_tracker: asyncpg.Pool,
    main_pages: asyncpg.Pool,
    vault_pages: asyncpg.Pool,
    clock: Clock,
    new_id: IdSource,
    locale: str,
    width: int,
) -> None:
    kek = Kek(bytes(range(32)))
    sent, taro = await sent_to_taro(main, vault, kek, clock, new_id)
    button, done, choose, saved = WORDS[locale]
    stops = "SELECT count(*) FROM stop WHERE reason = 'unsubscribed'"
    services = page_services(main_pages, vault_pages, kek, SIGNER, clock, new_id)
    async with (
        served(create_app(services)) as pages_port,
        served_tracker(main_tracker, f"http://127.0.0.1:{pages_port}") as port,
    ):
        # No JavaScript: the pages must not need it.
        context = await browser.new_context(
            locale=locale, viewport={"width": width, "height": 720}, java_script_enabled=width > 320
        )
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto(f"http://127.0.0.1:{port}{sent.unsubscribe_path(1)}")
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        await page.screenshot(path=SCREENS / f"unsubscribe-{locale[:2]}.png", full_page=True)
        assert await main.fetchval(stops) == 0
        await page.get_by_role("button", name=button).click()
        await page.get_by_role("heading", name=done).wait_for()
        await page.screenshot(path=SCREENS / f"unsubscribed-{locale[:2]}.png", full_page=True)
        assert await main.fetchval(stops) == 1
        await page.get_by_role("link", name=choose).click()
        await page.locator("#topics input[type=checkbox]").nth(1).check()
        await page.screenshot(path=SCREENS / f"preferences-{locale[:2]}.png", full_page=True)
        await page.locator("#topics button").click()
        await page.get_by_text(saved).wait_for()
        if width > 320:
            await is_clean(page)
        assert refused == [], "the page's own policy refused a part of it"
        await context.close()
    events = (await MemberStore(vault, KeyRings(vault, kek), new_id).get(sent.account_id, taro.member_id)).topics
    assert len(events) == 1
    assert taro.topics[0] not in events
