"""The mailbox as a sender meets it: real SMTP on loopback."""

import asyncio
import contextlib
import os
import signal
import smtplib
import sys
import time
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import httpx
import orjson
import pytest

from core.errors import ConfigurationError
from tests.support.mailbox import RunningMailbox, running_mailbox

T = TypeVar("T")
SENDER = "news@sender.test"


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[RunningMailbox]:
    async with running_mailbox(tmp_path, slow_seconds=1, stall_seconds=0.2) as running:
        yield running


def mail(subject: str = "Hello", body: str = "text\r\n") -> bytes:
    return f"From: {SENDER}\r\nSubject: {subject}\r\n\r\n{body}".encode()


async def by_smtplib(mailbox: RunningMailbox, conversation: Callable[[smtplib.SMTP], T]) -> T:
    def talk() -> T:
        with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, local_hostname="localhost", timeout=10) as client:
            client.ehlo()
            return conversation(client)

    return await asyncio.to_thread(talk)


async def kept(mailbox: RunningMailbox) -> list[str]:
    async with httpx.AsyncClient(base_url=mailbox.url) as client:
        answer = await client.get("/messages.jsonl", params={"limit": 100_000})
    return [address for line in answer.text.splitlines() for address in orjson.loads(line)["rcpt_to"]]


