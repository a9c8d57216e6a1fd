"""Replies with addresses beyond ASCII (RFC 6531, RFC 6532): they go on as they are, or their sender hears why not."""

from pathlib import Path

import aiosmtplib
import asyncpg
import pytest

from core.ids import IdSource
from delivery.single import SingleSender
from delivery.smtp.peer import Peer, Timeouts
from tests.support.inbound import LETTER, Inbound, address, inbound
from tests.support.runs import Run, make_run
from tests.support.scripted_smtp import Scripted

UTF8_LETTER = (
    "From: 太郎 <太郎@例え.jp>\r\nReply-To: 花子@例え.jp\r\nSubject: Re: 新着\r\n\r\n沖縄にも送れますか。\r\n"
).encode()
UTF8 = ("PIPELINING", "8BITMIME", "SMTPUTF8")


@pytest.fixture
async def run(main: asyncpg.Pool, new_id: IdSource) -> Run:
    return await make_run(main, new_id, body={"sender": {"reply_to": "help@shop.example.jp", "address": "a@b.example"}})


async def reply(there: Inbound, to: str, message: bytes, sender: str) -> tuple[int, str]:
    client = await there.client()
    try:
        await client.ehlo()
        await client.mail(sender, options=["SMTPUTF8"] if not sender.isascii() else [], encoding="utf-8")
        await client.rcpt(to)
        answer = await client.data(message)
    except aiosmtplib.SMTPResponseException as error:
        return error.code, error.message
    else:
        return answer.code, answer.message
    finally:
        client.close()


@pytest.mark.parametrize("sender", ["太郎@例え.jp", "taro@example.com"])
async def test_a_reply_beyond_ascii_goes_on_as_it_is_to_a_server_that_takes_it(
    main_inbound: asyncpg.Pool, run: Run, tmp_path: Path, sender: str
) -> None:
    async with Scripted(extensions=UTF8).serving() as server:
        onward = SingleSender([Peer("127.0.0.1", server.port)], None, ehlo_name="in.example.jp", timeouts=Timeouts())
        async with inbound(main_inbound, tmp_path, sender=onward) as there:
            assert (await reply(there, address(run, 1, "reply"), UTF8_LETTER, sender))[0] == 250
    [message] = server.messages
    assert UTF8_LETTER in message
    [mail] = [line for line in server.lines if line.startswith("MAIL")]
    assert mail.endswith("BODY=8BITMIME SMTPUTF8")
    assert "RCPT TO:<help@shop.example.jp>" in server.lines


async def test_where_the_next_server_takes_none_the_sender_hears_why_and_others_go_on(
    main_inbound: asyncpg.Pool, run: Run, tmp_path: Path
) -> None:
    async with Scripted().serving() as server:
        onward = SingleSender([Peer("127.0.0.1", server.port)], None, ehlo_name="in.example.jp", timeouts=Timeouts())
        async with inbound(main_inbound, tmp_path, sender=onward) as there:
            code, says = await reply(there, address(run, 1, "reply"), UTF8_LETTER, "太郎@例え.jp")
            assert (code, says.partition(" ")[0]) == (550, "5.6.7")
            assert (await reply(there, address(run, 1, "reply"), LETTER, "taro@example.com"))[0] == 250
    assert len(server.messages) == 1
