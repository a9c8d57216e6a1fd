"""Who reads, and on what: a browser of their language, width, colours, with scripts or without."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page

from tests.support.looks import judged


@dataclass(frozen=True)
class Reader:
    """Somebody who reads; `words` of the buttons, headings and subjects that are looked for."""

    name: str
    locale: str
    width: int
    scripts: bool
    scheme: str
    words: Mapping[str, str]

    @property
    def language(self) -> str:
        return self.locale[:2]

    @property
    def address(self) -> str:
        return f"{self.name}@example.jp"


@asynccontextmanager
async def reading(browser: Browser, reader: Reader) -> AsyncIterator[Page]:
    """Open a page as the reader has it; in the end nothing of it was refused by its own policy, or from elsewhere."""
    context = await browser.new_context(
        locale=reader.locale,
        viewport={"width": reader.width, "height": 720},
        java_script_enabled=reader.scripts,
        color_scheme="dark" if reader.scheme == "dark" else "light",
    )
    refused: list[str] = []
    asked: set[str | None] = set()
    context.on("console", lambda message: refused.append(message.text))
    context.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    yield await context.new_page()
    assert not [text for text in refused if "Policy" in text], "a page's own policy refused a part of it"
    assert asked <= {"127.0.0.1", "localhost", None}, "something was loaded from elsewhere"
    await context.close()


async def seen(page: Page, reader: Reader, name: str) -> None:
    """Keep a picture of a page in the reader's language, and judge it."""
    await _shown(page, reader, name, scripts=reader.scripts)


async def pictured(page: Page, reader: Reader, name: str) -> None:
    """Keep a picture of a page that another test judges by WCAG; it is held to its language and width alone."""
    await _shown(page, reader, name, scripts=False)


async def _shown(page: Page, reader: Reader, name: str, *, scripts: bool) -> None:
    assert await page.locator("html").get_attribute("lang") == reader.language
    await judged(page, f"{name}-{reader.name}", scripts=scripts)
