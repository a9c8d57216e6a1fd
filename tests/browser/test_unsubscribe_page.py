"""The tracker's unsubscribe page in a browser, as a reader who clicked the link in the mail meets it."""

import asyncpg
import pytest
from playwright.async_api import Browser

from core.ids import IdSource
from tests.support.chromium import SCREENS
from tests.support.runs import make_run
from tests.support.tracker import served_tracker


@pytest.mark.parametrize(
    ("locale", "button", "done"),
    [("ja-JP", "配信を停止する", "配信を停止しました"), ("en-GB", "Unsubscribe", "You are unsubscribed")],
)
async def test_the_page_changes_nothing_until_its_button_is_pressed(
    browser: Browser,
    main: asyncpg.Pool,
    main_tracker: asyncpg.Pool,
    new_id: IdSource,
    locale: str,
    button: str,
    done: str,
) -> None:
    sent = await make_run(main, new_id, recipients=3)
    stops = "SELECT count(*) FROM stop WHERE reason = 'unsubscribed'"
    async with served_tracker(main_tracker) as port:
        # A telephone, and no JavaScript: the page must not need it.
        context = await browser.new_context(
            locale=locale, viewport={"width": 320, "height": 640}, java_script_enabled=False
        )
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto(f"http://127.0.0.1:{port}{sent.unsubscribe_path(2)}")
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        await page.screenshot(path=SCREENS / f"unsubscribe-{locale[:2]}.png")
        assert await main.fetchval(stops) == 0
        await page.get_by_role("button", name=button).click()
        await page.get_by_role("heading", name=done).wait_for()
        await page.screenshot(path=SCREENS / f"unsubscribed-{locale[:2]}.png")
        assert await main.fetchval(stops) == 1
        assert refused == [], "the page's own policy refused a part of it"
        await context.close()
