"""A body that is held back, and goes out together with the next envelope (RFC 2920 section 3.1)."""

import asyncio
from dataclasses import replace

import pytest

from delivery.smtp.errors import Unsendable
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import ENVELOPE, PATIENT, Letter, chained, deliver
from tests.support.scripted_smtp import STALL, Certificate, Scripted


@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "under TLS"])
async def test_a_body_and_the_next_envelope_leave_in_one_segment(
    open_to: Open, certificate: Certificate, tls: bool
) -> None:
    server = Scripted(starttls=certificate.server_context() if tls else None)
    connection = await open_to(server, tls="encrypted" if tls else "none")
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("BODY 250", "BODY 250")
    (segment,) = [one for one in server.segments if b"MAIL" in one and b"Subject" in one]
    assert segment.startswith(b"Subject: hello\r\n")
    assert b"\r\n.\r\nMAIL FROM:<b-1@bounce.example>" in segment
    assert segment.endswith(b"\r\nDATA\r\n")


async def test_a_body_stays_here_until_the_next_message_or_a_flush(open_to: Open) -> None:
    server = Scripted()
    connection = await open_to(server)
    first, second = Letter(), Letter()
    await connection.send(first)
    assert (first.story, server.messages, connection.usable) == ([], [], True)
    await connection.send(second)
    assert (first.came_to, second.story, len(server.messages)) == ("BODY 250", [], 1)
    await connection.flush()
    assert (second.came_to, len(server.messages)) == ("BODY 250", 2)
    await connection.flush()
    assert len(server.messages) == 2


async def test_in_a_chain_each_message_ends_before_the_next_one_starts(open_to: Open) -> None:
    story: list[str] = []
    server = Scripted()
    connection = await open_to(server)
    names = [str(n) for n in range(30)]
    for name in names:
        envelope = replace(ENVELOPE, message=f"Subject: {name}\r\n\r\nhi\r\n".encode())
        await connection.send(Letter(envelope, name=name, story=story))
    await connection.flush()
    assert story == [f"{name} {what}" for name in names for what in ("starts", "ends")]
    assert [message.split(b"\r\n")[0] for message in server.messages] == [f"Subject: {n}".encode() for n in names]
    assert (connection.sent, server.lines.count("RSET")) == (30, 0)


@pytest.mark.parametrize("final", [250, 450, 550])
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
async def test_refusals_in_a_chain_go_each_to_its_own_message(
    open_to: Open, final: int, command: str, code: int, strict: bool
) -> None:
    script: dict[str, str | list[str]] = {"BODY": [f"{final} first"]}
    if command == "BODY":
        script["BODY"] = [f"{final} first", f"{code} no"]
    else:
        script[command] = ["354 ok" if command == "DATA" else "250 ok", f"{code} no"]
    server = Scripted(script=script, strict=strict)
    connection = await open_to(server)
    first, second = Letter(), Letter()
    await connection.send(first)
    await connection.send(second)
    assert first.came_to == f"BODY {final}"
    assert second.came_to == ("" if command == "BODY" else f"{command} {code}")
    # And two more, as if nothing had been.
    assert [letter.came_to for letter in await chained(connection)] == ["BODY 250", "BODY 250"]
    assert second.came_to == f"{command} {code}"
    assert second.started == (command == "BODY")
    # Lenient: DATA is answered 354 although the recipient was refused, and the empty body closes the envelope.
    open_envelope = command == "DATA" or (command == "RCPT" and strict)
    assert server.lines.count("RSET") == open_envelope
    assert len(server.messages) == 3 + (command == "BODY") + (command in ("MAIL", "RCPT") and not strict)


async def test_an_open_envelope_is_reset_in_the_same_write_as_the_next_one(open_to: Open) -> None:
    server = Scripted(script={"RCPT": ["550 no"]}, strict=True)
    connection = await open_to(server)
    await connection.send(Letter())
    await connection.send(Letter())
    (segment,) = [one for one in server.segments if b"RSET" in one]
    assert segment.startswith(b"RSET\r\nMAIL FROM")
    assert segment.endswith(b"DATA\r\n")


async def test_what_can_not_be_sent_leaves_the_body_before_it_as_it_was(open_to: Open) -> None:
    server = Scripted(script={"RCPT": ["550 no"]}, strict=True)
    connection = await open_to(server)
    first, second = Letter(), Letter()
    unsendable = Letter(replace(ENVELOPE, recipient="a b@example.jp"))
    for letter in (first, second):
        await connection.send(letter)
        with pytest.raises(Unsendable):
            await connection.send(unsendable)
        assert connection.usable
    await connection.flush()
    assert (first.came_to, second.came_to, unsendable.story) == ("RCPT 550", "BODY 250", [])
    assert (connection.sent, server.lines.count("RSET")) == (2, 1)


async def test_a_final_reply_is_told_although_the_next_envelopes_stay_away(open_to: Open) -> None:
    server = Scripted(script={"MAIL": ["250 ok", STALL]})
    connection = await open_to(server, timeouts=replace(PATIENT, envelope=30))
    first, second = Letter(), Letter()
    await connection.send(first)
    sending = asyncio.create_task(connection.send(second))
    async with asyncio.timeout(5):
        await first.ended.wait()
    assert (first.came_to, second.came_to) == ("BODY 250", "")
    assert not connection.usable
    await connection.close()
    await sending
    assert second.came_to == "not-started aborted"


async def test_a_refused_envelope_leaves_nothing_to_flush(open_to: Open) -> None:
    connection = await open_to(Scripted(script={"MAIL": ["450 later"]}))
    assert (await deliver(connection)).came_to == "MAIL 450"
    await connection.flush()
    assert connection.usable


async def test_a_large_body_in_a_chain_is_not_believed_accepted_too_early(open_to: Open) -> None:
    large = replace(ENVELOPE, message=b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 100_000)
    server = Scripted()
    connection = await open_to(server)
    letters = [Letter(large) for _ in range(3)]
    for letter in letters:
        await connection.send(letter)
    await connection.flush()
    assert [letter.came_to for letter in letters] == ["BODY 250"] * 3
    assert {len(message) for message in server.messages} == {len(large.message) + 3}


async def test_a_server_that_sends_reply_by_reply_under_nagles_algorithm_is_not_kept_waiting(open_to: Open) -> None:
    connection = await open_to(Scripted(nagle=True))
    loop = asyncio.get_running_loop()
    began, letters = loop.time(), [Letter() for _ in range(60)]
    for letter in letters:
        await connection.send(letter)
    await connection.flush()
    assert {letter.came_to for letter in letters} == {"BODY 250"}
    # Each delayed acknowledgement would take 0.04 s.
    assert loop.time() - began < 60 * 0.04 / 2