class Talk:
    """A conversation by hand, for what no well-behaved client sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def say(self, *lines: str | bytes) -> None:
        for line in lines:
            self._writer.write(line.encode() + b"\r\n" if isinstance(line, str) else line)
        await self._writer.drain()

    async def code(self) -> int:
        while (line := await asyncio.wait_for(self.reader.readuntil(b"\r\n"), 10))[3:4] == b"-":
            pass
        return int(line[:3])

    async def codes(self, count: int) -> list[int]:
        return [await self.code() for _ in range(count)]

    async def is_cut(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), 10) == b""
        except ConnectionResetError:
            return True


@contextlib.asynccontextmanager
async def talking(mailbox: RunningMailbox) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.smtp_port)
    talk = Talk(reader, writer)
    assert await talk.code() == 220
    await talk.say("EHLO localhost")
    assert await talk.code() == 250
    try:
        yield talk
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def envelope(*recipients: str) -> list[str]:
    return [f"MAIL FROM:<{SENDER}>", *(f"RCPT TO:<{address}>" for address in recipients), "DATA"]


async def test_what_the_mailbox_offers_and_what_arrives(mailbox: RunningMailbox) -> None:
    def conversation(client: smtplib.SMTP) -> set[str]:
        message = EmailMessage()
        message["Subject"] = "届きました"
        message.set_content("本文\n.dot\n..\n")
        client.send_message(message, SENDER, ["花子@例え.test", "taro@x.test"], ["SMTPUTF8", "BODY=8BITMIME"])
        return set(client.esmtp_features)

    offered = await by_smtplib(mailbox, conversation)
    assert offered >= {"pipelining", "8bitmime", "smtputf8", "size"}
    assert await kept(mailbox) == ["花子@例え.test", "taro@x.test"]


async def test_pipelined_mails_are_answered_in_order_and_kept_byte_for_byte(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        for number in range(3):
            body = b"Subject: x\r\n\r\n..dot\r\n" + b"y" * 300_000 * number + b"\r\n.\r\n"
            await talk.say(*envelope(f"a{number}@x.test"), body)
        await talk.say("MAIL FROM:<>", "RCPT TO:<b@x.test>", "DATA", b".\r\n", "QUIT")
        assert await talk.codes(17) == [250, 250, 354, 250] * 4 + [221]
    async with httpx.AsyncClient(base_url=mailbox.url) as client:
        assert (await client.get("/messages/1/raw")).content == b"Subject: x\r\n\r\n.dot\r\n\r\n"
        assert len((await client.get("/messages/3/raw")).content) == 600_022
        assert (await client.get("/messages/4/raw")).content == b""
        last = orjson.loads((await client.get("/messages.jsonl?after=3")).content)
    assert (last["mail_from"], last["rcpt_to"], last["peer"], last["size"]) == ("", ["b@x.test"], "127.0.0.1", 0)


async def test_a_bounce_refuses_one_recipient_and_takes_the_other(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("bounce-550.0012@x.test", "hanako@x.test"), mail(), b".\r\n")
        assert await talk.codes(5) == [250, 550, 250, 354, 250]
        await talk.say(*envelope("bounce-554@x.test"), "RSET", *envelope("taro@x.test"), mail(), b".\r\n")
        assert await talk.codes(8) == [250, 554, 503, 250, 250, 250, 354, 250]
    assert await kept(mailbox) == ["hanako@x.test", "taro@x.test"]


async def test_a_deferral_is_counted_by_address(mailbox: RunningMailbox) -> None:
    def conversation(client: smtplib.SMTP, address: str) -> list[int]:
        codes = []
        for _ in range(4):
            client.mail(SENDER)
            codes.append(client.rcpt(address)[0])
            client.rset()
        return codes

    for address, expected in {
        "defer-451@x.test": [451, 451, 451, 451],
        "defer-451-twice.1@x.test": [451, 451, 250, 250],
        "defer-451-twice.2@x.test": [451, 451, 250, 250],
        "defer-452-once@x.test": [452, 250, 250, 250],
    }.items():
        assert await by_smtplib(mailbox, lambda client, a=address: conversation(client, a)) == expected


async def test_a_421_closes_the_connection(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("defer-421@x.test")[:2])
        assert await talk.codes(2) == [250, 421]
        assert await talk.is_cut()


async def test_drop_in_data_cuts_the_connection_and_keeps_nothing(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("drop-in-data.7@x.test"))
        assert await talk.codes(3) == [250, 250, 354]
        await talk.say("Subject: the first line")
        assert await talk.is_cut()
    assert await kept(mailbox) == []


async def test_drop_after_dot_keeps_the_mail_and_never_says_so(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("drop-after-dot@x.test"))
        assert await talk.codes(3) == [250, 250, 354]
        await talk.say(mail(), b".\r\n")
        assert await talk.is_cut()
    assert await kept(mailbox) == ["drop-after-dot@x.test"]


async def test_stall_never_answers_the_final_dot(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("stall@x.test"), mail(), b".\r\n")
        assert await talk.codes(3) == [250, 250, 354]
        assert await talk.is_cut()
    assert await kept(mailbox) == []


async def test_slow_answers_late_and_keeps_the_mail(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say(*envelope("slow@x.test"), mail(), b".\r\n")
        assert await talk.codes(3) == [250, 250, 354]
        assert await kept(mailbox) == []
        assert await talk.code() == 250
    assert await kept(mailbox) == ["slow@x.test"]


async def test_a_message_over_the_bound_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path, message_bytes=100_000) as mailbox, talking(mailbox) as talk:
        await talk.say(*envelope("a@x.test"), b"x" * 500_000 + b"\r\n.\r\n", "NOOP")
        assert await talk.codes(5) == [250, 250, 354, 552, 250]
        await talk.say(f"MAIL FROM:<{SENDER}> SIZE=100001", "NOOP " + "x" * 600)
        assert await talk.codes(2) == [552, 500]
        assert await kept(mailbox) == []


async def test_recipients_and_connections_are_bounded(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path, max_recipients=2, max_connections=2) as mailbox:
        async with talking(mailbox) as talk, talking(mailbox):
            await talk.say(*envelope("a@x.test", "b@x.test", "c@x.test")[:-1])
            assert await talk.codes(4) == [250, 250, 250, 452]
            reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.smtp_port)
            assert (await reader.read()).startswith(b"421 ")
            writer.close()
            await writer.wait_closed()
        async with talking(mailbox):
            pass


async def test_a_command_out_of_order_or_unknown_is_refused(mailbox: RunningMailbox) -> None:
    async with talking(mailbox) as talk:
        await talk.say("DATA", "RCPT TO:<a@x.test>", "WHATEVER", "MAIL FROM:no", "MAIL FROM:<a b>", "NOOP")
        assert await talk.codes(6) == [503, 503, 500, 250, 503, 250]


async def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path, idle_seconds=0.2) as mailbox, talking(mailbox) as talk:
        assert await talk.is_cut()


async def test_mail_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path) as mailbox:
        await by_smtplib(mailbox, lambda client: client.sendmail(SENDER, ["a@x.test"], mail()))
    async with running_mailbox(tmp_path) as mailbox:
        assert await kept(mailbox) == ["a@x.test"]


async def test_stopping_takes_less_than_two_seconds_with_clients_connected(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path) as mailbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.smtp_port)
        await reader.readuntil(b"\r\n")
        web_reader, web_writer = await asyncio.open_connection("127.0.0.1", mailbox.http_port)
        web_writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await web_reader.readuntil(b"\r\n")
        before = time.monotonic()
    assert time.monotonic() - before < 2
    assert (await reader.read()).startswith(b"421 ")
    for one in (writer, web_writer):
        one.close()
        await one.wait_closed()


async def test_a_taken_port_is_refused_by_name(tmp_path: Path) -> None:
    async with running_mailbox(tmp_path / "one") as mailbox:
        with pytest.raises(ConfigurationError, match=f"port {mailbox.smtp_port}"):
            async with running_mailbox(tmp_path / "two", smtp_port=mailbox.smtp_port):
                pass


async def test_bounds_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="max_bytes"):
        async with running_mailbox(tmp_path, max_bytes=1_000):
            pass


async def test_every_mail_answered_250_survives_kill_9(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.mailbox", str(tmp_path),
        cwd=Path(__file__).parents[3], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    ports = [int(port) for port in (await asyncio.wait_for(process.stdout.readline(), 20)).split()]
    answered: list[str] = []

    async def send(connection: int) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            async with talking(RunningMailbox(*ports)) as talk:
                while True:
                    address = f"m{connection}-{len(answered)}@x.test"
                    await talk.say(*envelope(address), mail(body="x" * 20_000 + "\r\n"), b".\r\n")
                    assert await talk.codes(4) == [250, 250, 354, 250]
                    answered.append(address)
                    if len(answered) == 200:
                        os.kill(process.pid, signal.SIGKILL)

    await asyncio.gather(*(send(connection) for connection in range(5)))
    await process.wait()
    async with running_mailbox(tmp_path) as mailbox:
        there = await kept(mailbox)
    assert len(answered) >= 200
    assert set(answered) <= set(there)
    assert len(there) == len(set(there)) <= len(answered) + 5


async def test_no_address_reaches_the_log(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.mailbox", str(tmp_path),
        cwd=Path(__file__).parents[3], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    ports = [int(port) for port in (await asyncio.wait_for(process.stdout.readline(), 20)).split()]
    async with talking(RunningMailbox(*ports)) as talk:
        await talk.say("hanako@x.test", "MAIL FROM:<hanako@x.test> X=1", "VRFY hanako@x.test", "EXPN hanako@x.test")
        await talk.say("RSET", *envelope("hanako@x.test", "bounce-550.hanako@x.test"), mail(), b".\r\n")
        assert await talk.codes(10) == [500, 555, 252, 502, 250, 250, 250, 550, 354, 250]
        await talk.say(*envelope("drop-after-dot.hanako@x.test"), mail(), b".\r\n")
    process.terminate()
    _, log = await process.communicate()
    assert process.returncode == 0
    assert orjson.loads(log.splitlines()[0])["event"] == "ready"
    assert b"hanako" not in log
