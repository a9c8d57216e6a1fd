"""Bytes through Postfix: dots at a line's start, eight bits, long messages, odd addresses; chained on one connection.

Composed mails are base64 for the most part, which has no dots: these are sent as they stand.
"""

from collections import Counter
from pathlib import Path

import pytest

from delivery.envelope import Envelope
from delivery.smtp.connection import connect
from delivery.smtp.peer import Peer, Timeouts, Tls
from delivery.smtp.protocol import PipelinedConnection
from tests.integration.delivery.smtp.letters import Letter
from tests.support.postfix import RELAY, running_postfix
from tests.support.scripted_smtp import make_certificate

HEAD = "Date: Tue, 1 Dec 2026 09:00:00 +0900\r\nFrom: a@shop.example\r\nMessage-ID: <{n}@shop.example>\r\n{more}\r\n"
BODIES = (
    ".\r\n",
    "..\r\n.\r\n\r\n.\r\nQUIT\r\n",
    "MAIL FROM:<>\r\n.hidden\r\n" + "x" * 990 + "\r\n.\r\n",
    "",
    "\r\n\r\n",
    "届きました。\r\n.\r\n",
    ("." * 70 + "\r\n") * 8_000,
    ("." + "a" * 60 + "\r\n") * 30,
)
RECIPIENTS = (
    "plain@receiver.example",
    "o'brien+news=x@receiver.example",
    "taro..o.@receiver.example",
    '"a b"@receiver.example',
    "太郎@receiver.example",
)


def envelopes(count: int) -> list[Envelope]:
    made = []
    for n in range(count):
        recipient, body = RECIPIENTS[n % len(RECIPIENTS)], BODIES[n % len(BODIES)]
        international = not recipient.isascii()
        more = f"Subject: {'件名' if international else 'news'}\r\n"
        if not body.isascii():
            more += (
                "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            )
        message = (HEAD.format(n=n, more=more) + body).encode()
        made.append(Envelope(f"b-{n}@bounces.example", recipient, message, smtputf8=international))
    return made


@pytest.mark.parametrize("left_out", ["chunking, size", "pipelining"])
@pytest.mark.parametrize("tls", ["none", "starttls-required", "tls"])
async def test_every_byte_of_a_long_chain_arrives(tmp_path: Path, left_out: str, tls: Tls) -> None:
    certificate = make_certificate(tmp_path).path
    settings = {**RELAY, "smtpd_discard_ehlo_keywords": left_out}
    async with running_postfix(settings, certificate=certificate) as postfix:
        port = postfix.tls_port if tls == "tls" else postfix.port
        peer = Peer("127.0.0.1", port, tls=tls, ca_file=certificate)
        connection = await connect(peer, ehlo_name="worker.example", timeouts=Timeouts())
        assert isinstance(connection, PipelinedConnection) is (left_out != "pipelining")
        letters = [Letter(envelope) for envelope in envelopes(200)]
        for letter in letters:
            await connection.send(letter)
        await connection.flush()
        await connection.close()
        assert Counter(letter.came_to for letter in letters) == {"BODY 250": 200}
        delivered = await postfix.holds(200)
        assert Counter(one.message for one in delivered) == Counter(letter.envelope.message for letter in letters)
        assert "improper command" not in postfix.log
