"""A mail as a page: as it looked, with its files, doing nothing; to its own member alone, and to nobody's count."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import asyncpg
import httpx
import pytest

from api.pages.services import PageServices
from core.ids import IdSource
from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, SLOT_WEB
from delivery.compose.content import Attachment, Content, Sender
from members.members import MemberStore
from members.proven import Proof
from tests.integration.pages.conftest import Account
from tests.integration.pages.reader import Reader
from tests.integration.pages.test_my_page import signed_in
from tests.support.postgres import shift_clock
from tests.support.runs import Run, make_run

ENGLISH = {"accept-language": "en"}
SENDER = Sender("Shop", "shop@example.jp", None, "Tokyo", "help@example.jp", "example.jp")
HTML = (
    '<!doctype html><html><body style="background:#fee"><p>Dear {{ name or "friend" }}</p>'
    '<a href="https://shop.example.jp/spring">Go</a> <a href="{{ web_url }}">Here</a><img src="cid:logo.png">'
    '<img src="https://pictures.example.jp/1.png"><script>alert(1)</script></body></html>'
)
PICTURE = b"\x89PNG\r\n\x1a\n picture"


@dataclass(frozen=True)
class Mail:
    """A mail to the reader, and the path of its page."""

    run: Run
    path: str


@pytest.fixture
async def mail(main: asyncpg.Pool, reader: Reader, new_id: IdSource) -> Mail:
    """One with a picture in it and a file beside it, sent when the reader was last changed."""
    files = []
    for name, kind, content in (("logo.png", "image/png", PICTURE), ("list.pdf", "application/pdf", b"%PDF-1.7")):
        file = Attachment(new_id(), name, kind, len(content))
        files.append(file)
        await main.execute(
            "INSERT INTO attachment (attachment_id, account_id, name, content_type, size, sha256, content)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            file.attachment_id, reader.account_id, name, kind, len(content), sha256(content).digest(), content,
        )  # fmt: skip
    subject = "News for {{ name or 'you' }}"
    body = Content(subject, "", HTML, "", SENDER, True, True, ("name",), tuple(files), honeypot=True)
    run = await make_run(
        main,
        new_id,
        account_id=reader.account_id,
        members=[reader.member.member_id],
        body=_json(body),
        starts_at=reader.member.updated_at,
    )
    return Mail(run, f"/w/{reader.signer.mint(run.run_id, 1, [SLOT_WEB])[0]}")


def _json(content: Content) -> dict[str, Any]:
    document = content.to_json()
    document["attachments"] = [{**one, "attachment_id": str(one["attachment_id"])} for one in document["attachments"]]
    return document


async def test_a_mail_is_shown_as_it_looked_and_may_do_nothing(
    browser: httpx.AsyncClient, mail: Mail, reader: Reader
) -> None:
    page = await browser.get(mail.path, headers=ENGLISH)
    assert "<h1>News for you</h1>" in page.text
    assert f'src="{mail.path}/mail"' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]

    shown = await browser.get(f"{mail.path}/mail")
    assert '<body style="background:#fee"><p>Dear friend</p>' in shown.text
    assert shown.text.startswith("<!doctype html><html><title>News for you</title>")
    assert 'href="https://shop.example.jp/spring"' in shown.text
    for slot, kind in ((SLOT_UNSUBSCRIBE, "u"), (SLOT_PREFERENCES, "p"), (SLOT_WEB, "w")):
        token = reader.signer.mint(mail.run.run_id, 1, [slot])[0]
        assert f'href="https://my.example.jp/{kind}/{token}"' in shown.text
    assert not re.findall(r"/[oc]/[\w-]{48}", shown.text), "a pixel or a tracked link"
    policy = dict(part.strip().partition(" ")[::2] for part in shown.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "'self' data:"
    assert "allow-scripts" not in policy["sandbox"]
    assert "allow-same-origin" not in policy["sandbox"]
    assert policy["frame-ancestors"] == "'self'"
    asked = await browser.get(f"{mail.path}/mail?pictures=true")
    assert "img-src 'self' data: https: http:;" in asked.headers["content-security-policy"]


async def test_the_files_of_a_mail_come_with_its_page(browser: httpx.AsyncClient, mail: Mail) -> None:
    shown = await browser.get(f"{mail.path}/mail")
    [picture] = re.findall(r'<img src="(/w/[^"]*)">', shown.text)
    answer = await browser.get(picture)
    assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/png")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    page = await browser.get(mail.path)
    [(path, name)] = re.findall(r'<a href="([^"]*)" download="([^"]*)">', page.text)
    assert name == "list.pdf"
    answer = await browser.get(path)
    assert (answer.content, answer.headers["content-disposition"]) == (b"%PDF-1.7", "attachment")
    assert (await browser.get(f"{mail.path}/files/2")).status_code == 404
    assert (await browser.get(f"{mail.path}/files/-1")).status_code == 404


async def test_who_was_changed_since_signs_in_to_see_their_details_in_it(
    browser: httpx.AsyncClient,
    services: PageServices,
    account: Account,
    vault_owner: asyncpg.Pool,
    store: MemberStore,
    mail: Mail,
    reader: Reader,
) -> None:
    await shift_clock(vault_owner, 60)
    await store.change(
        reader.account_id, reader.member.member_id, reader.member.revision, values={"name": "Hanako Secret"}
    )
    page = await browser.get(mail.path, headers=ENGLISH)
    assert "please sign in to read it" in page.text
    assert "Hanako Secret" not in page.text
    assert (await browser.get(f"{mail.path}/mail")).status_code == 404
    other = await store.create(reader.account_id, "hanako@example.jp")
    await signed_in(services, browser, account, Proof(reader.account_id, other.member_id))
    assert "Hanako Secret" not in (await browser.get(mail.path)).text
    await signed_in(services, browser, account, Proof(reader.account_id, reader.member.member_id))
    page = await browser.get(mail.path, headers=ENGLISH)
    assert "Your details are shown as they are now" in page.text
    assert "Dear Hanako Secret" in (await browser.get(f"{mail.path}/mail")).text


async def test_nothing_is_counted_and_no_other_token_opens_it(
    browser: httpx.AsyncClient, main: asyncpg.Pool, mail: Mail, reader: Reader, new_id: IdSource
) -> None:
    for path in ("", "/mail", "/mail?pictures=true"):
        assert (await browser.get(mail.path + path)).status_code == 200
    assert await main.fetchval("SELECT count(*) FROM event") == 0
    assert await main.fetchval("SELECT count(*) FROM tally_delta") == 0
    wrong: Sequence[str] = [
        reader.signer.mint(mail.run.run_id, 1, [SLOT_PREFERENCES])[0],
        reader.signer.mint(mail.run.run_id, 2, [SLOT_WEB])[0],
        reader.signer.mint(new_id(), 1, [SLOT_WEB])[0],
    ]
    for token in wrong:
        for path in ("", "/mail", "/files/0"):
            assert (await browser.get(f"/w/{token}{path}")).status_code == 404
