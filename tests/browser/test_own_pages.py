"""A member's own pages in a browser: the mail's link, leaving, choosing, my page by a mailed link, erased in the end.

By the tracker to the pages; with and without JavaScript, on a telephone and at a desk, in both languages.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from api.pages.app import create_app
from core.clock import Clock
from core.ids import IdSource, encode
from core.tokens import SLOT_LETTER
from delivery.compose.content import Content, Sender
from members.accounts import open_account
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.reach import MemberReach
from members.signup import SignupAnswers, SignupTaking
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterDispatch
from scheduler.signups import Signups
from tests.support.looks import judged
from tests.support.pages import page_services, served
from tests.support.runs import SIGNER, Run, make_run
from tests.support.tracker import served_tracker


@dataclass(frozen=True)
class Reader:
    """Who reads, and on what; `words`: of the buttons and headings that are looked for, in turn."""

    name: str
    locale: str
    width: int
    scripts: bool
    scheme: str
    words: tuple[str, ...]


JA = ("「週刊」のメールを停止する", "配信を停止しました", "届くメールを見る", "保存しました。",
      "リンクをメールで受け取る", "マイページを開く", "マイページ", "お預かりしている情報", "消去用のリンク",
      "完全に消去する", "すべて消去しました")  # fmt: skip
EN = ("End mail about “Weekly”", "You are unsubscribed", "See and change", "Saved.",
      "Mail me a link", "Open my page", "My page", "What is held on you", "Mail me the link to erase",
      "Erase everything for good", "Everything is erased")  # fmt: skip
READERS = [
    Reader("phone-ja", "ja-JP", 320, False, "light", JA),
    Reader("phone-en", "en-GB", 320, True, "dark", EN),
    Reader("desk-ja", "ja-JP", 1280, True, "light", JA),
]


MAIL = Content(
    subject="春の品",
    preheader="",
    html='<table width="100%" style="background:#fce8ee"><tr><td style="padding:24px"><h1>春の品</h1>'
    '<p><a href="https://shop.example.jp/spring">shop.example.jp</a></p></td></tr></table>',
    text="",
    sender=Sender("とどく商店", "news@example.jp", None, "Tokyo", "desk@example.jp", "example.jp"),
    track_opens=True,
    track_clicks=True,
    attributes=("name",),
)


@dataclass(frozen=True)
class Stage:
    """An account, a member of it who got a mail, and the rounds that a worker does behind the pages."""

    main: asyncpg.Pool
    run: Run
    signups: Signups
    letters: LetterDispatch

    async def letter(self, kind: str) -> str:
        """Have letters sent; return the path of the newest one's link."""
        while await self.signups.take() + await self.letters.once():
            pass
        row = await self.main.fetchrow(
            "SELECT run_id, seq FROM letter WHERE kind = $1 AND run_id IS NOT NULL ORDER BY asked_at DESC LIMIT 1", kind
        )
        assert row is not None, "no such letter was sent"
        return "/l/" + SIGNER.mint(row["run_id"], row["seq"], [SLOT_LETTER])[0]


@pytest.fixture
async def stage(main: asyncpg.Pool, vault: asyncpg.Pool, clock: Clock, new_id: IdSource) -> Stage:
    kek, account_id, sender_id = Kek(bytes(range(32))), new_id(), new_id()
    rings = KeyRings(vault, kek)
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'とどく商店')", account_id)
    await main.execute(
        "INSERT INTO sender (sender_id, account_id, name, address, postal_address, contact, domain)"
        " VALUES ($1, $2, 'News', 'news@example.jp', 'Tokyo', 'desk@example.jp', 'example.jp')",
        sender_id,
        account_id,
    )
    branding = await BrandingStore(main).get(account_id)
    fields = replace(branding.fields, sender_id=sender_id)
    await BrandingStore(main).change(account_id, fields, revision=branding.revision)
    await open_account(vault, kek, account_id, new_id)
    await AttributeStore(vault, new_id).define(
        account_id, "birthday", "date", label={"ja": "生年月日", "en": "Birthday"}, member_editable=True
    )
    topics = TopicStore(vault, new_id)
    weekly = (await topics.create(account_id, "weekly", {"ja": "週刊", "en": "Weekly"})).topic_id
    await topics.create(account_id, "events", {"ja": "催し", "en": "Events"})
    members = MemberStore(vault, rings, new_id)
    consent = Consent("form", clock.now() - timedelta(days=1))
    taro = await members.create(account_id, "taro@example.jp", consent=consent, topics=[weekly])
    run = await make_run(
        main, new_id, account_id=account_id, members=[taro.member_id], topic_id=weekly, body=MAIL.to_json()
    )
    signups = Signups(
        main,
        vault,
        SignupTaking(vault, rings, new_id),
        SignupAnswers(vault, rings, members),
        valid=timedelta(hours=48),
    )
    letters = LetterDispatch(main, MemberReach(vault), new_id=new_id, pages_url="http://localhost")
    return Stage(main, run, signups, letters)


