"""A worker against a real Postgres and the real mailbox: what receivers get and what the tables say of it."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

from core.ids import IdSource
from core.ways_out import RelaySettings
from deploy import ports
from tests.support.delivery import Members, arrange_run, outcomes, running_worker, settled
from tests.support.mailbox import RunningMailbox, running_mailbox
from tests.support.waiting import eventually


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[RunningMailbox]:
    async with running_mailbox(tmp_path / "mailbox") as running:
        yield running


def relay(mailbox: RunningMailbox, connections: int = 4) -> RelaySettings:
    return RelaySettings(host="127.0.0.1", port=mailbox.smtp_port, tls="none", connections=connections)


@pytest.fixture
def free_port() -> int:
    return ports.free_port()


async def received(mailbox: RunningMailbox) -> Counter[str]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{mailbox.url}/messages.jsonl", params={"limit": 100_000})
    return Counter(one for line in answer.text.splitlines() for one in orjson.loads(line)["rcpt_to"])


def addresses(count: int, domain: str = "example.jp") -> list[str]:
    return [f"member{n}@{domain}" for n in range(count)]


async def test_every_recipient_gets_one_message_and_one_accepted_result(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(230))
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(run.addresses)
    assert await outcomes(main, run.run_id) == {"accepted": 230}
    tally = await main.fetchval("SELECT sum(total) FROM tally_delta WHERE kind = 'accepted'")
    assert tally == 230
    assert await main.fetchval("SELECT first_sent_at IS NOT NULL FROM run")


async def test_refusals_end_deferrals_return_and_only_unknown_users_are_stopped(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(
        main,
        new_id,
        [*addresses(20), "bounce-550.1@example.jp", "bounce-552.1@example.jp", "defer-451-twice@example.jp"],
    )
    async with running_worker(main, run.members, tmp_path, relay(mailbox), retry_first=0.2, retry_cap=0.4):
        await settled(main, run.run_id)
    assert await outcomes(main, run.run_id) == {"accepted": 21, "failed": 2}
    assert await main.fetchval("SELECT count(*) FROM result WHERE outcome = 'deferred'") == 2
    stopped = await main.fetch("SELECT member_id, reason FROM stop")
    assert [run.members.held[row["member_id"]].address for row in stopped] == ["bounce-550.1@example.jp"]
    details = [row["detail"] for row in await main.fetch("SELECT detail FROM result WHERE detail IS NOT NULL")]
    assert details
    assert not any("example.jp" in detail for detail in details)


async def test_a_deferral_that_outlives_the_schedule_ends_as_expired(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, ["defer-451@example.jp"])
    async with running_worker(main, run.members, tmp_path, relay(mailbox), retry_first=0.1, retry_for=0.5):
        await settled(main, run.run_id)
    reasons = await main.fetch("SELECT outcome::text, reason FROM result WHERE run_id = $1 ORDER BY try", run.run_id)
    assert len(reasons) > 1
    assert tuple(reasons[-1]) == ("failed", "expired")


async def test_small_runs_begin_at_once_beside_a_large_one_that_fills_the_worker(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    large = await arrange_run(main, new_id, addresses(4_000), chunk=1_000)
    slow = relay(mailbox).model_copy(update={"rate": 400.0})
    async with running_worker(main, large.members, tmp_path, slow) as worker:
        await eventually(lambda: _accepted(main, large.run_id, 50))
        small = [
            await arrange_run(main, new_id, addresses(5, f"small{n}.example"), members=large.members) for n in range(20)
        ]
        before = await main.fetchval("SELECT count(*) FROM result WHERE run_id = $1", large.run_id)
        for run in small:
            await eventually(lambda run=run: _accepted(main, run.run_id, 1), within=20)  # type: ignore[misc]
        meanwhile = await main.fetchval("SELECT count(*) FROM result WHERE run_id = $1", large.run_id) - before
        assert not worker.done()
        await main.execute("UPDATE run SET state = 'pausing'")
    # What it had in hand of the large one was a thousand and more.
    assert meanwhile < 500


async def _accepted(main: asyncpg.Pool, run_id: UUID, count: int) -> bool:
    found: int = await main.fetchval("SELECT count(*) FROM result WHERE run_id = $1", run_id)
    return found >= count


async def test_a_stop_before_the_intent_leaves_the_member_out_and_says_why(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(5))
    left = next(one for one in run.members.held.values() if one.address == "member3@example.jp")
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        run.account_id,
        left.member_id,
    )
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert "member3@example.jp" not in await received(mailbox)
    assert [row["reason"] for row in await main.fetch("SELECT reason FROM omission")] == ["unsubscribed"]
    assert await main.fetchval("SELECT total FROM tally_delta WHERE kind = 'suppressed'") == 1


async def test_a_topic_s_stop_leaves_the_member_out_of_that_topic_s_run_alone(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(4))
    about, other = new_id(), new_id()
    await main.execute("UPDATE run SET topic_id = $1", about)
    first, second, third, _ = run.members.held
    for member, topic in ((first, about), (second, other), (third, about)):
        await main.execute(
            "INSERT INTO stop (account_id, member_id, scope, reason, occurred_at) "
            "VALUES ($1, $2, 'topic:' || $3::uuid, 'unsubscribed', app.now())",
            *(run.account_id, member, topic),
        )
    # Who leaves all mail besides is left out once.
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        *(run.account_id, third),
    )
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(["member1@example.jp", "member3@example.jp"])
    assert await main.fetchval("SELECT sum(total) FROM tally_delta WHERE kind = 'suppressed'") == 2


async def test_a_stop_that_was_lifted_keeps_nobody_out(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(2))
    for member, lifted in zip(run.members.held, ("app.now()", "NULL"), strict=True):
        await main.execute(
            "INSERT INTO stop (account_id, member_id, reason, occurred_at, lifted_at) "
            f"VALUES ($1, $2, 'unsubscribed', app.now() - interval '1 minute', {lifted})",
            *(run.account_id, member),
        )
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(["member0@example.jp"])


async def test_a_member_erased_since_the_snapshot_is_omitted(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(5))
    del run.members.held[next(iter(run.members.held))]
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert (await received(mailbox)).total() == 4
    assert [row["reason"] for row in await main.fetch("SELECT reason FROM omission")] == ["erased"]


async def test_a_connection_lost_after_the_dot_is_uncertain_and_never_sent_again(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, [*addresses(10), "drop-after-dot@example.jp", "drop-in-data@example.jp"])
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    counts = await outcomes(main, run.run_id)
    assert counts["uncertain"] == 2
    assert counts["accepted"] == 10
    assert (await received(mailbox))["drop-after-dot@example.jp"] == 1


async def test_uncertain_is_sent_again_where_the_campaign_says_so(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, ["drop-after-dot@example.jp"], resend_uncertain=True)
    async with running_worker(main, run.members, tmp_path, relay(mailbox), retry_first=0.1, retry_cap=0.1):

        async def sent_twice() -> bool:
            return (await received(mailbox))["drop-after-dot@example.jp"] >= 2

        await eventually(sent_twice)
    assert await main.fetchval("SELECT count(*) FROM intent") >= 2


async def test_a_paused_run_is_handed_back_and_nothing_of_it_arrives_afterwards(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(3_000), chunk=500)
    async with running_worker(main, run.members, tmp_path, relay(mailbox, 2)):

        async def some() -> bool:
            return bool(await main.fetchval("SELECT EXISTS (SELECT FROM result WHERE run_id = $1)", run.run_id))

        await eventually(some)
        await main.execute("UPDATE lane SET state = 'held' WHERE run_id = $1", run.run_id)
        await main.execute("UPDATE run SET state = 'pausing' WHERE run_id = $1", run.run_id)

        async def none_leased() -> bool:
            return not await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE state = 'leased')")

        await eventually(none_leased)
        before = await received(mailbox)
        assert 0 < before.total() < 3_000
        accepted = (await outcomes(main, run.run_id))["accepted"]
        assert accepted == before.total()
        await main.execute("UPDATE run SET state = 'running' WHERE run_id = $1", run.run_id)
        await main.execute("UPDATE lane SET state = 'running' WHERE run_id = $1", run.run_id)
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(run.addresses)


async def test_a_worker_that_is_stopped_hands_its_work_back_for_the_next(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, addresses(2_000), chunk=500)
    async with running_worker(main, run.members, tmp_path, relay(mailbox, 2)):

        async def some() -> bool:
            return bool(await main.fetchval("SELECT EXISTS (SELECT FROM result WHERE run_id = $1)", run.run_id))

        await eventually(some)
    assert not list((tmp_path / "journal").iterdir())
    assert not await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE state = 'leased')")
    async with running_worker(main, run.members, tmp_path, relay(mailbox)):
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(run.addresses)


async def test_a_relay_that_is_down_costs_no_attempt(
    main: asyncpg.Pool, new_id: IdSource, tmp_path: Path, free_port: int
) -> None:
    run = await arrange_run(main, new_id, addresses(5))
    down = RelaySettings(host="127.0.0.1", port=free_port, tls="none", connections=2)
    async with running_worker(main, run.members, tmp_path, down, slice_seconds=0.5):

        async def handed_back() -> bool:
            return bool(await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE state = 'done')"))

        await eventually(handed_back)
    assert await main.fetchval("SELECT count(*) FROM intent") == 0
    assert await main.fetchval("SELECT count(*) FROM chunk WHERE state = 'ready'") == 1


async def test_running_lanes_share_what_is_sent_as_their_weights(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    members = Members()
    lanes = {
        weight: await arrange_run(
            main, new_id, addresses(1_500, f"w{weight}.example"), chunk=20, weight=weight, members=members
        )
        for weight in (1, 2, 3)
    }
    async with running_worker(main, members, tmp_path, relay(mailbox)):
        await eventually(lambda: _accepted(main, lanes[3].run_id, 1_000), within=60)
        rows = await main.fetch("SELECT run_id, count(*) AS sent FROM result GROUP BY run_id")
        await main.execute("UPDATE run SET state = 'pausing'")
    sent = {row["run_id"]: row["sent"] for row in rows}
    total = sum(sent.values())
    shares = [sent[lanes[weight].run_id] / total for weight in (1, 2, 3)]
    assert shares == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.03)


async def test_a_relay_that_greets_and_then_turns_everyone_away_is_asked_ever_more_seldom(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, [f"defer-421.{n}@example.jp" for n in range(5)])
    async with running_worker(main, run.members, tmp_path, relay(mailbox, 1), slice_seconds=1.5):

        async def handed_back() -> bool:
            return bool(await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE state = 'done')"))

        await eventually(handed_back)
    # Without a pause there would be thousands.
    assert 0 < await main.fetchval("SELECT count(*) FROM intent") < 60
    assert set(await outcomes(main, run.run_id)) == {"released"}


async def test_a_stop_while_a_retry_waits_keeps_the_retry_from_being_sent(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path
) -> None:
    run = await arrange_run(main, new_id, ["defer-451-once.stop@example.jp", "defer-451-once.go@example.jp"])
    async with running_worker(main, run.members, tmp_path, relay(mailbox), retry_first=1.0, retry_cap=1.0):

        async def both_deferred() -> bool:
            return await outcomes(main, run.run_id) == {"deferred": 2}

        await eventually(both_deferred)
        leaving = next(one for one in run.members.held.values() if "stop" in one.address)
        await main.execute(
            "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
            *(run.account_id, leaving.member_id),
        )
        await settled(main, run.run_id)
    assert await received(mailbox) == Counter(["defer-451-once.go@example.jp"])
    assert [row["reason"] for row in await main.fetch("SELECT reason FROM omission")] == ["unsubscribed"]


async def test_several_relays_share_by_weight_and_one_that_is_down_loses_nothing(
    main: asyncpg.Pool, new_id: IdSource, mailbox: RunningMailbox, tmp_path: Path, free_port: int
) -> None:
    run = await arrange_run(main, new_id, addresses(400))
    async with running_mailbox(tmp_path / "second") as second:
        light = relay(mailbox, 2)
        heavy = RelaySettings(host="127.0.0.1", port=second.smtp_port, tls="none", connections=2, weight=3)
        down = RelaySettings(host="127.0.0.1", port=free_port, tls="none", connections=2, weight=100)
        async with running_worker(main, run.members, tmp_path, light, heavy, down):
            await settled(main, run.run_id)
        by_light, by_heavy = await received(mailbox), await received(second)
    assert by_light + by_heavy == Counter(run.addresses)
    # One of the two may be connected before the other; from then on each takes its share.
    assert 200 <= by_heavy.total() <= 360
    assert await outcomes(main, run.run_id) == {"accepted": 400}
