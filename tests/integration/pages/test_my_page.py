"""Signing in and what a member finds then: mails, why they came, all that is held, sessions, a password."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import httpx
import pytest

from api.pages.services import PageServices
from api.pages.sessions import COOKIE
from core import ids
from core.clock import Clock
from core.errors import NotFound
from core.ids import IdSource
from delivery.compose.content import Content, Sender
from members import sessions
from members.member import Consent
from members.members import MemberStore
from members.proven import Proof
from tests.integration.pages.conftest import Account
from tests.integration.pages.reader import Reader, form_of
from tests.support.postgres import shift_clock
from tests.support.runs import make_run
from tests.support.signups import Desk

PASSWORD = "vierzig Esel trinken Limonade"
ENGLISH = {"accept-language": "en"}


@dataclass
class Home:
    """A member who has signed in, in a browser of theirs."""

    browser: httpx.AsyncClient
    path: str

    async def get(self, path: str = "") -> httpx.Response:
        return await self.browser.get(self.path + path, headers=ENGLISH)

    async def send(self, action: str, page: str = "", **fields: str) -> httpx.Response:
        form = form_of(await self.get(page), f"{self.path}/{action}")
        return await self.browser.post(f"{self.path}/{action}", data={**form, **fields}, headers=ENGLISH)


async def signed_in(services: PageServices, browser: httpx.AsyncClient, account: Account, proof: Proof) -> Home:
    async with services.proven.opened(proof) as mine:
        cookie = await sessions.begin(mine.connection, proof, services.new_id(), services.random)
    browser.cookies.set(COOKIE, cookie, domain="my.example.jp", path="/")
    return Home(browser, f"/my/{account.shown}")


@pytest.fixture
async def home(services: PageServices, browser: httpx.AsyncClient, account: Account, reader: Reader) -> Home:
    return await signed_in(services, browser, account, Proof(account.account_id, reader.member.member_id))


async def test_a_password_is_set_if_it_is_strong_and_opens_the_page_from_elsewhere(
    home: Home,
    browser: httpx.AsyncClient,
    services: PageServices,
    account: Account,
    reader: Reader,
    vault: asyncpg.Pool,
) -> None:
    for weak in ("short", "taroexample", "passwordpassword", "x" * 200):
        refused = await home.send("password", password=weak)
        assert refused.status_code == 400
        assert weak not in refused.text.replace('"short"', "")
    assert (await home.send("password", password=PASSWORD)).status_code == 303
    stored = await services.vault.fetchval("SELECT verifier FROM credential")
    assert stored is None, "no verifier is seen without a proof"

    browser.cookies.clear()
    page = await home.get()
    assert "By your password" in page.text
    for address, password in (("taro@example.jp", "wrong"), ("nobody@example.jp", PASSWORD), ("no address", PASSWORD)):
        wrong = await home.send("sign-in", email=address, password=password)
        assert (wrong.status_code, COOKIE in wrong.headers.get("set-cookie", "")) == (400, False)
        assert "do not fit together" in wrong.text
        assert address not in wrong.text
    right = await home.send("sign-in", email="\uff34aro@example.jp", password=PASSWORD)
    assert (right.status_code, right.headers["location"]) == (303, home.path)
    cookie = right.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "Signed in as taro@example.jp" in (await home.get()).text


async def test_who_tries_too_often_waits_whether_the_address_is_known_or_not(
    home: Home, browser: httpx.AsyncClient
) -> None:
    browser.cookies.clear()
    form = form_of(await home.get(), f"{home.path}/sign-in")
    for address in ("taro@example.jp", "nobody@example.jp"):
        answers = [
            await browser.post(f"{home.path}/sign-in", data={**form, "email": address, "password": "wrong"})
            for _ in range(6)
        ]
        assert [answer.status_code for answer in answers] == [400] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0


async def test_sessions_are_listed_and_ended_and_end_by_themselves(
    home: Home, services: PageServices, browser: httpx.AsyncClient, account: Account, reader: Reader,
    vault_owner: asyncpg.Pool,
) -> None:  # fmt: skip
    proof = Proof(account.account_id, reader.member.member_id)
    here = browser.cookies[COOKIE]
    await signed_in(services, browser, account, proof)
    elsewhere = browser.cookies[COOKIE]
    browser.cookies.set(COOKIE, here, domain="my.example.jp", path="/")
    assert (await home.get()).text.count("End this session") == 1
    row = await vault_owner.fetchval("SELECT session_id FROM session ORDER BY created_at DESC LIMIT 1")
    await home.send(f"sessions/{row}/end")
    assert await sessions.find(services.vault, elsewhere) is None
    assert await sessions.find(services.vault, here) is not None
    assert await sessions.find(services.vault, ("A" if here[0] != "A" else "B") + here[1:]) is None
    await shift_clock(vault_owner, sessions.LIFETIME_SECONDS + 1)
    assert await sessions.find(services.vault, here) is None
    assert "By your password" in (await home.get()).text


async def test_what_is_held_is_shown_and_downloaded_whole_and_runs_nowhere(
    home: Home, store: MemberStore, reader: Reader
) -> None:
    member = await store.get(reader.account_id, reader.member.member_id)
    await store.change(reader.account_id, member.member_id, member.revision, values={"name": '=cmd|"/c calc"!A1'})
    page = await home.get("/privacy")
    assert "taro@example.jp" in page.text
    assert "all mail: given (form)" in page.text
    await home.send("choices/topics", "/choices")
    japanese = await home.browser.get(f"{home.path}/privacy?lang=ja")
    for record in ("すべてのメール:同意(form)", "「週刊」:取り消し(一部の内容の停止)"):
        assert record in unicodedata.normalize("NFKC", japanese.text)
    assert "topic:" not in japanese.text
    content = (await home.get("/data.json")).json()
    assert content["profile"]["email"] == "taro@example.jp"
    assert [record["kind"] for record in content["consents"]] == ["given", "given", "withdrawn"]
    assert content["mails"][0]["run"] == ids.encode("run", reader.run_id)
    sheet = await home.get("/data.csv")
    assert sheet.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert ["profile", "attribute name", '\'=cmd|"/c calc"!A1'] in rows


async def test_a_mail_is_read_again_with_the_reasons_for_it(
    home: Home, main: asyncpg.Pool, reader: Reader, new_id: IdSource
) -> None:
    sender = Sender("Shop", "shop@example.jp", None, "Tokyo", "help@example.jp", "example.jp")
    html = '<p>Dear {{ name or "friend" }}</p><a href="https://shop.example.jp/?a=<b>">Go</a>'
    content = Content("News for you", "", html, "", sender, True, True, ("name",))
    run = await make_run(
        main, new_id, account_id=reader.account_id, members=[reader.member.member_id], body=content.to_json()
    )
    page = await home.get("/mails")
    for run_id in (reader.run_id, run.run_id):
        assert f"{home.path}/mails/{ids.encode('run', run_id)}" in page.text
    for listed in (page, await home.get()):
        assert ">News for you</a>" in listed.text
        assert ">C</a>" not in listed.text, "what the campaign is called"
    shown = await home.get(f"/mails/{ids.encode('run', run.run_id)}")
    [frame] = re.findall(r'<iframe class="mail" src="([^"]*)"', shown.text)
    assert "Dear friend" in (await home.browser.get(frame)).text
    for said in (
        "News for you",
        "Your details are shown as they are now",
        "No consent is recorded from before",
        "It went to everybody",
    ):
        assert said in shown.text
    assert (await home.get(f"/mails/{ids.encode('run', new_id())}")).status_code == 404


async def test_a_session_opens_no_other_account_and_no_other_member(
    home: Home, browser: httpx.AsyncClient, main: asyncpg.Pool, store: MemberStore, reader: Reader, new_id: IdSource,
    clock: Clock,
) -> None:  # fmt: skip
    other = new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'Elsewhere')", other)
    elsewhere = f"/my/{ids.encode('acc', other)}"
    assert "By your password" in (await browser.get(elsewhere, headers=ENGLISH)).text
    for path in ("/privacy", "/data.json", "/mails", "/choices"):
        answer = await browser.get(elsewhere + path)
        assert (answer.status_code, answer.headers["location"]) == (303, elsewhere)
    consent = Consent("form", clock.now() - timedelta(days=1))
    await store.create(reader.account_id, "hanako@example.jp", consent=consent)
    assert "hanako" not in (await home.get("/data.json")).text
    forged = await browser.post(f"{home.path}/sign-out", data={"stamp": "x"})
    assert forged.status_code == 403


async def test_a_mailed_link_signs_in_once_and_asking_tells_nobody_who_is_known(
    desk: Desk, home: Home, browser: httpx.AsyncClient
) -> None:
    browser.cookies.clear()
    answers = [await home.send("link", email=address) for address in ("taro@example.jp", "nobody@example.jp", "none")]
    stamp = re.compile(r'name="stamp" value="[^"]*"')
    assert len({stamp.sub("", answer.text) for answer in answers}) == 1
    assert "a link is on its way" in answers[0].text
    await desk.rounds()
    assert await desk.letters() == ["sign_in"]
    assert await desk.vault.fetchval("SELECT count(*) FROM member") == 1
    link = await desk.link("sign_in")
    assert COOKIE not in (await browser.get(link)).headers.get("set-cookie", "")
    entered = await desk.press(link, "accept")
    assert (entered.status_code, entered.headers["location"]) == (303, home.path)
    assert "Signed in as taro@example.jp" in (await home.get()).text
    browser.cookies.clear()
    for again in (await desk.press(link, "accept"), await browser.get(link)):
        assert again.status_code == 410
        assert COOKIE not in again.headers.get("set-cookie", "")


async def test_whoever_keeps_trying_is_told_of_to_the_owner_by_letter(
    desk: Desk, home: Home, browser: httpx.AsyncClient
) -> None:
    await home.send("password", password=PASSWORD)
    browser.cookies.clear()
    form = form_of(await home.get(), f"{home.path}/sign-in")
    for address in ("taro@example.jp", "nobody@example.jp"):
        for _ in range(8):
            await browser.post(f"{home.path}/sign-in", data={**form, "email": address, "password": "wrong"})
    await desk.rounds()
    assert await desk.letters() == ["password_changed", "failed_log_ins"]


async def test_erasing_is_proven_by_a_mailed_link_and_asked_twice(
    desk: Desk, home: Home, browser: httpx.AsyncClient, main: asyncpg.Pool, store: MemberStore, reader: Reader
) -> None:
    assert (await home.send("erase", "/privacy")).status_code == 303
    await desk.rounds()
    link = await desk.link("erase")
    assert "Erase everything?" in (await browser.get(link, headers=ENGLISH)).text
    assert await store.get(reader.account_id, reader.member.member_id) == reader.member
    erased = await desk.press(link, "accept")
    assert "Everything is erased" in erased.text
    with pytest.raises(NotFound):
        await store.get(reader.account_id, reader.member.member_id)
    assert await main.fetchval("SELECT reason FROM stop WHERE scope = 'all'") == "erased"
    assert "By your password" in (await home.get()).text
    assert (await browser.get(reader.choices)).status_code == 404
    assert (await desk.press(link, "accept")).status_code == 410
