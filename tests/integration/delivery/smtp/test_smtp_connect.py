"""Opening a connection: greeting, EHLO, authentication, the source address, and how each can fail."""

import asyncio
import socket
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Received
from pydantic import SecretStr

from delivery.replies.classify import classify
from delivery.smtp.connection import connect
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.peer import Peer
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import MESSAGE, PATIENT, SEQUENTIAL, deliver
from tests.support.scripted_smtp import DROP, RESET, STALL, Certificate, Scripted

SECRET = SecretStr("hunter2")


@pytest.mark.parametrize(
    ("script", "command", "code"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, "CONNECT", 554),
        ({"CONNECT": "421 4.7.0 too many connections"}, "CONNECT", 421),
        ({"EHLO": "550 who?"}, "EHLO", 550),
        ({"STARTTLS": "454 4.7.0 not now"}, "STARTTLS", 454),
    ],
)
async def test_a_peer_that_refuses_us_is_quoted_and_blames_no_message(
    open_to: Open, certificate: Certificate, script: dict[str, str | list[str]], command: str, code: int
) -> None:
    server = Scripted(script=script, starttls=certificate.server_context())
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, tls="encrypted")
    assert caught.value.failure == Failure.REFUSED
    assert caught.value.reply is not None
    assert (caught.value.reply.command, caught.value.reply.code) == (command, code)
    verdict = classify(caught.value.reply)
    assert (verdict.outcome, verdict.suppress) == ("deferred", False)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"CONNECT": DROP}, Failure.LOST),
        ({"CONNECT": RESET}, Failure.LOST),
        ({"CONNECT": STALL}, Failure.TIMEOUT),
        ({"CONNECT": "hello"}, Failure.PROTOCOL),
        ({"EHLO": DROP}, Failure.LOST),
        ({"EHLO": STALL}, Failure.TIMEOUT),
        ({"STARTTLS": DROP}, Failure.LOST),
        ({"STARTTLS": STALL}, Failure.TIMEOUT),
    ],
)
async def test_a_peer_that_does_not_answer_is_given_up(
    open_to: Open, certificate: Certificate, script: dict[str, str | list[str]], failure: Failure
) -> None:
    server = Scripted(script=script, starttls=certificate.server_context())
    timeouts = replace(PATIENT, connect=0.2, ehlo=0.2) if failure == Failure.TIMEOUT else PATIENT
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, tls="encrypted", timeouts=timeouts)
    assert caught.value.failure == failure


async def test_a_port_that_nobody_listens_on_is_a_lost_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        await connect(Peer("127.0.0.1", port), ehlo_name="worker.example", timeouts=PATIENT)
    assert caught.value.failure == Failure.LOST


@pytest.mark.parametrize("extensions", [("PIPELINING",), SEQUENTIAL], ids=["pipelined", "sequential"])
async def test_mail_leaves_from_the_address_that_is_to_be_bound(open_to: Open, extensions: tuple[str, ...]) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server, local_address="127.0.0.2")
    assert (await deliver(connection)).came_to == "BODY 250"
    assert server.clients == ["127.0.0.2"]


@pytest.mark.parametrize("peer", [{}, {"tls": "tls", "server_name": "localhost"}], ids=["in the clear", "TLS"])
async def test_a_source_address_that_is_not_ours_is_our_own_fault(open_to: Open, peer: dict[str, object]) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await open_to(Scripted(), local_address="192.0.2.1", **peer)
    assert caught.value.failure == Failure.LOCAL


async def test_a_password_does_not_go_out_in_the_clear_because_starttls_is_missing(open_to: Open) -> None:
    server = Scripted(extensions=("PIPELINING", "AUTH PLAIN LOGIN"))
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, tls="starttls", username="relay", password=SECRET)
    assert caught.value.failure == Failure.AUTHENTICATION
    assert server.lines == ["EHLO worker.example"]


class Inbox:
    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Received) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "250 ok"


def knows(server: SMTP, session: Session, envelope: Received, mechanism: str, given: object) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=(given.login, given.password) == (b"relay", b"hunter2"), handled=False)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_we_authenticate_to_a_server_of_another_make(mechanism: str) -> None:
    inbox = Inbox()
    other = "LOGIN" if mechanism == "PLAIN" else "PLAIN"

    def session() -> SMTP:
        return SMTP(
            inbox,
            authenticator=knows,
            auth_require_tls=False,
            auth_exclude_mechanism=[other],
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with server:
        peer = Peer("127.0.0.1", server.sockets[0].getsockname()[1], username="relay", password=SECRET, tls="none")
        connection = await connect(peer, ehlo_name="worker.example", timeouts=PATIENT)
        assert (await deliver(connection)).came_to == "BODY 250"
        await connection.close()
        assert inbox.received == [MESSAGE]
        with pytest.raises(ConnectFailed) as caught:
            await connect(replace(peer, password=SecretStr("wrong")), ehlo_name="worker.example", timeouts=PATIENT)
        assert caught.value.reply is not None
        assert (caught.value.reply.command, caught.value.reply.code) == ("AUTH", 535)
        assert "wrong" not in repr(peer)
