"""What the caller does: cancel, close, and raise where it is called back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.smtp.outgoing import Outcome
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import PATIENT, Letter, both, chained, deliver, until_unusable
from tests.support.scripted_smtp import DROP, STALL, Scripted


class Full(OSError):  # noqa: N818 - what the disk of the journal is
    """There is no room."""


def full_disk(*_: object) -> None:
    raise Full


class Deaf(Letter):
    """A message whose `done` fails."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Callable[[Outcome], None] = full_disk


class Unwritable(Letter):
    """A message whose `on_start` fails."""

    def __init__(self) -> None:
        super().__init__()
        self.on_start = full_disk


async def cancel(task: "asyncio.Task[Letter] | asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@both
async def test_a_cancelled_message_aborts_the_connection(open_to: Open, extensions: tuple[str, ...]) -> None:
    server = Scripted(extensions=extensions, script={"BODY": STALL})
    reached = asyncio.Event()
    server.on_body = reached.set
    connection = await open_to(server)
    letter = Letter()
    sending = asyncio.create_task(deliver(connection, letter))
    await reached.wait()
    await cancel(sending)
    async with asyncio.timeout(5):
        await server.gone.wait()
    assert (letter.came_to, connection.usable) == ("outcome-unknown aborted", False)


@both
async def test_a_message_cancelled_in_its_envelope_was_not_started(open_to: Open, extensions: tuple[str, ...]) -> None:
    server = Scripted(extensions=extensions, script={"MAIL": STALL})
    connection = await open_to(server)
    letter = Letter()
    sending = asyncio.create_task(connection.send(letter))
    while len(server.lines) < 2:  # noqa: ASYNC110 - the server's state, which has no event
        await asyncio.sleep(0)
    await cancel(sending)
    assert (letter.came_to, letter.started, connection.usable) == ("not-started aborted", False, False)


async def test_a_cancellation_in_a_chain_tells_both(open_to: Open) -> None:
    server = Scripted(script={"BODY": STALL})
    reached = asyncio.Event()
    server.on_body = reached.set
    connection = await open_to(server)
    first, second = Letter(), Letter()
    await connection.send(first)
    sending = asyncio.create_task(connection.send(second))
    await reached.wait()
    await cancel(sending)
    assert (first.came_to, second.came_to) == ("outcome-unknown aborted", "not-started aborted")
    assert not connection.usable


@both
async def test_what_on_start_raises_reaches_the_caller_with_nothing_sent(
    open_to: Open, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    letter = Unwritable()
    with pytest.raises(Full):
        await deliver(connection, letter)
    async with asyncio.timeout(5):
        await server.gone.wait()
    assert (server.messages, letter.outcomes, connection.usable) == ([], [], False)


async def test_what_on_start_raises_in_a_chain_leaves_the_next_message_unstarted(open_to: Open) -> None:
    server = Scripted()
    connection = await open_to(server)
    first, second = Unwritable(), Letter()
    await connection.send(first)
    with pytest.raises(Full):
        await connection.send(second)
    async with asyncio.timeout(5):
        await server.gone.wait()
    assert (first.outcomes, second.came_to, connection.usable) == ([], "not-started aborted", False)
    assert server.messages == []
    assert server.lines[-1] == "DATA"
    await connection.close()


@both
async def test_what_done_raises_reaches_the_caller(open_to: Open, extensions: tuple[str, ...]) -> None:
    connection = await open_to(Scripted(extensions=extensions))
    with pytest.raises(Full):
        await deliver(connection, Deaf())
    if extensions[0] == "PIPELINING":
        assert not connection.usable


async def test_what_done_raises_in_a_chain_leaves_the_next_message_unstarted(open_to: Open) -> None:
    connection = await open_to(Scripted())
    second = Letter()
    await connection.send(Deaf())
    with pytest.raises(Full):
        await connection.send(second)
    assert (second.came_to, connection.usable) == ("not-started aborted", False)


@pytest.mark.parametrize("call", ["send", "flush", "close"])
async def test_what_done_raises_while_nobody_waits_reaches_the_next_caller(open_to: Open, call: str) -> None:
    server = Scripted()
    connection = await open_to(server)
    await connection.send(Deaf())
    server.hang_up(DROP)
    await until_unusable(connection)
    letter = Letter()
    with pytest.raises(Full):
        await (connection.send(letter) if call == "send" else getattr(connection, call)())
    assert letter.came_to == ("not-started lost" if call == "send" else "")


async def test_closing_cuts_off_a_body_that_is_held(open_to: Open) -> None:
    server = Scripted()
    connection = await open_to(server)
    letter = Letter()
    await connection.send(letter)
    await connection.close()
    assert (letter.came_to, letter.started, connection.usable) == ("not-started aborted", False, False)
    async with asyncio.timeout(5):
        await server.gone.wait()
    # It would be taken for the body's first line.
    assert not any(b"QUIT" in segment for segment in server.segments)


@pytest.mark.parametrize("call", ["send", "flush"])
async def test_nothing_is_begun_on_a_transport_that_is_closing(open_to: Open, call: str) -> None:
    connection = await open_to(Scripted())
    held, next_one = Letter(), Letter()
    await connection.send(held)
    # As the loop does when a write or a read fails; the connection hears of it one turn later.
    connection._transport.abort()  # type: ignore[attr-defined]
    await (connection.send(next_one) if call == "send" else connection.flush())
    async with asyncio.timeout(5):
        await held.ended.wait()
    assert (held.came_to, held.started) == ("not-started lost", False)
    assert next_one.came_to == ("not-started lost" if call == "send" else "")


async def test_closing_cuts_off_what_is_under_way_and_lets_its_sender_go_on(open_to: Open) -> None:
    server = Scripted(script={"BODY": STALL})
    reached = asyncio.Event()
    server.on_body = reached.set
    connection = await open_to(server)
    sending = asyncio.create_task(chained(connection))
    await reached.wait()
    await connection.close()
    first, second = await sending
    assert (first.came_to, second.came_to) == ("outcome-unknown aborted", "not-started aborted")


async def test_a_goodbye_that_is_not_answered_is_not_waited_for_long(open_to: Open) -> None:
    server = Scripted(script={"QUIT": STALL})
    connection = await open_to(server, timeouts=replace(PATIENT, quit=0.1))
    await deliver(connection)
    async with asyncio.timeout(3):
        await connection.close()
    assert (server.lines[-1], connection.usable) == ("QUIT", False)
