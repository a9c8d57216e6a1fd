"""How a connection ends by the peer's doing, and what the messages under way on it come to."""

import asyncio
from dataclasses import replace

import pytest

from delivery.smtp.peer import Timeouts
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import (
    ENVELOPE,
    PATIENT,
    SEQUENTIAL,
    Letter,
    both,
    chained,
    deliver,
    until_unusable,
)
from tests.support.scripted_smtp import DROP, HALF_CLOSE, RESET, STALL, Scripted

LARGE = replace(ENVELOPE, message=b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 200_000)
COMMANDS = ["MAIL", "RCPT", "DATA", "BODY"]


def on_second(command: str, what: str) -> dict[str, str | list[str]]:
    """Return a script that takes the first message's command and not the second's."""
    return {command: ["354 ok" if command == "DATA" else "250 ok", what]}


@both
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_421_is_the_messages_reply_and_ends_the_connection(
    open_to: Open, extensions: tuple[str, ...], command: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: "421 4.3.2 closing"}))
    assert (await deliver(connection)).came_to == f"{command} 421"
    assert not connection.usable
    assert (await deliver(connection)).came_to == "not-started lost"
    assert connection.sent == 1


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_421_in_a_chain_is_the_reply_of_whom_it_answers(open_to: Open, command: str) -> None:
    connection = await open_to(Scripted(script=on_second(command, "421 4.3.2 closing")))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("BODY 250", f"{command} 421")
    assert not connection.usable


async def test_a_421_to_a_body_leaves_the_next_message_unstarted(open_to: Open) -> None:
    connection = await open_to(Scripted(script={"BODY": "421 4.3.2 closing"}))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to, second.started) == ("BODY 421", "not-started lost", False)
    assert not connection.usable


async def test_a_421_after_a_refusal_does_not_take_its_place(open_to: Open) -> None:
    connection = await open_to(Scripted(script={"RCPT": "550 no", "DATA": "421 4.7.0 and goodbye"}))
    assert (await deliver(connection)).came_to == "RCPT 550"
    assert not connection.usable


@both
@pytest.mark.parametrize("fault", [DROP, RESET, HALF_CLOSE])
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_lost_connection_is_uncertain_only_once_the_body_has_begun(
    open_to: Open, extensions: tuple[str, ...], command: str, fault: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: fault}))
    letter = await deliver(connection)
    assert letter.came_to == ("outcome-unknown lost" if command == "BODY" else "not-started lost")
    assert letter.started == (command == "BODY")
    assert not connection.usable


@pytest.mark.parametrize("fault", [DROP, RESET, HALF_CLOSE])
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_connection_lost_in_a_chain_leaves_what_was_answered(open_to: Open, command: str, fault: str) -> None:
    connection = await open_to(Scripted(script=on_second(command, fault)))
    first, second = await chained(connection)
    assert first.came_to == "BODY 250"
    assert second.came_to == ("outcome-unknown lost" if command == "BODY" else "not-started lost")


@pytest.mark.parametrize("fault", [DROP, RESET, HALF_CLOSE])
async def test_a_connection_lost_in_a_body_takes_the_next_envelope_with_it(open_to: Open, fault: str) -> None:
    connection = await open_to(Scripted(script={"BODY": fault}))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("outcome-unknown lost", "not-started lost")
    assert (first.started, second.started) == (True, False)


@pytest.mark.parametrize("fault", [DROP, RESET, HALF_CLOSE])
async def test_a_body_that_was_only_held_is_not_started_when_the_peer_leaves(open_to: Open, fault: str) -> None:
    server = Scripted()
    connection = await open_to(server)
    letter = Letter()
    await connection.send(letter)
    server.hang_up(fault)
    await until_unusable(connection)
    await connection.flush()
    async with asyncio.timeout(5):
        await letter.ended.wait()
    assert (letter.came_to, letter.started, server.messages) == ("not-started lost", False, [])


@pytest.mark.parametrize(
    ("said", "comes_to"),
    [
        ("421 4.4.2 we have waited for too long\n", "not-started lost"),
        ("250 what?\n", "not-started protocol"),
        ("25", "not-started protocol"),
    ],
)
async def test_what_is_said_to_a_body_that_is_held_ends_the_connection(open_to: Open, said: str, comes_to: str) -> None:
    server = Scripted()
    connection = await open_to(server)
    letter = Letter()
    await connection.send(letter)
    server.say(said)
    await until_unusable(connection)
    assert (letter.came_to, letter.started) == (comes_to, False)
    assert (await deliver(connection)).came_to == "not-started lost"


async def test_a_farewell_to_an_idle_connection_makes_it_unusable(open_to: Open) -> None:
    server = Scripted()
    connection = await open_to(server)
    assert (await deliver(connection)).came_to == "BODY 250"
    server.say("421 4.4.2 idle for too long\n")
    await until_unusable(connection)
    assert (await deliver(connection)).came_to == "not-started lost"


ONE_SHORT = {
    "RSET": replace(PATIENT, envelope=0.2),
    "MAIL": replace(PATIENT, envelope=0.2),
    "RCPT": replace(PATIENT, envelope=0.2),
    "DATA": replace(PATIENT, data=0.2),
    "BODY": replace(PATIENT, final=0.2),
}


