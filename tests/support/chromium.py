"""Debian's Chromium, driven by Playwright; without the package it fails, saying that the executable is missing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
SCREENS = Path(__file__).parents[2] / "build" / "screens"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser; its sandbox is given up only where we are root, who can't have one."""
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--disable-gpu", "--disable-dev-shm-usage", *alone]
        )
        yield browser
        await browser.close()
