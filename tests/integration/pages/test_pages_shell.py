"""What every page has in common: headers, looks, languages, errors in plain words, bounds."""

import re
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.pages.errors import TooOften
from api.pages.limits import Limit
from core import ids
from scheduler.branding import BrandingFields, BrandingStore, Link

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


async def branded(main: asyncpg.Pool, account: Any, **fields: object) -> None:
    store = BrandingStore(main)
    present = await store.get(account.account_id)
    await store.change(account.account_id, replace(present.fields, **fields), revision=present.revision)  # type: ignore[arg-type]


async def test_every_answer_keeps_the_page_to_itself(browser: httpx.AsyncClient, account: Any) -> None:
    for path, status in ((f"/preview/{account.shown}", 200), ("/nothing", 404), ("/healthz", 200)):
        answer = await browser.get(path)
        assert answer.status_code == status
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_page_is_small_and_loads_only_from_here(
    browser: httpx.AsyncClient, account: Any, main: asyncpg.Pool
) -> None:
    await branded(main, account, logo=GIF)
    page = await browser.get(f"/preview/{account.shown}")
    assert "<script" not in page.text
    assert "style=" not in page.text
    loaded = re.findall(r'<(?:link|img)[^>]*(?:href|src)="([^"]+)"', page.text)
    size = len(page.content)
    for path in loaded:
        if path == "data:,":
            continue
        assert path.startswith("/")
        found = await browser.get(path)
        assert found.status_code == 200
        assert "immutable" in found.headers["Cache-Control"]
        size += len(found.content)
    assert len(loaded) == 3
    assert size < 50_000


async def test_a_page_is_in_the_accounts_look(browser: httpx.AsyncClient, account: Any, main: asyncpg.Pool) -> None:
    before = (await browser.get(f"/preview/{account.shown}")).text
    assert "Todoku Shop" in before
    await branded(
        main,
        account,
        name="届く<商店>",
        accent="#7a1f5c",
        postal_address="東京都千代田区1-1",
        contact="03-0000-0000",
        links=(Link({"ja": "規約"}, "https://shop.example.jp/terms"),),
        texts={"en": {"title": "Our news"}},
    )
    page = (await browser.get(f"/preview/{account.shown}", params={"lang": "en"})).text
    for said in (
        "届く&lt;商店&gt;",
        "東京都千代田区1-1",
        "03-0000-0000",
        "規約",
        "https://shop.example.jp/terms",
        "Our news",
    ):
        assert said in page
    path = re.findall(r'rel="stylesheet" href="([^"]+)"', page)[0]
    assert path not in before
    assert "--accent:#7a1f5c" in (await browser.get(path)).text


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "ja"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "fr, ja;q=0.2, en;q=0.1", "ja"),
        ("", "fr", "ja"),
        ("en", "ja", "en"),
        ("xx", "en", "en"),
    ],
)
async def test_the_reader_is_spoken_to_in_their_language(
    browser: httpx.AsyncClient, account: Any, asked: str, accepted: str, language: str
) -> None:
    answer = await browser.get(
        f"/preview/{account.shown}", params={"lang": asked}, headers={"Accept-Language": accepted}
    )
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text


async def test_errors_are_pages_in_plain_words(browser: httpx.AsyncClient, new_id: Any) -> None:
    for path in (
        "/nothing",
        "/preview/acc_x",
        f"/preview/{ids.encode('acc', new_id())}",
        "/logo/x",
        "/style/x-y-1.css",
    ):
        answer = await browser.get(path, headers={"Accept-Language": "ja"})
        assert answer.status_code == 404
        assert "ページが見つかりません" in answer.text


async def test_a_database_that_is_away_is_a_page_that_says_when_to_come_back(
    browser: httpx.AsyncClient, account: Any, main_pages: asyncpg.Pool
) -> None:
    await main_pages.close()
    answer = await browser.get(f"/preview/{account.shown}", headers={"Accept-Language": "en"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Nothing was changed" in answer.text


async def test_a_fault_of_ours_shows_nothing_of_itself(app: FastAPI, browser: httpx.AsyncClient) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("taro@example.jp")

    answer = await browser.get("/broken")
    assert answer.status_code == 500
    assert "taro" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_one_may_ask_so_often_and_is_told_when_again(services: Any) -> None:
    mine, other = (Limit("test", whose, most=2, seconds=60) for whose in ("me", "them"))
    await services.limits.count([mine, other])
    await services.limits.count([mine])
    with pytest.raises(TooOften) as refused:
        await services.limits.count([mine])
    assert 55 <= refused.value.seconds <= 60
    await services.limits.count([other])


async def test_a_limits_time_goes_by(services: Any, main_owner: asyncpg.Pool) -> None:
    limit = Limit("test", "me", most=1, seconds=60)
    await services.limits.count([limit])
    await main_owner.execute("UPDATE app.clock_offset SET shift = '61 seconds'")
    await services.limits.count([limit])
    with pytest.raises(TooOften):
        await services.limits.count([limit])


async def test_no_row_of_a_limit_tells_whose_it_is(services: Any, main_owner: asyncpg.Pool) -> None:
    await services.limits.count([Limit("network", "192.0.2.0/24", most=2, seconds=60)])
    [row] = await main_owner.fetch("SELECT subject FROM rate_limit")
    assert b"192" not in row["subject"]


async def test_the_usual_branding_can_be_kept(main: asyncpg.Pool, account: Any) -> None:
    kept = await BrandingStore(main).change(account.account_id, BrandingFields(), revision=1)
    assert kept.fields == BrandingFields()
    assert kept.name == "Todoku Shop"