@both
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_stall_ends_in_the_time_allowed_for_its_phase(
    open_to: Open, extensions: tuple[str, ...], command: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: STALL}), timeouts=ONE_SHORT[command])
    async with asyncio.timeout(3):
        letter = await deliver(connection)
    assert letter.came_to == ("outcome-unknown timeout" if command == "BODY" else "not-started timeout")
    assert not connection.usable


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_stall_in_a_chain_ends_in_the_time_allowed_for_its_phase(open_to: Open, command: str) -> None:
    connection = await open_to(Scripted(script=on_second(command, STALL)), timeouts=ONE_SHORT[command])
    async with asyncio.timeout(3):
        first, second = await chained(connection)
    assert first.came_to == "BODY 250"
    assert second.came_to == ("outcome-unknown timeout" if command == "BODY" else "not-started timeout")


async def test_a_stall_after_a_body_leaves_the_next_message_unstarted(open_to: Open) -> None:
    connection = await open_to(Scripted(script={"BODY": STALL}), timeouts=ONE_SHORT["BODY"])
    async with asyncio.timeout(3):
        first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("outcome-unknown timeout", "not-started timeout")


async def test_a_stall_of_the_reset_is_bounded_as_well(open_to: Open) -> None:
    server = Scripted(script={"RCPT": ["550 no"], "RSET": STALL}, strict=True)
    connection = await open_to(server, timeouts=ONE_SHORT["RSET"])
    await connection.send(Letter())
    async with asyncio.timeout(3):
        assert (await deliver(connection)).came_to == "not-started timeout"


async def test_a_peer_that_takes_nothing_in_is_given_up(open_to: Open) -> None:
    server = Scripted(script={"MIDBODY": STALL})
    connection = await open_to(server, timeouts=replace(PATIENT, body=0.1))
    first, second = Letter(LARGE), Letter()
    await connection.send(first)
    async with asyncio.timeout(3):
        await connection.send(second)
    server.released.set()
    assert (first.came_to, second.came_to) == ("outcome-unknown timeout", "not-started timeout")


async def test_a_body_that_is_only_held_takes_no_time_from_anyone(open_to: Open) -> None:
    connection = await open_to(Scripted(), timeouts=Timeouts(envelope=0.2, data=0.2, body=0.2, final=0.2))
    letter = Letter()
    await connection.send(letter)
    expired = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.3, expired.set_result, None)
    await expired
    assert (letter.outcomes, connection.usable) == ([], True)
    await connection.flush()
    assert letter.came_to == "BODY 250"


@pytest.mark.parametrize(
    ("said", "comes_to"),
    [
        ("552 5.3.4 too big", ("BODY 552", "not-started lost")),
        ("250 yes", ("outcome-unknown protocol", "not-started protocol")),
    ],
)
async def test_a_refusal_in_mid_body_counts_and_an_acceptance_does_not(
    open_to: Open, said: str, comes_to: tuple[str, str]
) -> None:
    server = Scripted(script={"MIDBODY": said})
    connection = await open_to(server)
    first, second = Letter(LARGE), Letter()
    await connection.send(first)
    await connection.send(second)
    assert (first.came_to, second.came_to, connection.usable) == (*comes_to, False)
    server.released.set()


@both
@pytest.mark.parametrize("command", ["MAIL", "DATA", "BODY"])
@pytest.mark.parametrize("reply", ["250 " + "x" * 40_000, "hello", "2x0 ok", "399 what"])
async def test_what_is_no_reply_ends_the_connection(
    open_to: Open, extensions: tuple[str, ...], command: str, reply: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: reply}))
    letter = await deliver(connection)
    assert letter.came_to == ("outcome-unknown protocol" if command == "BODY" else "not-started protocol")
    assert not connection.usable


@pytest.mark.parametrize("reply", ["250 " + "x" * 8_192, "250-x\n" * 64 + "250 x", "250-a\n550 b"])
async def test_a_reply_over_a_bound_or_in_two_minds_ends_a_pipelined_connection(open_to: Open, reply: str) -> None:
    connection = await open_to(Scripted(script={"RCPT": reply}))
    assert (await deliver(connection)).came_to == "not-started protocol"


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("reply", ["250 " + "x" * 8_192, "hello", "399 what"])
async def test_what_is_no_reply_in_a_chain_leaves_the_final_reply_before_it(
    open_to: Open, command: str, reply: str
) -> None:
    connection = await open_to(Scripted(script=on_second(command, reply)))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("BODY 250", "not-started protocol")


@pytest.mark.parametrize(
    ("script", "comes_to"),
    [
        ({"DATA": "354 go\n250 queued"}, ("not-started protocol", "not-started lost")),
        ({"DATA": "354 go\n2"}, ("not-started protocol", "not-started lost")),
        ({"BODY": ["250 queued\n250 and again"]}, ("BODY 250", "not-started protocol")),
        ({"BODY": ["250 queued\n354 go on"]}, ("BODY 250", "not-started protocol")),
        ({"BODY": ["250 queued\nhello"]}, ("BODY 250", "not-started protocol")),
        ({"DATA": ["354 go", "354 go\n250 queued"]}, ("BODY 250", "not-started protocol")),
        ({"BODY": ["250 one", "250 two\n250 three"]}, ("BODY 250", "BODY 250")),
    ],
)
async def test_more_replies_than_asked_for_end_the_connection(
    open_to: Open, script: dict[str, str | list[str]], comes_to: tuple[str, str]
) -> None:
    connection = await open_to(Scripted(script=script))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == comes_to
    await until_unusable(connection)


async def test_a_sequential_peer_loses_only_the_message_under_way(open_to: Open) -> None:
    connection = await open_to(Scripted(extensions=SEQUENTIAL, script=on_second("MAIL", DROP)))
    first, second = await chained(connection)
    assert (first.came_to, second.came_to) == ("BODY 250", "not-started lost")
