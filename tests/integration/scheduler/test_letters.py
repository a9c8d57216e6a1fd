"""Letters: asked for once, sent once, to whom the law of each kind allows, by the way that all mail goes."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from members.reach import MemberReach
from scheduler.branding import BrandingFields, BrandingStore
from scheduler.letters import Kind, LetterDispatch, LetterStore, send_letters
from scheduler.letters.kinds import ALLOWED
from tests.support.campaigns import Stage, add_members
from tracking.verify import verify


def dispatch(stage: Stage) -> LetterDispatch:
    return LetterDispatch(stage.main, MemberReach(stage.vault), new_id=stage.new_id, pages_url="https://my.example.jp")


async def ask(stage: Stage, kind: Kind, *members: UUID, **more: Any) -> list[UUID]:
    letters = [stage.new_id() for _ in members]
    await send_letters(stage.main, kind, stage.account_id, list(zip(letters, members, strict=True)), **more)
    return letters


async def runs(stage: Stage) -> list[asyncpg.Record]:
    return await stage.main.fetch(
        "SELECT run_id, state, kind, snapshot, campaign_id, body ->> 'subject' AS subject"
        " FROM run JOIN content USING (content_id) ORDER BY run_id"
    )


async def dropped(stage: Stage) -> dict[UUID, str]:
    rows = await stage.main.fetch("SELECT letter_id, dropped FROM letter WHERE dropped IS NOT NULL")
    return {row["letter_id"]: row["dropped"] for row in rows}


async def test_a_batch_is_one_run_for_each_kind_and_language(stage: Stage) -> None:
    members = await stage.members(5)
    await ask(stage, Kind.CONFIRM, *members[:3])
    await ask(stage, Kind.CONFIRM, members[3], languages=["en-GB"])
    await ask(stage, Kind.SIGN_IN, members[4])
    assert await dispatch(stage).once() == 5
    made = await runs(stage)
    assert [(row["kind"], row["state"], row["snapshot"], row["campaign_id"]) for row in made] == [
        ("letter", "running", count, None) for count in (3, 1, 1)
    ]
    name = str(stage.account_id)
    assert [row["subject"] for row in made] == [
        f"【{name}】登録のご確認",
        f"Please confirm: mail from {name}",
        f"【{name}】ログイン用のリンク",
    ]
    chunks = await stage.main.fetch("SELECT last_seq, lane.pool FROM chunk JOIN lane USING (run_id) ORDER BY chunk_id")
    assert [(row["last_seq"], row["pool"]) for row in chunks] == [(3, "fast"), (1, "fast"), (1, "fast")]
    assert all(check.ok for check in await verify(stage.main))
    assert await dispatch(stage).once() == 0


async def test_a_letter_that_is_asked_for_twice_is_sent_once(stage: Stage) -> None:
    [member] = await stage.members(1)
    letter = stage.new_id()
    for _ in range(2):
        await send_letters(stage.main, Kind.CONFIRM, stage.account_id, [(letter, member)])
        await dispatch(stage).once()
    assert [row["snapshot"] for row in await runs(stage)] == [1]


async def test_two_letters_to_one_member_go_one_after_the_other(stage: Stage) -> None:
    [member] = await stage.members(1)
    await ask(stage, Kind.CONFIRM, member, member)
    await dispatch(stage).once()
    await dispatch(stage).once()
    assert [row["snapshot"] for row in await runs(stage)] == [1, 1]


async def test_processes_that_take_up_letters_at_once_send_each_once(stage: Stage) -> None:
    members = await stage.members(60)
    await ask(stage, Kind.CONFIRM, *members)
    await asyncio.gather(*(dispatch(stage).once() for _ in range(3)))
    await dispatch(stage).once()
    sent = await stage.main.fetchval("SELECT count(DISTINCT member_id) FROM recipient")
    assert (sent, await stage.main.fetchval("SELECT count(*) FROM recipient")) == (60, 60)


@pytest.mark.parametrize("status", ["active", "paused", "pending", "unsubscribed", "bounced"])
async def test_each_kind_goes_to_whom_its_law_allows(stage: Stage, status: str) -> None:
    member = stage.new_id()
    await add_members(stage.vault, stage.account_id, [member], status="pending" if status == "pending" else "active")
    if status not in {"pending", "active"}:
        until = "app.now() + interval '1 day'" if status == "paused" else "NULL"
        await stage.vault.execute(f"UPDATE member SET status = $1, paused_until = {until}", status)
    reason = None if status == "active" else status
    kinds = [kind for kind in Kind if kind is not Kind.CONFIRM_NEW_ADDRESS]
    letters = {kind: (await ask(stage, kind, member))[0] for kind in kinds}
    await dispatch(stage).once()
    left_out = await dropped(stage)
    assert {kind for kind, letter in letters.items() if letter not in left_out} == {
        kind for kind in kinds if reason in ALLOWED[kind]
    }
    assert set(left_out.values()) <= {status}


async def test_who_complained_or_is_gone_gets_none(stage: Stage) -> None:
    [member] = await stage.members(1)
    await stage.vault.execute(
        "INSERT INTO suppression (account_id, hash, reason, occurred_at)"
        " SELECT account_id, suppression_hash, 'complained', app.now() FROM member"
    )
    [complained] = await ask(stage, Kind.SIGN_IN, member)
    [gone] = await ask(stage, Kind.SIGN_IN, stage.new_id())
    await dispatch(stage).once()
    assert await dropped(stage) == {complained: "complained", gone: "gone"}


async def test_a_letter_to_who_left_the_lists_is_sent_and_holds_the_law(stage: Stage) -> None:
    [member] = await stage.members(1)
    await stage.main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        stage.account_id,
        member,
    )
    await ask(stage, Kind.ERASE, member)
    await dispatch(stage).once()
    assert [row["snapshot"] for row in await runs(stage)] == [1]


async def test_without_a_sender_nothing_is_sent_and_the_letter_says_why(stage: Stage, main_owner: asyncpg.Pool) -> None:
    [member] = await stage.members(1)
    await main_owner.execute("DELETE FROM sender")
    [letter] = await ask(stage, Kind.SIGN_IN, member)
    await dispatch(stage).once()
    assert await dropped(stage) == {letter: "no_sender"}


async def test_a_letter_has_the_accounts_name_and_words_are_frozen_once(stage: Stage) -> None:
    members = await stage.members(3)
    store = BrandingStore(stage.main)
    await store.change(stage.account_id, BrandingFields(name="届く{商店}", language="en"), revision=1)
    for member in members[:2]:
        await ask(stage, Kind.CONFIRM, member)
        await dispatch(stage).once()
    assert await stage.main.fetchval("SELECT count(*) FROM content") == 1
    branding = await store.get(stage.account_id)
    await store.change(stage.account_id, BrandingFields(name="別の店"), revision=branding.revision)
    await ask(stage, Kind.CONFIRM, members[2])
    await dispatch(stage).once()
    assert await stage.main.fetchval("SELECT count(*) FROM content") == 2


async def test_a_letter_is_found_by_its_delivery_and_answered_once(stage: Stage, main_pages: asyncpg.Pool) -> None:
    [member] = await stage.members(1)
    subject = stage.new_id()
    [letter_id] = await ask(stage, Kind.CONFIRM, member, subjects=[subject])
    await dispatch(stage).once()
    [run] = await runs(stage)
    store = LetterStore(main_pages)
    letter = await store.opened(run["run_id"], 1)
    assert (letter.letter_id, letter.member_id, letter.kind, letter.subject_id) == (
        letter_id,
        member,
        "confirm",
        subject,
    )
    assert (letter.expired, letter.answered) == (False, None)
    assert await store.answer(letter_id, "disowned") == "disowned"
    assert await store.answer(letter_id, "accepted") == "disowned"
    assert await store.recent(stage.account_id, member, Kind.CONFIRM, seconds=60) == 1


async def test_the_pages_may_ask_for_letters_and_make_no_mail(stage: Stage, main_pages: asyncpg.Pool) -> None:
    [member] = await stage.members(1)
    await send_letters(main_pages, Kind.SIGN_IN, stage.account_id, [(stage.new_id(), member)])
    for statement in (
        "INSERT INTO letter (run_id, seq) VALUES (NULL, NULL)",
        "UPDATE letter SET member_id = letter_id",
        "SELECT * FROM recipient",
        "SELECT * FROM content",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await main_pages.execute(statement)
