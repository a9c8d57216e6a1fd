"""What mail that comes in by SMTP does in the tables, and what it is answered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from core.errors import InvalidInput, Unavailable
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.inbound import DOMAIN, LETTER, OPERATOR, address, arf, dsn, inbound
from tests.support.postgres import Server, lasting_databases
from tests.support.runs import Run, make_run
from tracking import tallies
from tracking.verify import verify


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, str], tuple[int, int]]:
    return {(t.kind, t.detail): (t.total, t.people) for t in await tallies.read(main, [run.run_id])}


async def stops(main: asyncpg.Pool, run: Run) -> list[tuple[object, str]]:
    found = await main.fetch("SELECT * FROM stop WHERE account_id = $1 ORDER BY occurred_at", run.account_id)
    return [(row["member_id"], row["reason"]) for row in found]


@pytest.fixture(scope="module")
def shared(postgres_server: Server) -> Iterator[Dsns]:
    """One pair of databases for all tests here, each with accounts of its own."""
    with lasting_databases(postgres_server) as made:
        yield made


@pytest.fixture
def dsns(shared: Dsns) -> Dsns:
    return shared


async def test_a_hard_bounce_is_counted_and_stops_its_member_at_once(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id)
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(address(run, 2), dsn()) == 250
    assert await counted(main, run) == {("bounce", "hard"): (1, 1)}
    assert await stops(main, run) == [(run.members[1], "bounced")]
    row = await main.fetchrow("SELECT * FROM bounce WHERE run_id = $1", run.run_id)
    assert (row["reason"], row["status"]) == ("no_such_user", "5.1.1")
    assert "User unknown" in row["evidence"]
    assert [check.faults for check in await verify(main, run.run_id)] == [()]


async def test_the_same_mail_again_counts_nothing_however_it_came(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id)
    way = b"Received: from a\r\n by b; today\r\nReturn-Path: <>\r\n"
    async with inbound(main_inbound, tmp_path) as there:
        copies = [dsn(), dsn(), way + dsn(), dsn()]
        assert {await there.deliver(address(run, 1), copy) for copy in copies} == {250}
        answers = await asyncio.gather(*(there.deliver(address(run, 2), dsn()) for _ in range(8)))
        assert set(answers) == {250}
        assert await there.deliver(address(run, 1), dsn(mark="2")) == 250
    assert await counted(main, run) == {("bounce", "hard"): (3, 2)}


async def test_soft_bounces_stop_a_member_after_three_in_fifteen_days_and_ours_never_do(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    first = await make_run(main, new_id, recipients=2)
    account, member = first.account_id, first.members[0]
    runs = [first]
    for _ in range(3):
        run = await make_run(main, new_id, recipients=2, account_id=account)
        same = "UPDATE recipient SET member_id = $2 WHERE run_id = $1 AND seq = 1"
        await main_owner.execute(same, run.run_id, member)
        runs.append(run)
    full, blocked = dsn("552 5.2.2 Mailbox full"), dsn("550 5.7.1 blocked using zen.spamhaus.org")
    async with inbound(main_inbound, tmp_path) as there:
        for run in runs:
            await there.deliver(address(run, 2), blocked)
        await there.deliver(address(runs[0], 1), full)
        await main_owner.execute("UPDATE strike SET at = at - interval '15 days 1 hour' WHERE member_id = $1", member)
        for run in runs[1:3]:
            await there.deliver(address(run, 1), full)
            await there.deliver(address(run, 1), dsn("552 5.2.2 Mailbox full", mark="again"))
        assert await stops(main, first) == []
        await there.deliver(address(runs[3], 1), full)
    assert await stops(main, first) == [(member, "bounced")]
    assert await counted(main, runs[0]) == {("bounce", "soft"): (1, 1), ("bounce", "policy"): (1, 1)}


async def test_an_account_says_how_many_soft_bounces_stop_and_none_at_all_may(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    once, never = await make_run(main, new_id), await make_run(main, new_id)
    await main.execute("UPDATE account SET soft_bounces = 1 WHERE account_id = $1", once.account_id)
    await main.execute("UPDATE account SET soft_bounces = 0 WHERE account_id = $1", never.account_id)
    async with inbound(main_inbound, tmp_path) as there:
        for run in (once, never):
            assert await there.deliver(address(run, 1), dsn("452 4.2.2 over quota")) == 250
    assert await stops(main, once) == [(once.members[0], "bounced")]
    assert await stops(main, never) == []


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed"])
async def test_what_is_delayed_or_delivered_is_no_bounce(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path, action: str
) -> None:
    run = await make_run(main, new_id)
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(address(run, 1), dsn(action=action)) == 250
    assert await counted(main, run) == {}


async def test_a_complaint_stops_its_member_by_its_own_address_or_by_a_token_in_the_mail_that_it_returns(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id, recipients=4)
    header = f"List-Unsubscribe: <https://t.example.jp{run.unsubscribe_path(2)}>,\r\n <mailto:{address(run, 2)}>"
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(address(run, 1, "complaint"), arf("From: news@example.jp")) == 250
        assert await there.deliver(f"abuse@{DOMAIN}", arf(header), sender="fbl@provider.example") == 250
        assert await there.deliver(address(run, 3, "complaint"), arf("From: x@example.jp", kind="not-spam")) == 250
        # The member's address proves nothing, and two deliveries in one report speak of nobody.
        assert await there.deliver(f"abuse@{DOMAIN}", arf("To: taro@example.com")) == 250
        two = f"X: {address(run, 3)}\r\nY: {address(run, 4)}"
        assert await there.deliver(f"abuse@{DOMAIN}", arf(two)) == 250
        assert [mail.why for mail in there.kept.all()] == ["no_token", "no_token"]
    assert await counted(main, run) == {("complaint", ""): (2, 2)}
    assert await stops(main, run) == [(member, "complained") for member in run.members[:2]]


async def test_any_mail_to_the_unsubscribe_address_unsubscribes_unless_a_server_wrote_it(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id)
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(address(run, 1, "unsubscribe"), b"\r\n", sender="taro@example.com") == 250
        assert await there.deliver(address(run, 2, "unsubscribe"), dsn(), sender="") == 250
    assert await counted(main, run) == {("unsubscribe", ""): (1, 1)}
    assert await stops(main, run) == [(run.members[0], "unsubscribed")]
    assert [check.faults for check in await verify(main, run.run_id)] == [()]


async def test_a_reply_goes_on_to_the_sender_and_an_out_of_office_note_does_not(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id, body={"sender": {"reply_to": None, "address": "shop@example.jp"}})
    to = address(run, 1, "reply")
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(to, LETTER, sender="taro@corp.example") == 250
        assert await there.deliver(to, b"Auto-Submitted: auto-replied\r\n" + LETTER, sender="taro@corp.example") == 250
        [envelope] = there.sent.envelopes
        assert (envelope.recipient, envelope.return_path) == ("shop@example.jp", f"postmaster@{DOMAIN}")
        assert envelope.message.endswith(LETTER)
        assert envelope.message.startswith(f"Delivered-To: {to}\r\nReceived: by in.example.jp".encode())
        assert await there.deliver(to, envelope.message, sender="taro@corp.example") == 554
        there.sent.fails = Unavailable("later")
        assert await there.deliver(to, LETTER, sender="taro@corp.example") == 451
        there.sent.fails = InvalidInput("no")
        assert await there.deliver(to, LETTER, sender="taro@corp.example") == 554
    assert await counted(main, run) == {("bounce", "auto_reply"): (1, 1)}
    assert await stops(main, run) == []


async def test_mail_for_the_operator_goes_to_the_operator_or_waits_for_one(
    main_inbound: asyncpg.Pool, tmp_path: Path
) -> None:
    async with inbound(main_inbound, tmp_path) as there:
        for to in (f"abuse@{DOMAIN}", f"Postmaster@{DOMAIN.upper()}"):
            assert await there.deliver(to, LETTER, sender="taro@corp.example") == 250
        assert [envelope.recipient for envelope in there.sent.envelopes] == [OPERATOR, OPERATOR]
    async with inbound(main_inbound, tmp_path, operator="") as there:
        assert await there.deliver(f"abuse@{DOMAIN}", LETTER, sender="taro@corp.example") == 250
        [mail] = there.kept.all()
        assert (mail.why, there.kept.read(mail.name)) == ("for_operator", LETTER)


async def test_what_nobody_can_read_waits_for_a_person_and_a_full_directory_is_said_to_the_sender(
    main: asyncpg.Pool, main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id)
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(60))
    async with inbound(main_inbound, tmp_path, kept_bytes=len(nested) + 10) as there:
        assert await there.deliver(address(run, 1), nested) == 250
        assert await there.deliver(address(run, 1), nested) == 250
        assert await there.deliver(address(run, 1), b"X: 1\r\n" + nested) == 451
        [mail] = there.kept.all()
        assert mail.why == "unreadable"
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()} == {0o600}
        there.kept.remove(mail.name)
        assert await there.deliver(address(run, 1), b"X: 1\r\n" + nested) == 250
    assert await counted(main, run) == {}


async def test_a_delivery_whose_rows_are_gone_is_nobodys(
    main_inbound: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    run = Run(new_id(), new_id(), new_id(), [], 0)
    async with inbound(main_inbound, tmp_path) as there:
        assert await there.deliver(address(run, 1), dsn()) == 250
