"""The language that a reader asked for once: kept over links, forms and redirects, until they choose one for good."""

import re

import httpx

from tests.integration.pages.reader import Reader, form_of

JAPANESE = {"accept-language": "ja"}


def language(page: httpx.Response) -> str:
    return page.headers["content-language"]


async def test_a_language_is_kept_over_forms_and_redirects_until_another_is_chosen(
    browser: httpx.AsyncClient, reader: Reader
) -> None:
    browser.headers.update(JAPANESE)
    assert language(await browser.get(reader.leaving)) == "ja"
    page = await browser.get(f"{reader.leaving}?lang=en")
    kept = page.headers["set-cookie"]
    assert all(part in kept for part in ("__Host-language=en", "HttpOnly", "Secure", "SameSite=lax"))
    left = await browser.post(reader.leaving, data=form_of(page, reader.leaving), follow_redirects=True)
    assert ("You are unsubscribed" in left.text, language(left)) == (True, "en")
    choices = await browser.get(reader.choices)
    assert language(choices) == "en"
    wrong = await browser.post(
        f"{reader.choices}/address", data={**form_of(choices, f"{reader.choices}/address"), "address": "none"}
    )
    assert (wrong.status_code, language(wrong)) == (400, "en")
    [other] = re.findall(r'<a lang="ja" hreflang="ja" href="([^"]*)">', wrong.text)
    assert other == f"{reader.choices}?lang=ja"
    form = form_of(choices, f"{reader.choices}/language")
    saved = await browser.post(f"{reader.choices}/language", data={**form, "language": "ja"}, follow_redirects=True)
    assert language(saved) == "ja"
    assert language(await browser.get(reader.choices, headers={"accept-language": "en"})) == "ja"


async def test_another_language_of_a_page_keeps_what_the_page_is_of(browser: httpx.AsyncClient, reader: Reader) -> None:
    page = await browser.get(f"{reader.leaving}?thanks=true&lang=en", headers=JAPANESE)
    assert 'href="?thanks=true&amp;lang=ja"' in page.text


async def test_a_language_that_nobody_speaks_is_not_kept(browser: httpx.AsyncClient, reader: Reader) -> None:
    assert "set-cookie" not in (await browser.get(f"{reader.leaving}?lang=xx")).headers


async def test_a_refused_form_offers_no_page_that_is_not_there(browser: httpx.AsyncClient, reader: Reader) -> None:
    refused = await browser.post(f"{reader.leaving}/why", data={"stamp": "x"})
    assert refused.status_code == 403
    assert "hreflang" not in refused.text
    assert "hreflang" in (await browser.get("/nothing")).text
