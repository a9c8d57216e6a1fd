"""The reference that the API serves to people, on a desk and on a phone."""

from playwright.async_api import Browser

from tests.support.looks import judged
from tests.support.service import running_service

# Paths may end a line where a part of them ends; a scope or the name of a problem stands in one.
BROKEN = """
[...document.querySelectorAll("td code")].filter(code => !code.querySelector("wbr") && code.getClientRects().length > 1)
    .map(code => code.textContent)
"""


async def test_the_reference_is_read_on_any_screen_and_breaks_no_word(browser: Browser) -> None:
    async with running_service(workers=1) as service:
        for width in (1280, 375):
            page = await browser.new_page(viewport={"width": width, "height": 900})
            answer = await page.goto(f"{service.client.base_url}/v1/reference")
            assert answer
            assert answer.status == 200
            await judged(page, f"reference-{width}", scripts=True)
            assert await page.evaluate(BROKEN) == []
            await page.get_by_role("link", name="reports", exact=True).click()
            request = page.locator("#of-reports + table code", has_text="GET /v1/reports/growth").last
            assert await request.is_visible()
            await page.close()
