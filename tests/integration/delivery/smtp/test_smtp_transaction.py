import asyncio
import contextlib
import time
from dataclasses import replace

import pytest

from delivery.envelope import Envelope
from delivery.smtp.connection import Connection
from delivery.smtp.errors import Failure, NotStarted, Obstacle, OutcomeUnknown, Unsendable
from tests.integration.delivery.smtp.conftest import PATIENT, Open
from tests.support.scripted_smtp import DROP, HALF_CLOSE, RESET, STALL, Scripted

MESSAGE = b"Subject: hello\r\n\r\n.one dot\r\n..two\r\nend\r\n"
ENVELOPE = Envelope("b-1@bounce.example", "member@example.jp", MESSAGE, smtputf8=False)
SHORT = replace(PATIENT, envelope=0.1, data=0.1, body=0.1, final=0.1)

PIPELINED = ("PIPELINING", "SIZE", "8BITMIME")
SEQUENTIAL = ("SIZE", "8BITMIME")
both = pytest.mark.parametrize("extensions", [PIPELINED, SEQUENTIAL], ids=["pipelined", "sequential"])


class Starts:
    """The journal's place: counts what was begun."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def starts() -> Starts:
    return Starts()


async def until_unusable(connection: Connection) -> None:
    async with asyncio.timeout(5):
        while connection.usable:  # noqa: ASYNC110 - a property of the connection, not a state of the test's
            await asyncio.sleep(0)


@both
async def test_a_message_arrives_as_it_was_and_the_final_reply_comes_back(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions, script={"BODY": "250-2.0.0 Ok: queued\n250 2.0.0 as 4F2"})
    connection = await open_to(server)
    reply = await connection.send(ENVELOPE, on_start=starts)
    assert (reply.command, reply.code, reply.enhanced, reply.text) == ("BODY", 250, "2.0.0", "Ok: queued as 4F2")
    assert server.messages == [b"Subject: hello\r\n\r\n..one dot\r\n...two\r\nend\r\n.\r\n"]
    assert server.lines[1:] == [
        f"MAIL FROM:<b-1@bounce.example> SIZE={len(MESSAGE)}",
        "RCPT TO:<member@example.jp>",
        "DATA",
    ]
    assert starts.count == connection.sent == 1
    assert connection.usable


@both
async def test_a_connection_carries_many_messages_and_says_quit(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    for _ in range(50):
        assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
    await connection.close()
    assert (connection.sent, starts.count, len(server.messages)) == (50, 50, 50)
    assert server.lines[-1] == "QUIT"
    assert "RSET" not in server.lines
    assert not connection.usable


async def test_the_envelope_goes_out_before_any_of_its_replies_came(open_to: Open, starts: Starts) -> None:
    # Were one command to wait for the reply to another, the stall would be met with nothing behind it.
    server = Scripted(script={"MAIL": STALL})
    connection = await open_to(server, timeouts=SHORT)
    with pytest.raises(NotStarted):
        await connection.send(ENVELOPE, on_start=starts)
    await server.gone.wait()
    assert server.taken == b"RCPT TO:<member@example.jp>\r\nDATA\r\n"


@both
async def test_on_start_is_called_after_354_and_before_the_body(open_to: Open, extensions: tuple[str, ...]) -> None:
    seen: list[str] = []
    server = Scripted(extensions=extensions, on_data=lambda: seen.append("354"))
    server.on_body = lambda: seen.append("body")
    connection = await open_to(server)
    await connection.send(ENVELOPE, on_start=lambda: seen.append("start"))
    assert seen == ["354", "start", "body"]


@both
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("code", [450, 550])
async def test_a_refusal_names_its_command_and_the_next_message_goes_through(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], command: str, code: int
) -> None:
    server = Scripted(extensions=extensions, script={command: [f"{code} {code // 100}.7.1 no"]}, strict=True)
    connection = await open_to(server)
    reply = await connection.send(ENVELOPE, on_start=starts)
    assert (reply.command, reply.code, reply.enhanced, reply.text) == (command, code, f"{code // 100}.7.1", "no")
    assert starts.count == (1 if command == "BODY" else 0)
    assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
    assert ("RSET" in server.lines) == (command in ("RCPT", "DATA"))


async def test_a_354_after_a_refused_recipient_is_answered_with_an_empty_body(open_to: Open, starts: Starts) -> None:
    server = Scripted(script={"RCPT": ["550 5.1.1 User unknown"], "BODY": ["554 5.5.1 no valid recipients"]})
    connection = await open_to(server)
    reply = await connection.send(ENVELOPE, on_start=starts)
    assert (reply.command, reply.code) == ("RCPT", 550)
    assert (server.messages, starts.count) == ([b".\r\n"], 0)
    assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
    assert "RSET" not in server.lines


@both
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
async def test_a_421_is_the_messages_reply_and_ends_the_connection(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], command: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: "421 4.3.2 closing"}))
    reply = await connection.send(ENVELOPE, on_start=starts)
    assert (reply.command, reply.code) == (command, 421)
    assert not connection.usable
    with pytest.raises(NotStarted):
        await connection.send(ENVELOPE, on_start=starts)


@both
@pytest.mark.parametrize("fault", [DROP, RESET, HALF_CLOSE])
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
async def test_a_lost_connection_is_uncertain_only_once_the_body_has_begun(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], command: str, fault: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: fault}))
    expected = OutcomeUnknown if command == "BODY" else NotStarted
    with pytest.raises(expected) as caught:
        await connection.send(ENVELOPE, on_start=starts)
    assert caught.value.failure == Failure.LOST
    assert starts.count == (1 if command == "BODY" else 0)
    assert not connection.usable


@both
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "BODY"])
async def test_a_stall_ends_in_the_time_allowed(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], command: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: STALL}), timeouts=SHORT)
    expected = OutcomeUnknown if command == "BODY" else NotStarted
    with pytest.raises(expected) as caught:
        await connection.send(ENVELOPE, on_start=starts)
    assert caught.value.failure == Failure.TIMEOUT
    assert not connection.usable


@both
@pytest.mark.parametrize("command", ["MAIL", "DATA", "BODY"])
@pytest.mark.parametrize("reply", ["250 " + "x" * 40_000, "hello", "2x0 ok", "399 what"])
async def test_what_is_no_reply_ends_the_connection(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], command: str, reply: str
) -> None:
    connection = await open_to(Scripted(extensions=extensions, script={command: reply}))
    with pytest.raises(OutcomeUnknown if command == "BODY" else NotStarted) as caught:
        await connection.send(ENVELOPE, on_start=starts)
    assert caught.value.failure == Failure.PROTOCOL
    assert not connection.usable


@pytest.mark.parametrize("reply", ["250 " + "x" * 8_192, "250-x\n" * 64 + "250 x", "250-a\n550 b"])
async def test_a_reply_over_a_bound_or_in_two_minds_ends_a_pipelined_connection(
    open_to: Open, starts: Starts, reply: str
) -> None:
    connection = await open_to(Scripted(script={"RCPT": reply}))
    with pytest.raises(NotStarted) as caught:
        await connection.send(ENVELOPE, on_start=starts)
    assert caught.value.failure == Failure.PROTOCOL


async def test_a_final_reply_that_comes_with_the_354_is_not_believed(open_to: Open, starts: Starts) -> None:
    connection = await open_to(Scripted(script={"DATA": "354 go\n250 queued"}))
    with pytest.raises(NotStarted) as caught:
        await connection.send(ENVELOPE, on_start=starts)
    assert (caught.value.failure, starts.count) == (Failure.PROTOCOL, 0)


async def test_replies_in_one_segment_and_replies_byte_by_byte_are_read_alike(open_to: Open, starts: Starts) -> None:
    for bytewise in (False, True):
        connection = await open_to(Scripted(bytewise=bytewise, script={"MAIL": "250-a\n250 b"}))
        assert (await connection.send(ENVELOPE, on_start=starts)).code == 250


async def test_a_farewell_to_an_idle_connection_makes_it_unusable(open_to: Open, starts: Starts) -> None:
    connection = await open_to(Scripted(script={"BODY": "250 ok\n421 4.4.2 idle for too long"}))
    assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
    await until_unusable(connection)
    with pytest.raises(NotStarted):
        await connection.send(ENVELOPE, on_start=starts)


@both
async def test_a_cancelled_message_aborts_the_connection(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    reached = asyncio.Event()
    server = Scripted(extensions=extensions, script={"BODY": STALL}, on_data=reached.set)
    connection = await open_to(server)
    sending = asyncio.create_task(connection.send(ENVELOPE, on_start=starts))
    await reached.wait()
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending
    assert sending.cancelled()
    async with asyncio.timeout(5):
        await server.gone.wait()
    assert not connection.usable


@both
async def test_what_on_start_raises_reaches_the_caller_with_nothing_sent(
    open_to: Open, extensions: tuple[str, ...]
) -> None:
    def full_disk() -> None:
        raise OSError("full")

    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    with pytest.raises(OSError, match="full"):
        await connection.send(ENVELOPE, on_start=full_disk)
    async with asyncio.timeout(5):
        await server.gone.wait()
    assert (server.messages, connection.usable) == ([], False)


@both
@pytest.mark.parametrize(
    "address",
    [
        "a@example.jp\r\nRCPT TO:<b@example.jp>",
        "a@example.jp> SIZE=1",
        "a b@example.jp",
        "a@exa\x00mple.jp",
        "a\n@example.jp",
        '"a\r\n"@example.jp',
        "<a@example.jp>",
        "a@b@example.jp",
        "@example.jp",
        "a@",
        "",
        "a" * 300 + "@example.jp",
    ],
)
async def test_an_address_that_would_break_the_envelope_never_reaches_the_wire(
    open_to: Open, starts: Starts, extensions: tuple[str, ...], address: str
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    with pytest.raises(Unsendable) as caught:
        await connection.send(replace(ENVELOPE, recipient=address), on_start=starts)
    assert caught.value.obstacle == Obstacle.RECIPIENT
    assert address not in str(caught.value) or not address
    assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
    assert len(server.lines) == 4


@both
async def test_smtputf8_and_8bitmime_are_asked_for_where_needed_and_refused_where_not_offered(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    international = replace(ENVELOPE, recipient="太郎@例え.jp", smtputf8=True)
    eight_bit = replace(ENVELOPE, message="Subject: x\r\n\r\n届く\r\n".encode())
    server = Scripted(extensions=(*extensions, "SMTPUTF8"))
    connection = await open_to(server)
    assert (await connection.send(international, on_start=starts)).code == 250
    assert (await connection.send(eight_bit, on_start=starts)).code == 250
    assert server.lines[1].endswith(" BODY=8BITMIME SMTPUTF8")
    assert server.lines[2] == "RCPT TO:<太郎@例え.jp>"
    assert server.lines[4].endswith(" BODY=8BITMIME")
    plain = await open_to(Scripted(extensions=tuple({*extensions} - {"8BITMIME"})))
    for envelope, obstacle in [(international, Obstacle.SMTPUTF8), (eight_bit, Obstacle.EIGHT_BIT)]:
        with pytest.raises(Unsendable) as caught:
            await plain.send(envelope, on_start=starts)
        assert caught.value.obstacle == obstacle
    assert plain.usable


@both
async def test_carriers_odd_addresses_are_quoted_as_the_grammar_wants(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    for address in ("taro.@docomo.ne.jp", "ta..ro@ezweb.ne.jp", '"a b"@example.jp', "x+y@[192.0.2.1]"):
        await connection.send(replace(ENVELOPE, recipient=address), on_start=starts)
    assert [line for line in server.lines if line.startswith("RCPT")] == [
        'RCPT TO:<"taro."@docomo.ne.jp>',
        'RCPT TO:<"ta..ro"@ezweb.ne.jp>',
        'RCPT TO:<"a b"@example.jp>',
        "RCPT TO:<x+y@[192.0.2.1]>",
    ]


@both
async def test_a_body_larger_than_all_buffers_arrives_whole(
    open_to: Open, starts: Starts, extensions: tuple[str, ...]
) -> None:
    large = replace(ENVELOPE, message=b"Subject: x\r\n\r\n" + b"." * 70 + (b"x" * 70 + b"\r\n") * 100_000)
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    assert (await connection.send(large, on_start=starts)).code == 250
    assert len(server.messages[0]) == len(large.message) + 4


LARGE = replace(ENVELOPE, message=b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 200_000)


async def test_a_peer_that_takes_nothing_in_is_given_up(open_to: Open, starts: Starts) -> None:
    server = Scripted(script={"MIDBODY": STALL})
    connection = await open_to(server, timeouts=SHORT)
    with pytest.raises(OutcomeUnknown) as caught:
        await connection.send(LARGE, on_start=starts)
    server.released.set()
    assert caught.value.failure == Failure.TIMEOUT


async def test_a_refusal_in_mid_body_counts_and_an_acceptance_does_not(open_to: Open, starts: Starts) -> None:
    server = Scripted(script={"MIDBODY": "552 5.3.4 too big"})
    connection = await open_to(server)
    reply = await connection.send(LARGE, on_start=starts)
    server.released.set()
    assert (reply.command, reply.code, connection.usable) == ("BODY", 552, False)
    server = Scripted(script={"MIDBODY": "250 got it"})
    connection = await open_to(server)
    with pytest.raises(OutcomeUnknown) as caught:
        await connection.send(LARGE, on_start=starts)
    server.released.set()
    assert caught.value.failure == Failure.PROTOCOL


class Holding(Scripted):
    """Holds the loop up for longer than the client allows, right after its final reply has left."""

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bool:
        goes_on = await super()._say(reader, writer, command)
        until = time.monotonic() + (0.2 if command == "BODY" else 0)
        while time.monotonic() < until:
            pass
        return goes_on


async def test_a_reply_that_came_while_the_loop_was_held_up_is_read(open_to: Open, starts: Starts) -> None:
    connection = await open_to(Holding(), timeouts=replace(PATIENT, final=0.1))
    assert (await connection.send(ENVELOPE, on_start=starts)).code == 250
