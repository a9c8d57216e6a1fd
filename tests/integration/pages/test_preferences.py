"""What a member chooses by a mail's link, each choice in effect where it is honoured."""

from datetime import timedelta

import asyncpg
import httpx
import pytest

from core import ids
from core.clock import Clock
from core.ids import IdSource
from members.attributes import AttributeStore
from members.members import MemberStore
from members.moving import Moving
from members.scopes import topic_scope
from members.topics import KIND, TopicStore
from scheduler.moves import Moves
from tests.integration.pages.reader import Reader, form_of
from tests.support.signups import Desk

ENGLISH = {"accept-language": "en"}


def wide(text: str) -> str:
    """As a Japanese keyboard types it."""
    return "".join(chr(ord(char) + 0xFEE0) if char.isdigit() or char == "," else char for char in text)


async def test_each_choice_is_saved_by_itself_and_shown_as_it_stands(
    browser: httpx.AsyncClient, vault: asyncpg.Pool, store: MemberStore, reader: Reader, new_id: IdSource, clock: Clock
) -> None:
    attributes = AttributeStore(vault, new_id)
    await attributes.define(reader.account_id, "birthday", "date", label={"en": "Birthday"}, member_editable=True)
    await attributes.define(reader.account_id, "points", "number", member_editable=True)
    await attributes.define(reader.account_id, "secret_note", "text")
    member = await store.get(reader.account_id, reader.member.member_id)
    await store.change(
        reader.account_id, member.member_id, member.revision, values={"name": "山田太郎", "secret_note": "VIP"}
    )

    async def send(part: str, **fields: str) -> httpx.Response:
        form = form_of(await browser.get(reader.choices, headers=ENGLISH), f"{reader.choices}/{part}")
        return await browser.post(f"{reader.choices}/{part}", data={**form, **fields}, headers=ENGLISH)

    for part, fields in (
        ("frequency", {"days": "30"}),
        ("tracking", {"tracking": "aggregate"}),
        ("details", {"detail-birthday": wide("1990-04-01"), "detail-points": wide("1,200")}),
        ("pause", {"days": "7"}),
        ("language", {"language": "ja"}),
    ):
        answer = await send(part, **fields)
        assert (part, answer.status_code) == (part, 303)
        assert answer.headers["location"] == f"{reader.choices}?saved={part}"
    chosen = await store.get(reader.account_id, reader.member.member_id)
    assert (chosen.least_days, chosen.tracking, chosen.status) == (30, "aggregate", "paused")
    assert chosen.paused_until is not None
    assert timedelta(days=6.9) < chosen.paused_until - clock.now() < timedelta(days=7.1)
    assert chosen.values == {
        "name": "山田太郎", "secret_note": "VIP", "birthday": "1990-04-01", "points": 1200, "locale": "ja",
    }  # fmt: skip
    shown = await browser.get(reader.choices, headers=ENGLISH)
    # The member's own language goes before the browser's.
    assert '<html lang="ja">' in shown.text
    assert 'value="1990-04-01"' in shown.text
    # Whom a mail was forwarded to sees nothing that the account did not open.
    for hidden in ("VIP", "山田太郎", "taro@example.jp"):
        assert hidden not in shown.text

    wrong = await send("details", **{"detail-birthday": "soon", "detail-points": "many"})
    assert wrong.status_code == 400
    assert 'href="#detail-birthday"' in wrong.text
    assert 'href="#detail-points"' in wrong.text
    assert (await send("pause", days="0")).status_code == 303
    assert (await store.get(reader.account_id, reader.member.member_id)).status == "active"


async def test_topics_are_left_at_once_and_joined_by_a_consent_to_what_was_shown(
    browser: httpx.AsyncClient,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    store: MemberStore,
    reader: Reader,
    new_id: IdSource,
) -> None:
    daily = (await TopicStore(vault, new_id).create(reader.account_id, "daily", {"ja": "毎日"})).topic_id
    path = f"{reader.choices}/topics"
    form = form_of(await browser.get(reader.choices), path)
    await browser.post(path, data={**form, "topic": ids.encode(KIND, daily)})
    scopes = await main.fetch("SELECT scope, carried_at FROM stop WHERE lifted_at IS NULL")
    assert [tuple(row) for row in scopes] == [(topic_scope(reader.topic_id), None)]
    now = await store.get(reader.account_id, reader.member.member_id)
    assert now.topics == (daily,)
    records = await store.consents(reader.account_id, now.member_id)
    joined = [one for one in records if one.source == "preferences"]
    assert [(one.kind, one.scope) for one in joined] == [("given", "all"), ("given", topic_scope(daily))]
    assert [one.scope for one in records if one.kind == "withdrawn"] == [topic_scope(reader.topic_id)]
    content = await main.fetchval("SELECT content FROM consent_wording WHERE version = $1", joined[0].form_version)
    assert content["topics"][ids.encode(KIND, daily)] == "毎日"


@pytest.mark.parametrize(
    ("part", "fields"), [("pause", {"days": "9999"}), ("tracking", {"tracking": "all"}), ("x", {})]
)
async def test_what_is_not_offered_is_not_taken(
    browser: httpx.AsyncClient, store: MemberStore, reader: Reader, part: str, fields: dict[str, str]
) -> None:
    stamp = form_of(await browser.get(reader.choices), f"{reader.choices}/topics")
    assert (await browser.post(f"{reader.choices}/{part}", data={**stamp, **fields})).status_code == 404
    assert (await browser.post(f"{reader.choices}/{part}", data=fields)).status_code in {403, 404}
    assert await store.get(reader.account_id, reader.member.member_id) == reader.member


async def test_an_address_changes_once_both_have_said_yes_to_the_same_change(
    desk: Desk, browser: httpx.AsyncClient, main: asyncpg.Pool, vault: asyncpg.Pool, store: MemberStore, reader: Reader
) -> None:
    moves = Moves(main, Moving(vault, desk.rings, store))
    path = f"{reader.choices}/address"

    async def ask(address: str) -> httpx.Response:
        form = form_of(await browser.get(reader.choices, headers=ENGLISH), path)
        answer = await browser.post(path, data={**form, "address": address}, headers=ENGLISH)
        await desk.rounds()
        return answer

    async def address() -> str:
        while await moves.carry():
            pass
        return (await store.get(reader.account_id, reader.member.member_id)).address

    assert "This is not a mail address." in (await ask("nowhere")).text
    assert (await ask("first@example.jp")).headers["location"] == f"{reader.choices}?saved=address"
    old_links = [await desk.link(kind) for kind in ("confirm_new_address", "address_changing")]
    await desk.press(old_links[0], "accept")
    assert await address() == "taro@example.jp"
    # Asked for anew: what was said to the first change is no word about the second.
    await ask("second@example.jp")
    await desk.press(old_links[1], "accept")
    assert await address() == "taro@example.jp"
    links = [await desk.link(kind) for kind in ("confirm_new_address", "address_changing")]
    assert "to another address" in (await browser.get(links[1], headers=ENGLISH)).text
    for link in links:
        await desk.press(link, "accept")
    assert await address() == "second@example.jp"

    await ask("third@example.jp")
    await desk.press(await desk.link("confirm_new_address"), "accept")
    await desk.press(await desk.link("address_changing"), "disown")
    assert await address() == "second@example.jp"
    assert await vault.fetchval("SELECT count(*) FROM new_address") == 0
