"""One message at a time, over a connection of either kind."""

import asyncio
import time
from dataclasses import replace

import pytest

from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import ENVELOPE, MESSAGE, PATIENT, Letter, both, deliver
from tests.support.scripted_smtp import STALL, Scripted

LARGE = replace(ENVELOPE, message=b"Subject: x\r\n\r\n" + b"." * 70 + (b"x" * 70 + b"\r\n") * 100_000)


@both
async def test_a_message_arrives_as_it_was_and_the_final_reply_comes_back(
    open_to: Open, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions, script={"BODY": "250-2.0.0 Ok: queued\n250 2.0.0 as 4F2"})
    connection = await open_to(server)
    reply = (await deliver(connection)).reply
    assert (reply.command, reply.code, reply.enhanced, reply.text) == ("BODY", 250, "2.0.0", "Ok: queued as 4F2")
    assert server.messages == [b"Subject: hello\r\n\r\n..one dot\r\n...two\r\nend\r\n.\r\n"]
    assert server.lines[1:] == [
        f"MAIL FROM:<b-1@bounce.example> SIZE={len(MESSAGE)}",
        "RCPT TO:<member@example.jp>",
        "DATA",
    ]
    assert connection.sent == 1
    assert connection.usable
    assert connection.tls is None


@both
async def test_a_connection_carries_many_messages_and_says_quit(open_to: Open, extensions: tuple[str, ...]) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    letters = [await deliver(connection) for _ in range(50)]
    await connection.close()
    assert {letter.came_to for letter in letters} == {"BODY 250"}
    assert (connection.sent, len(server.messages)) == (50, 50)
    assert server.lines[-1] == "QUIT"
    assert "RSET" not in server.lines
    assert not connection.usable


async def test_the_envelope_goes_out_before_any_of_its_replies_came(open_to: Open) -> None:
    # Were one command to wait for the reply to another, the stall would be met with nothing behind it.
    server = Scripted(script={"MAIL": STALL})
    connection = await open_to(server, timeouts=replace(PATIENT, envelope=0.1))
    assert (await deliver(connection)).came_to == "not-started timeout"
    await server.gone.wait()
    assert server.taken == b"RCPT TO:<member@example.jp>\r\nDATA\r\n"


@both
async def test_on_start_is_called_after_354_and_before_the_body(open_to: Open, extensions: tuple[str, ...]) -> None:
    letter = Letter()
    server = Scripted(extensions=extensions, on_data=lambda: letter.story.append("354"))
    server.on_body = lambda: letter.story.append("body")
    await deliver(await open_to(server), letter)
    assert letter.story == ["354", "it starts", "body", "it ends"]


@both
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("code", [450, 550])
async def test_a_refusal_names_its_command_and_the_next_message_goes_through(
    open_to: Open, extensions: tuple[str, ...], command: str, code: int
) -> None:
    server = Scripted(extensions=extensions, script={command: [f"{code} {code // 100}.7.1 no"]}, strict=True)
    connection = await open_to(server)
    letter = await deliver(connection)
    reply = letter.reply
    assert (reply.command, reply.code, reply.enhanced, reply.text) == (command, code, f"{code // 100}.7.1", "no")
    assert letter.started == (command == "BODY")
    assert (await deliver(connection)).came_to == "BODY 250"
    assert server.lines.count("RSET") == (command in ("RCPT", "DATA"))


async def test_a_354_after_a_refused_recipient_is_answered_with_an_empty_body(open_to: Open) -> None:
    server = Scripted(script={"RCPT": ["550 5.1.1 User unknown"], "BODY": ["554 5.5.1 no valid recipients"]})
    connection = await open_to(server)
    letter = Letter()
    await connection.send(letter)
    assert (letter.came_to, letter.started) == ("RCPT 550", False)
    assert server.messages == [b".\r\n"]
    assert (await deliver(connection)).came_to == "BODY 250"
    assert "RSET" not in server.lines


async def test_replies_in_one_segment_and_replies_byte_by_byte_are_read_alike(open_to: Open) -> None:
    for bytewise in (False, True):
        connection = await open_to(Scripted(bytewise=bytewise, script={"MAIL": "250-a\n250 b"}))
        assert (await deliver(connection)).came_to == "BODY 250"


@both
async def test_a_body_larger_than_all_buffers_arrives_whole(open_to: Open, extensions: tuple[str, ...]) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    assert (await deliver(connection, Letter(LARGE))).came_to == "BODY 250"
    assert len(server.messages[0]) == len(LARGE.message) + 4


class Holding(Scripted):
    """Holds the loop up for longer than the client allows, right after its final reply has left."""

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bool:
        goes_on = await super()._say(reader, writer, command)
        until = time.monotonic() + (0.2 if command == "BODY" else 0)
        while time.monotonic() < until:
            pass
        return goes_on


async def test_a_reply_that_came_while_the_loop_was_held_up_is_read(open_to: Open) -> None:
    connection = await open_to(Holding(), timeouts=replace(PATIENT, final=0.1))
    assert (await deliver(connection)).came_to == "BODY 250"
