"""The page about leaving: what the button ends, what it says afterwards, and the way back."""

import asyncpg
import httpx
import pytest

from api import meters
from core.clock import Clock
from core.ids import IdSource
from core.tokens import SLOT_OPEN, LinkSigner
from members.members import MemberStore
from members.scopes import topic_scope
from scheduler import chores
from tests.integration.pages.reader import Reader, form_of
from tests.support.postgres import shift_clock
from tracking import tallies

ENGLISH = {"accept-language": "en"}


async def standing(main: asyncpg.Pool) -> list[tuple[str, bool]]:
    rows = await main.fetch("SELECT scope, lifted_at FROM stop WHERE reason = 'unsubscribed' ORDER BY occurred_at")
    return [(row["scope"], row["lifted_at"] is None) for row in rows]


async def test_looking_changes_nothing_and_says_what_the_button_ends(
    browser: httpx.AsyncClient, main: asyncpg.Pool, reader: Reader
) -> None:
    page = await browser.get(reader.leaving, headers=ENGLISH)
    assert page.status_code == 200
    assert "This button ends the mail from Todoku Shop about “Weekly”" in page.text
    assert "End all mail from Todoku Shop" in page.text
    japanese = await browser.get(reader.leaving, headers={"accept-language": "ja"})
    assert '<html lang="ja">' in japanese.text
    assert "週刊" in japanese.text
    assert await main.fetchval("SELECT count(*) FROM event") == 0
    assert await standing(main) == []
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_the_button_leaves_the_topic_at_once_and_the_other_one_everything(
    browser: httpx.AsyncClient, main: asyncpg.Pool, reader: Reader
) -> None:
    page = await browser.get(reader.leaving, headers=ENGLISH)
    answer = await browser.post(reader.leaving, data=form_of(page, reader.leaving, what="topic"))
    assert (answer.status_code, answer.headers["location"]) == (303, reader.leaving)
    assert await standing(main) == [(topic_scope(reader.topic_id), True)]
    left = await browser.get(reader.leaving, headers=ENGLISH)
    assert "You will get no more mail from Todoku Shop about “Weekly”." in left.text
    await browser.post(reader.leaving, data=form_of(left, reader.leaving, what="all"))
    assert await standing(main) == [(topic_scope(reader.topic_id), True), ("all", True)]
    assert "You will get no more mail from Todoku Shop." in (await browser.get(reader.leaving, headers=ENGLISH)).text
    counted = {one.kind: (one.total, one.people) for one in await tallies.read(main, [reader.run_id])}
    assert counted["unsubscribe"] == (2, 1)


async def test_a_reason_is_counted_once_for_a_mail_and_only_from_the_list(
    browser: httpx.AsyncClient, main: asyncpg.Pool, reader: Reader
) -> None:
    page = await browser.get(reader.leaving)
    await browser.post(reader.leaving, data=form_of(page, reader.leaving, what="all"))
    form = form_of(await browser.get(reader.leaving), f"{reader.leaving}/why")
    for why in ("no such reason", "too_many", "other"):
        answer = await browser.post(f"{reader.leaving}/why", data={**form, "why": why})
        assert answer.status_code == 303
    assert [row["reason"] for row in await main.fetch("SELECT reason FROM leaving")] == ["too_many"]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("what", ["topic", "all"])
async def test_leaving_can_be_taken_back_whether_the_vault_was_told_or_not(
    browser: httpx.AsyncClient,
    main: asyncpg.Pool,
    main_owner: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    stops: asyncpg.Pool,
    store: MemberStore,
    reader: Reader,
    what: str,
    told: bool,
) -> None:
    page = await browser.get(reader.leaving)
    await browser.post(reader.leaving, data=form_of(page, reader.leaving, what=what))
    if told:
        await chores.carry_stops(main, stops)
        left = await store.get(reader.account_id, reader.member.member_id)
        assert (left.status, left.topics) != ("active", (reader.topic_id,))
    for owner in (main_owner, vault_owner):
        await shift_clock(owner, 6)
    path = f"{reader.leaving}/undo"
    answer = await browser.post(path, data=form_of(await browser.get(reader.leaving), path, what=what))
    assert answer.status_code == 303
    assert all(not holds for _, holds in await standing(main))
    await chores.carry_stops(main, stops)
    back = await store.get(reader.account_id, reader.member.member_id)
    assert (back.status, back.topics) == ("active", (reader.topic_id,))
    said = [record.kind for record in await store.consents(reader.account_id, reader.member.member_id)]
    assert said.count("withdrawn") == 1
    assert said[-1] == "given"
    version = (await store.consents(reader.account_id, reader.member.member_id))[-1].form_version
    assert await main.fetchval("SELECT content ->> 'text' FROM consent_wording WHERE version = $1", version)


async def test_only_our_own_form_leaves(
    browser: httpx.AsyncClient, main: asyncpg.Pool, reader: Reader, signer: LinkSigner, new_id: IdSource, clock: Clock
) -> None:
    form = form_of(await browser.get(reader.leaving), reader.leaving, what="all")
    elsewhere = [
        await browser.post(reader.leaving, data={"what": "all"}),
        await browser.post(reader.leaving, data={**form, "stamp": form["stamp"][:-2]}),
        await browser.post(reader.leaving, data=form, headers={"sec-fetch-site": "cross-site"}),
        await browser.post(reader.leaving, data=form, headers={"origin": "https://evil.example"}),
    ]
    assert {answer.status_code for answer in elsewhere} == {403}
    opens = signer.mint(reader.run_id, reader.seq, [SLOT_OPEN])[0]
    nobody = LinkSigner({1: b"x" * 32}, 1).mint(reader.run_id, reader.seq, [1])[0]
    other = signer.mint(new_id(), 1, [1])[0]
    for token in (opens, nobody, other, reader.leaving[3:-1] + "A"):
        assert (await browser.get(f"/u/{token}")).status_code == 404
        assert (await browser.post(f"/u/{token}", data=form)).status_code == 404
    assert await standing(main) == []


async def test_leaving_is_counted_under_its_route_and_not_its_address(
    browser: httpx.AsyncClient, reader: Reader
) -> None:
    def answers() -> dict[tuple[str, ...], float]:
        return {
            tuple(sample.labels[name] for name in ("method", "route", "status")): sample.value
            for metric in meters.REQUESTS.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

    before = answers()
    page = await browser.get(reader.leaving)
    await browser.post(reader.leaving, data=form_of(page, reader.leaving))
    leaving = ("POST", "/u/{token}", "303")
    assert answers()[leaving] == before.get(leaving, 0) + 1
    assert not [labels for labels in answers() if reader.leaving in labels]
