"""Signing up, from the form to the vault: silent about who is known, bounded, and nobody's without their own yes."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core import ids
from members.member import Consent
from tests.support.signups import Desk

ADDRESS = "taro@example.jp"


async def members(vault: asyncpg.Pool) -> list[tuple[UUID, str]]:
    return [(row["member_id"], row["status"]) for row in await vault.fetch("SELECT * FROM member ORDER BY member_id")]


async def test_who_signs_up_is_active_only_after_their_own_yes(desk: Desk, vault: asyncpg.Pool) -> None:
    await desk.attributes.define(
        desk.account_id, "city", "choice", choices=desk.choices("tokyo", "osaka"), required=True, ask_at_signup=True
    )
    topic = await desk.topic("weekly")
    page = await desk.browser.get(desk.path, headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert "checked" not in page.text
    sent = await desk.send(ADDRESS, **{"a.city": "tokyo", "topic": ids.encode("top", topic), "a.name": "山田 太郎"})
    assert (sent.status_code, sent.headers["Location"].split("?")[0]) == (303, f"{desk.path}/sent")
    assert await members(vault) == []
    await desk.rounds()
    [(member_id, status)] = await members(vault)
    assert status == "pending"
    member = await desk.members.get(desk.account_id, member_id)
    assert (member.address, member.values, member.topics) == (ADDRESS, {}, ())
    link = await desk.link("confirm")
    shown = await desk.browser.get(link)
    assert shown.status_code == 200
    await desk.rounds()
    assert [status for _, status in await members(vault)] == ["pending"], "looking changes nothing"
    done = await desk.press(link, "accept")
    assert done.status_code == 200
    await desk.rounds()
    member = await desk.members.get(desk.account_id, member_id)
    assert (member.status, member.topics) == ("active", (topic,))
    assert (member.values["city"], member.values["locale"]) == ("tokyo", "en")
    records = await desk.members.consents(desk.account_id, member_id)
    assert {record.scope for record in records} == {"all", f"topic:{topic}"}
    for record in records:
        assert (record.source, record.origin) == ("sign-up form", "192.0.2.7")
        assert record.confirmed_at is not None
        assert record.form_version is not None
        wording = await desk.services.branding.wording(desk.account_id, record.form_version)
        assert wording is not None
        assert wording["topics"] == {ids.encode("top", topic): "weekly"}


async def test_the_answer_is_the_same_for_a_member_a_leaver_a_stranger_and_the_suppressed(desk: Desk) -> None:
    now = desk.clock.now()
    consent = Consent("form", now - timedelta(days=1))
    await desk.members.create(desk.account_id, "member@example.jp", consent=consent)
    left = await desk.members.create(desk.account_id, "left@example.jp", consent=consent)
    await desk.members.change(desk.account_id, left.member_id, left.revision, withdrawn_by="me")
    await desk.suppress("gone@example.jp")
    answers = []
    for who in ("member", "left", "new", "gone"):
        answer = await desk.send(f"{who}@example.jp")
        answers.append((answer.status_code, answer.headers["Location"], answer.content))
    assert len(set(answers)) == 1
    assert (await desk.browser.get(answers[0][1])).status_code == 200
    await desk.rounds()
    assert sorted(await desk.letters()) == ["already_member", "confirm", "confirm"]


async def test_who_left_is_back_after_their_yes_and_mail_to_them_runs_again(desk: Desk, main: asyncpg.Pool) -> None:
    early = desk.clock.now() - timedelta(days=2)
    left = await desk.members.create(desk.account_id, ADDRESS, consent=Consent("form", early))
    await desk.members.change(desk.account_id, left.member_id, left.revision, withdrawn_by="me")
    await desk.vault.execute("UPDATE suppression SET occurred_at = app.now() - interval '1 hour'")
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at)"
        " VALUES ($1, $2, 'unsubscribed', app.now() - interval '1 hour')",
        desk.account_id,
        left.member_id,
    )
    await desk.send(ADDRESS)
    await desk.rounds()
    await desk.press(await desk.link("confirm"), "accept")
    await desk.rounds()
    assert (await desk.members.get(desk.account_id, left.member_id)).status == "active"
    assert await main.fetchval("SELECT count(*) FROM stop WHERE lifted_at IS NULL") == 0


async def test_it_was_not_me_forgets_whom_the_form_made_and_keeps_the_form_quiet(
    desk: Desk, vault: asyncpg.Pool
) -> None:
    await desk.send(ADDRESS)
    await desk.rounds()
    link = await desk.link("confirm")
    answer = await desk.press(link, "disown")
    assert answer.status_code == 200
    await desk.rounds()
    assert await members(vault) == []
    again = await desk.press(link, "accept")
    assert "signed up" not in again.text.lower()
    await desk.send(ADDRESS)
    await desk.rounds()
    assert await desk.letters() == ["confirm"]
    assert await members(vault) == []


async def test_it_was_not_me_takes_nothing_from_a_member_that_was_there(desk: Desk) -> None:
    made = await desk.members.create(desk.account_id, ADDRESS)
    await desk.send(ADDRESS)
    await desk.rounds()
    await desk.press(await desk.link("confirm"), "disown")
    await desk.rounds()
    assert (await desk.members.get(desk.account_id, made.member_id)).status == "pending"


async def test_an_address_is_sent_three_letters_an_hour_whoever_asks(desk: Desk) -> None:
    for _ in range(5):
        assert (await desk.send(ADDRESS)).status_code == 303
    await desk.rounds()
    assert await desk.letters() == ["confirm"] * 3


async def test_a_network_may_ask_so_often_and_is_told_when_again(desk: Desk) -> None:
    desk.bound(per_network=2)
    for who in ("a", "b"):
        assert (await desk.send(f"{who}@example.jp")).status_code == 303
    refused = await desk.send("c@example.jp")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600


async def test_programs_are_not_taken_in(desk: Desk) -> None:
    assert (await desk.send(ADDRESS, website="https://spam.example")).status_code == 303
    quick = await desk.send(ADDRESS, after=0.5)
    unstamped = await desk.send(ADDRESS, stamp="")
    assert (quick.status_code, unstamped.status_code) == (200, 200)
    assert ADDRESS in unstamped.text
    assert 'name="stamp"' in unstamped.text
    assert await desk.waiting() == 0


async def test_what_another_site_sends_is_shown_once_more(desk: Desk) -> None:
    foreign = await desk.send(ADDRESS, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 200
    assert await desk.waiting() == 0


async def test_every_fault_is_told_at_once_with_what_was_typed(desk: Desk) -> None:
    await desk.attributes.define(desk.account_id, "age", "number", required=True, ask_at_signup=True)
    answer = await desk.send("taro@", consent=None, **{"a.age": "twenty"})
    assert answer.status_code == 422
    assert len(re.findall(r'class="fault"', answer.text)) == 3
    assert 'value="taro@"' in answer.text
    assert 'value="twenty"' in answer.text
    assert await desk.waiting() == 0


async def test_what_is_typed_full_width_is_folded(desk: Desk, vault: asyncpg.Pool) -> None:
    await desk.attributes.define(desk.account_id, "age", "number", ask_at_signup=True)
    await desk.attributes.define(desk.account_id, "name_kana", "text", ask_at_signup=True)

    def wide(text: str) -> str:
        return "".join(chr(ord(one) + 0xFEE0) for one in text)

    await desk.send(wide(ADDRESS), **{"a.age": wide("20"), "a.name_kana": "ﾔﾏﾀﾞ たろう"})
    await desk.rounds()
    await desk.press(await desk.link("confirm"), "accept")
    await desk.rounds()
    [(member_id, _)] = await members(vault)
    member = await desk.members.get(desk.account_id, member_id)
    assert member.address == ADDRESS
    assert (member.values["age"], member.values["name_kana"]) == (20, "ヤマダ タロウ")


async def test_an_expired_link_confirms_nothing_and_sends_a_new_one(desk: Desk, main_owner: asyncpg.Pool) -> None:
    await desk.send(ADDRESS)
    await desk.rounds()
    link = await desk.link("confirm")
    await main_owner.execute("UPDATE letter SET expires_at = app.now()")
    assert (await desk.browser.get(link)).status_code == 410
    assert (await desk.press(link, "accept")).status_code == 410
    for _ in range(6):
        answer = await desk.press(link, "again")
    assert answer.status_code == 429
    await desk.rounds()
    assert len(await desk.letters()) == 5
    fresh = await desk.link("confirm")
    assert fresh != link
    await desk.press(fresh, "accept")
    await desk.rounds()
    assert [status for _, status in await members(desk.vault)] == ["active"]


async def test_a_link_answers_by_its_own_form_alone(desk: Desk) -> None:
    await desk.send(ADDRESS)
    await desk.rounds()
    link = await desk.link("confirm")
    for data, headers in (
        ({"action": "accept"}, {}),
        ({"action": "accept", "stamp": desk.services.stamps.make("/l/another")}, {}),
        ({"action": "accept", "stamp": desk.services.stamps.make(link)}, {"Sec-Fetch-Site": "cross-site"}),
        ({"action": "accept", "stamp": desk.services.stamps.make(link)}, {"Origin": "https://evil.example"}),
    ):
        assert (await desk.browser.post(link, data=data, headers=headers)).status_code == 403
    altered = link[:-1] + ("A" if link[-1] != "A" else "B")
    assert (await desk.browser.get(altered)).status_code == 404
    assert await desk.browser.get(link.replace("/l/", "/l/x")) is not None
    await desk.rounds()
    assert [status for _, status in await members(desk.vault)] == ["pending"]


async def test_the_unconfirmed_are_forgotten_after_some_days(
    desk: Desk, stops: asyncpg.Pool, vault_owner: asyncpg.Pool
) -> None:
    own = await desk.members.create(desk.account_id, "own@example.jp")
    for who in ("own", "stranger", "confirmed"):
        await desk.send(f"{who}@example.jp")
        await desk.rounds()
    await desk.press(await desk.link("confirm"), "accept")
    await desk.rounds()
    forget = "SELECT app.forget_unconfirmed(7, 100)"
    assert await stops.fetchval(forget) == 0
    await vault_owner.execute("UPDATE app.clock_offset SET shift = '8 days'")
    assert await stops.fetchval(forget) == 3
    assert await stops.fetchval(forget) == 0
    left = dict(await members(desk.vault))
    assert left.pop(own.member_id) == "pending", "the account's own are the account's to forget"
    assert list(left.values()) == ["active"]
    assert await desk.vault.fetchval("SELECT count(*) FROM keys.member_key") == 2
    assert await desk.vault.fetchval("SELECT count(*) FROM address_index") == 2


async def test_a_form_is_its_accounts_alone(desk: Desk, new_id: Any, main: asyncpg.Pool) -> None:
    other = await desk.another_account()
    stamp = desk.services.stamps.make(desk.path)
    answer = await desk.browser.post(other, data={"email": ADDRESS, "consent": "on", "stamp": stamp})
    assert answer.status_code == 200, "a stamp of another account's form is none"
    assert await desk.waiting() == 0
    assert (await desk.browser.get(f"/f/{ids.encode('acc', new_id())}")).status_code == 404
    await main.execute("UPDATE branding SET signup_open = false WHERE account_id = $1", desk.account_id)
    desk.wait(1)
    assert (await desk.browser.get(desk.path)).status_code == 404
    assert (await desk.send(ADDRESS)).status_code == 404


async def test_the_pages_can_add_a_form_and_read_none(vault_pages: asyncpg.Pool, desk: Desk) -> None:
    await desk.send(ADDRESS)
    await desk.members.create(desk.account_id, "member@example.jp")
    for statement in (
        "SELECT * FROM signup_request",
        "DELETE FROM signup_request",
        "UPDATE signup_request SET sealed = ''",
        "SELECT hmac FROM address_index",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await vault_pages.execute(statement)
    for table in ("member", "keys.member_key"):
        assert await vault_pages.fetch(f"SELECT * FROM {table}") == [], "a row is seen without a proof"
    [row] = await desk.vault.fetch("SELECT sealed FROM signup_request")
    assert b"taro" not in row["sealed"]


async def test_programs_have_the_same_form_in_json(desk: Desk) -> None:
    shown = (await desk.browser.get(f"/v1/forms/{desk.shown}", headers={"Accept-Language": "ja"})).json()
    body = {"email": ADDRESS, "consent": True, "wording": shown["wording"], "stamp": shown["stamp"]}
    path = f"/v1/forms/{desk.shown}?lang=ja"
    early = await desk.browser.post(path, json=body)
    assert early.status_code == 403
    desk.wait(3)
    wrong = await desk.browser.post(path, json={**body, "email": "x", "attributes": {"nothing": 1}})
    assert wrong.status_code == 400
    for _ in range(2):
        taken = await desk.browser.post(path, json=body)
        assert (taken.status_code, taken.json()) == (202, {"status": "accepted"})
    await desk.rounds()
    assert await desk.letters() == ["confirm", "confirm"]


async def test_a_batch_that_meets_another_writer_is_taken_up_again(desk: Desk) -> None:
    for who in range(3):
        await desk.send(f"m{who}@example.jp")
    made = await desk.members.create(desk.account_id, "m1@example.jp", consent=Consent("form", desk.clock.now()))
    await desk.rounds()
    assert sorted(await desk.letters()) == ["already_member", "confirm", "confirm"]
    assert (await desk.members.get(desk.account_id, made.member_id)).status == "active"


async def test_the_same_address_twice_in_a_batch_is_one_member(desk: Desk) -> None:
    await desk.send(ADDRESS)
    await desk.send("TARO@example.jp")
    await desk.rounds()
    assert len(await members(desk.vault)) == 1
    await desk.press(await desk.link("confirm"), "accept")
    await desk.rounds()
    assert [status for _, status in await members(desk.vault)] == ["active"]
    assert await desk.waiting() == 0
