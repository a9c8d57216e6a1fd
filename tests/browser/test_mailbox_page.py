"""The mailbox in a browser: Debian's Chromium, driven by Playwright."""

import asyncio
import smtplib
import struct
import zlib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Page

from delivery.compose.content import Attachment
from tests.support.chromium import SCREENS
from tests.support.mailbox import RunningMailbox, running_mailbox
from tests.support.mails import compose

HOSTILE = """\
<!doctype html><html><head><style>h1 { color: #c8402f }</style></head>
<body onload="ran('onload')">
<h1>桜の季節です</h1>
<p id="greeting">花子様、春の新作が届きました。</p>
<p><a id="link" href="http://127.0.0.1:9/offer">新作を見る</a></p>
<img alt="" src="data:image/png;base64,broken" onerror="ran('onerror')">
<form action="/clear" method="post"><button id="trap">Unsubscribe</button></form>
<script>
function ran(how) { document.body.insertAdjacentHTML('beforeend', '<b class="ran">' + how + '</b>') }
ran('script'); alert('ran'); top.location = '/clear'
</script>
</body></html>
"""

SUBJECTS = [
    ("kenji.tanaka@example.test", "ご注文ありがとうございます 注文番号 10482"),
    ("maria.lopez@example.test", "Your spring catalogue is here"),
    ("sato.yuki@example.test", "【会員限定】今週末だけのご案内"),
    ("bjorn@example.test", "Confirm your subscription"),
    ("defer-451-once.0007@example.test", "Weekly digest: twelve stories you may have missed while you were away"),
    ("hanako@example.test", "桜の季節のお知らせ"),
]


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[RunningMailbox]:
    async with running_mailbox(tmp_path) as running:
        await asyncio.to_thread(deliver, running.smtp_port)
        yield running


def deliver(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as client:
        for recipient, subject in SUBJECTS:
            message = EmailMessage()
            message["From"] = "届けるストア <news@store.test>"
            message["To"] = recipient
            message["Subject"] = subject
            message.set_content("花子様、春の新作が届きました。\n")
            message.add_alternative(HOSTILE, subtype="html")
            for _ in range(2):
                try:
                    client.send_message(message, "bounces+0abc@store.test", [recipient])
                except smtplib.SMTPRecipientsRefused:
                    continue
                break


async def opened(browser: Browser, mailbox: RunningMailbox, scheme: str = "light") -> tuple[Page, list[str]]:
    page = await browser.new_page(
        viewport={"width": 1280, "height": 860},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    alerts: list[str] = []

    async def note(dialog: object) -> None:
        alerts.append(str(dialog))

    page.on("dialog", note)
    await page.goto(mailbox.url)
    return page, alerts


async def test_a_mail_is_found_and_read_and_its_script_does_not_run(browser: Browser, mailbox: RunningMailbox) -> None:
    page, alerts = await opened(browser, mailbox)
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / "mailbox-list.png")
    assert await page.locator(".list li").count() == len(SUBJECTS)
    await page.get_by_role("searchbox").fill("hanako@")
    await page.get_by_role("searchbox").press("Enter")
    await page.get_by_text("桜の季節のお知らせ").click()
    frame = page.frame_locator("iframe")
    await frame.get_by_text("花子様、春の新作が届きました。").wait_for()
    await page.wait_for_load_state("networkidle")
    assert await frame.locator(".ran").count() == 0
    assert alerts == []
    assert page.url.endswith(f"/messages/{len(SUBJECTS)}")
    assert await frame.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(200, 64, 47)"
    await page.screenshot(path=SCREENS / "mailbox-mail.png")


async def test_no_script_runs_in_a_mails_html_opened_by_itself(browser: Browser, mailbox: RunningMailbox) -> None:
    page, alerts = await opened(browser, mailbox)
    await page.goto(f"{mailbox.url}/messages/1/html", wait_until="networkidle")
    assert await page.locator("#greeting").count() == 1
    assert await page.locator(".ran").count() == 0
    assert alerts == []


async def test_a_form_in_a_mail_can_not_empty_the_mailbox(browser: Browser, mailbox: RunningMailbox) -> None:
    page, _ = await opened(browser, mailbox)
    await page.goto(f"{mailbox.url}/messages/1")
    await page.frame_locator("iframe").locator("#trap").click()
    await page.goto(mailbox.url)
    assert await page.locator(".list li").count() == len(SUBJECTS)


async def test_the_mailbox_is_emptied_after_a_question(browser: Browser, mailbox: RunningMailbox) -> None:
    page, _ = await opened(browser, mailbox, "dark")
    await page.screenshot(path=SCREENS / "mailbox-list-dark.png")
    await page.get_by_role("link", name="Empty").click()
    await page.screenshot(path=SCREENS / "mailbox-clear-dark.png")
    await page.get_by_role("button", name="Empty the mailbox").click()
    await page.get_by_role("heading", name="No mail yet").wait_for()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{mailbox.url}/status")).json()["messages"] == 0
    await page.screenshot(path=SCREENS / "mailbox-empty-dark.png")


async def test_the_page_fits_a_telephone(browser: Browser, mailbox: RunningMailbox) -> None:
    page, _ = await opened(browser, mailbox)
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.screenshot(path=SCREENS / "mailbox-list-narrow.png")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.goto(f"{mailbox.url}/messages/5?view=headers")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_images_that_a_mail_brings_along_are_shown_in_it(browser: Browser, mailbox: RunningMailbox) -> None:
    files = {UUID(int=1): png(7, 5), UUID(int=2): b"%PDF-1.7"}
    envelope = compose(
        html='<p><img id="logo" src="cid:logo.png" alt=""></p>',
        attachments=(
            Attachment(UUID(int=1), "logo.png", "image/png", len(files[UUID(int=1)])),
            Attachment(UUID(int=2), "価格表.pdf", "application/pdf", 8),
        ),
        files=files,
    )

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, local_hostname="localhost") as client:
            client.sendmail(envelope.return_path, [envelope.recipient], envelope.message)

    await asyncio.to_thread(send)
    page, _ = await opened(browser, mailbox)
    await page.goto(f"{mailbox.url}/messages/{len(SUBJECTS) + 1}", wait_until="networkidle")
    logo = page.frame_locator("iframe").locator("#logo")
    assert await logo.evaluate("e => [e.naturalWidth, e.naturalHeight]") == [7, 5]
    await page.screenshot(path=SCREENS / "mailbox-image.png")
    await page.goto(f"{mailbox.url}/messages/{len(SUBJECTS) + 1}?view=attachments")
    assert await page.get_by_text("価格表.pdf").count() == 1


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def piece(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + b"\xc8\x40\x2f" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", head) + piece(b"IDAT", zlib.compress(rows)) + piece(b"IEND", b"")