async def leave_and_choose(page: Page, stage: Stage, reader: Reader, mail: str) -> None:
    stops = "SELECT count(*) FROM stop WHERE reason = 'unsubscribed'"
    leave, left, see, saved, *_ = reader.words
    await page.goto(mail)
    assert await page.locator("html").get_attribute("lang") == reader.locale[:2]
    await judged(page, f"unsubscribe-{reader.name}", scripts=reader.scripts)
    assert await stage.main.fetchval(stops) == 0
    await page.get_by_role("button", name=leave).click()
    await page.get_by_role("heading", name=left).wait_for()
    await judged(page, f"unsubscribed-{reader.name}", scripts=reader.scripts)
    assert await stage.main.fetchval(stops) == 1
    await page.get_by_role("link", name=see).click()
    assert not await page.locator("#topics input[type=checkbox]").nth(0).is_checked()
    await page.locator("#topics input[type=checkbox]").nth(1).check()
    await judged(page, f"preferences-{reader.name}", scripts=reader.scripts)
    await page.locator("#topics button").click()
    await page.get_by_text(saved).wait_for()


async def sign_in_and_erase(page: Page, stage: Stage, reader: Reader, pages: str, account: str) -> None:
    *_, ask_link, enter, mine, held, ask, erase, erased = reader.words
    await page.goto(f"{pages}/my/{account}")
    await judged(page, f"sign-in-{reader.name}", scripts=reader.scripts)
    await page.locator("#email").fill("taro@example.jp")
    await page.get_by_role("button", name=ask_link).click()
    await page.get_by_role("status").wait_for()
    await page.goto(pages + await stage.letter("sign_in"))
    await judged(page, f"enter-{reader.name}", scripts=reader.scripts)
    await page.get_by_role("button", name=enter).click()
    await page.get_by_role("heading", name=mine).wait_for()
    await judged(page, f"my-page-{reader.name}", scripts=reader.scripts)
    await page.locator(".mails a").first.click()
    mail = page.frame_locator("iframe.mail")
    link = mail.get_by_role("link", name="shop.example.jp")
    assert await link.get_attribute("href") == "https://shop.example.jp/spring"
    colour = await mail.locator("table").evaluate("at => getComputedStyle(at).backgroundColor")
    assert colour == "rgb(252, 232, 238)"
    await judged(page, f"mail-{reader.name}", scripts=reader.scripts)
    await page.go_back()
    await page.get_by_role("link", name=held).click()
    await judged(page, f"privacy-{reader.name}", scripts=reader.scripts)
    await page.get_by_role("button", name=ask).click()
    await page.get_by_role("status").wait_for()
    await page.goto(pages + await stage.letter("erase"))
    await judged(page, f"erase-{reader.name}", scripts=reader.scripts)
    await page.get_by_role("button", name=erase).click()
    await page.get_by_role("heading", name=erased).wait_for()
    await judged(page, f"erased-{reader.name}", scripts=reader.scripts)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
async def test_a_member_leaves_chooses_signs_in_and_is_forgotten(
    browser: Browser,
    stage: Stage,
    main_tracker: asyncpg.Pool,
    main_pages: asyncpg.Pool,
    vault_pages: asyncpg.Pool,
    vault: asyncpg.Pool,
    clock: Clock,
    new_id: IdSource,
    reader: Reader,
) -> None:
    services = page_services(main_pages, vault_pages, Kek(bytes(range(32))), SIGNER, clock, new_id)
    async with (
        served(create_app(services)) as port,
        served_tracker(main_tracker, f"http://localhost:{port}") as tracker,
    ):
        context = await browser.new_context(
            locale=reader.locale,
            viewport={"width": reader.width, "height": 720},
            java_script_enabled=reader.scripts,
            color_scheme="dark" if reader.scheme == "dark" else "light",
        )
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await leave_and_choose(page, stage, reader, f"http://127.0.0.1:{tracker}{stage.run.unsubscribe_path(1)}")
        account = encode("acc", stage.run.account_id)
        await sign_in_and_erase(page, stage, reader, f"http://localhost:{port}", account)
        assert refused == [], "the page's own policy refused a part of it"
        await context.close()
    assert await vault.fetchval("SELECT count(*) FROM member") == 0
