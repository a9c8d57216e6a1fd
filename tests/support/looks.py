"""What a page has to be in a real browser: kept as a picture, no wider than the screen, fit by WCAG 2.2 AA."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.support.chromium import SCREENS

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]


async def judged(page: Page, name: str, *, scripts: bool) -> None:
    """Keep a picture of the page and judge it; axe-core itself needs `scripts`, the pages never do."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / f"{name}.png", full_page=True)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
    if not scripts:
        return
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": LEVELS}})
    faults = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
    assert not faults, f"{name}: {faults}"
