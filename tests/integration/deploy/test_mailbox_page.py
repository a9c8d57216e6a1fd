"""The mailbox's page and feed over real HTTP."""

import asyncio
import base64
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY

from tests.support.mailbox import RunningMailbox, running_mailbox


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[RunningMailbox]:
    async with running_mailbox(tmp_path) as running:
        yield running


@pytest.fixture
async def client(mailbox: RunningMailbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mailbox.url) as client:
        yield client


async def deliver(mailbox: RunningMailbox, *mails: tuple[str, EmailMessage]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.smtp_port)
    writer.write(b"EHLO localhost\r\n")
    for recipient, message in mails:
        content = message.as_bytes().replace(b"\n", b"\r\n")
        writer.write(b"MAIL FROM:<news@sender.test>\r\nRCPT TO:<%b>\r\nDATA\r\n" % recipient.encode())
        writer.write(content + b"\r\n.\r\n")
    writer.write(b"QUIT\r\n")
    replies = await asyncio.wait_for(reader.read(), 10)
    assert replies.count(b"\r\n250 2.0.0") == len(mails)
    writer.close()
    await writer.wait_closed()


def mail(subject: str = "Hello", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Todoku <news@sender.test>"
    message["To"] = "hanako@x.test"
    message["Subject"] = subject
    message.set_content("Dear <reader>,\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def test_an_empty_mailbox_says_so(client: httpx.AsyncClient) -> None:
    assert "No mail yet" in (await client.get("/")).text


async def test_the_list_shows_the_newest_first_page_by_page(mailbox: RunningMailbox, client: httpx.AsyncClient) -> None:
    await deliver(mailbox, *((f"m{number}@x.test", mail(f"Letter {number:03}")) for number in range(120)))
    first = await client.get("/")
    assert first.text.index("Letter 119") < first.text.index("Letter 118")
    assert "Letter 070" in first.text
    assert "Letter 069" not in first.text
    second = await client.get("/", params={"before": 71})
    assert 'href="/?q=&amp;before=71"' in first.text
    assert "Letter 069" in second.text
    assert "Letter 070" not in second.text


async def test_a_search_finds_by_recipient_and_by_japanese_subject(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    await deliver(mailbox, ("hanako@x.test", mail("春のお知らせ")), ("taro@x.test", mail("Summer")))
    by_subject = (await client.get("/", params={"q": "お知らせ"})).text
    assert "春のお知らせ" in by_subject
    assert "Summer" not in by_subject
    assert "Summer" in (await client.get("/", params={"q": "TARO@"})).text
    assert "No mail whose" in (await client.get("/", params={"q": "<nobody>"})).text


async def test_a_mail_shows_headers_text_html_and_attachments(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    message = mail("春のお知らせ", html="<p>Dear <b>Hanako</b></p>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="見積書.pdf")
    await deliver(mailbox, ("hanako@x.test", message))
    shown = (await client.get("/messages/1")).text
    assert "<h1>春のお知らせ</h1>" in shown
    assert '<iframe class="frame" src="/messages/1/html"' in shown
    assert "Dear &lt;reader&gt;," in (await client.get("/messages/1?view=text")).text
    assert "<dt>MIME-Version</dt>" in (await client.get("/messages/1?view=headers")).text
    assert "見積書.pdf" in (await client.get("/messages/1?view=attachments")).text
    attachment = await client.get("/messages/1/attachments/0")
    assert attachment.content == b"%PDF"
    assert attachment.headers["content-type"] == "application/octet-stream"
    assert attachment.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E8%A6%8B")
    raw = await client.get("/messages/1/raw")
    assert raw.content.startswith(b"From: Todoku <news@sender.test>\r\n")


async def test_an_image_of_the_mail_s_own_is_shown_and_nothing_else_is_put_in(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    message = mail(html='<img src="cid:a@x"><img src="cid:b@x"><img src="cid:c@x">')
    message.add_attachment(b"image", maintype="image", subtype="png", filename="a.png", cid="<a@x>")
    message.add_attachment(b"<script>", maintype="text", subtype="html", filename="b.html", cid="<b@x>")
    await deliver(mailbox, ("hanako@x.test", message))
    shown = (await client.get("/messages/1/html")).text
    assert '<img src="data:image/png;base64,aW1hZ2U="><img src="cid:b@x"><img src="cid:c@x">' in shown


async def test_a_mails_html_is_served_in_a_sandbox_of_its_own(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    await deliver(mailbox, ("hanako@x.test", mail(html="<script>alert(1)</script>")))
    policy = (await client.get("/messages/1/html")).headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    page = await client.get("/messages/1")
    assert "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


async def test_a_hostile_subject_stays_text(mailbox: RunningMailbox, client: httpx.AsyncClient) -> None:
    await deliver(mailbox, ("hanako@x.test", mail("<img src=x onerror=alert(1)>")))
    for path in ("/", "/messages/1", "/messages/1?view=headers"):
        assert "<img" not in (await client.get(path)).text


@pytest.mark.parametrize(
    "path",
    ["/messages/1", "/messages/1/raw", "/messages/1/html", "/messages/1/attachments/0"],
)
async def test_a_mail_that_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "no such mail" in answer.text


@pytest.mark.parametrize("path", ["/messages/x", "/?before=x", "/messages/" + "9" * 5000, "/?q=" + "x" * 201])
async def test_a_malformed_address_is_refused(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 422


async def test_the_feed_goes_on_from_a_cursor_with_or_without_the_message(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    await deliver(mailbox, *((f"m{number}@x.test", mail(f"Letter {number}")) for number in range(1, 31)))
    answer = await client.get("/messages.jsonl", params={"after": 10, "limit": 15, "raw": "1"})
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [line["id"] for line in lines] == list(range(11, 26))
    assert lines[0]["rcpt_to"] == ["m11@x.test"]
    assert lines[0]["received_at"].endswith("Z")
    assert b"Subject: Letter 11\r\n" in base64.b64decode(lines[0]["raw"])
    assert len(base64.b64decode(lines[0]["raw"])) == lines[0]["size"]
    rest = await client.get("/messages.jsonl", params={"after": 25})
    assert len(rest.content.splitlines()) == 5
    assert "raw" not in orjson.loads(rest.content.splitlines()[0])


async def test_emptying_is_asked_first_and_then_done(mailbox: RunningMailbox, client: httpx.AsyncClient) -> None:
    await deliver(mailbox, ("a@x.test", mail()), ("b@x.test", mail()))
    assert "Empty the mailbox?" in (await client.get("/clear")).text
    assert (await client.get("/status")).json()["messages"] == 2
    answer = await client.post("/clear")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await client.get("/status")).json() == {"messages": 0, "bytes": 0, "last_id": 2}
    await deliver(mailbox, ("c@x.test", mail()))
    assert (await client.delete("/messages")).status_code == 204
    assert (await client.get("/status")).json()["messages"] == 0


async def test_another_site_can_neither_empty_nor_read_the_mailbox(
    mailbox: RunningMailbox, client: httpx.AsyncClient
) -> None:
    await deliver(mailbox, ("a@x.test", mail()))
    assert (await client.post("/clear", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await client.get("/", headers={"host": "rebound.example"})).status_code == 421
    assert (await client.get("/", headers={"host": "[::1]:8082"})).status_code == 200
    assert (await client.get("/status")).json()["messages"] == 1


async def test_what_arrived_and_which_faults_were_played_is_counted(mailbox: RunningMailbox) -> None:
    def sample(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = sample("todoku_mailbox_messages_total"), sample("todoku_mailbox_faults_total", fault="bounce")
    await deliver(mailbox, ("a@x.test", mail()), ("b@x.test", mail()))
    reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.smtp_port)
    writer.write(b"EHLO localhost\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<bounce-550.1@x.test>\r\nQUIT\r\n")
    assert b"\r\n550 5.1.1" in await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    after = sample("todoku_mailbox_messages_total"), sample("todoku_mailbox_faults_total", fault="bounce")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
