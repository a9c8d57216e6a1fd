import asyncio
import socket
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Received
from pydantic import SecretStr

from delivery.envelope import Envelope
from delivery.replies.classify import classify
from delivery.smtp.connection import connect
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.protocol import PipelinedConnection
from delivery.smtp.relay import Relay, Tls
from delivery.smtp.sequential import SequentialConnection
from tests.integration.delivery.smtp.conftest import PATIENT, Open
from tests.support.scripted_smtp import DROP, STALL, Certificate, Scripted

ENVELOPE = Envelope("b-1@bounce.example", "member@example.jp", b"Subject: hello\r\n\r\nhi\r\n", smtputf8=False)
SECRET = SecretStr("hunter2")


def nothing() -> None:
    pass


async def failure_of(open_to: Open, server: Scripted, **relay: object) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, **relay)
    return caught.value


@pytest.mark.parametrize("tls", ["starttls", "starttls-required", "tls"])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "sequential"])
async def test_mail_goes_out_under_tls(
    open_to: Open, certificate: Certificate, tls: Tls, extensions: tuple[str, ...]
) -> None:
    context = certificate.server_context()
    server = Scripted(extensions=extensions)
    server.starttls, server.implicit_tls = (None, context) if tls == "tls" else (context, None)
    connection = await open_to(server, tls=tls, ca_file=certificate.path)
    assert isinstance(connection, PipelinedConnection if extensions else SequentialConnection)
    large = replace(ENVELOPE, message=ENVELOPE.message + (b"x" * 70 + b"\r\n") * 20_000)
    for envelope in (ENVELOPE, large, ENVELOPE):
        assert (await connection.send(envelope, on_start=nothing)).code == 250
    assert [len(message) for message in server.messages] == [
        len(ENVELOPE.message) + 3,
        len(large.message) + 3,
        len(ENVELOPE.message) + 3,
    ]
    await connection.close()
    assert server.lines[-1] == "QUIT"
    assert server.lines.count("EHLO worker.example") == (1 if tls == "tls" else 2)


async def test_a_lost_connection_under_tls_is_told_as_without(open_to: Open, certificate: Certificate) -> None:
    server = Scripted(script={"MAIL": DROP}, starttls=certificate.server_context())
    connection = await open_to(server, tls="starttls")
    with pytest.raises(Exception, match="lost"):
        await connection.send(ENVELOPE, on_start=nothing)
    assert not connection.usable


@pytest.mark.parametrize("tls", ["starttls-required", "tls"])
async def test_a_certificate_that_does_not_verify_is_refused(open_to: Open, certificate: Certificate, tls: Tls) -> None:
    context = certificate.server_context()
    server = Scripted()
    server.starttls, server.implicit_tls = (None, context) if tls == "tls" else (context, None)
    assert (await failure_of(open_to, server, tls=tls)).failure == Failure.TLS


async def test_opportunistic_tls_takes_any_certificate_and_does_without(
    open_to: Open, certificate: Certificate
) -> None:
    for server in (Scripted(starttls=certificate.server_context()), Scripted()):
        connection = await open_to(server, tls="starttls")
        assert (await connection.send(ENVELOPE, on_start=nothing)).code == 250


async def test_where_tls_is_required_and_not_offered_nothing_is_said(open_to: Open) -> None:
    server = Scripted()
    assert (await failure_of(open_to, server, tls="starttls-required")).failure == Failure.TLS
    assert server.lines == ["EHLO worker.example"]


async def test_a_password_does_not_go_out_in_the_clear_because_starttls_is_missing(open_to: Open) -> None:
    server = Scripted(extensions=("PIPELINING", "AUTH PLAIN LOGIN"))
    failed = await failure_of(open_to, server, tls="starttls", username="relay", password=SECRET)
    assert failed.failure == Failure.AUTHENTICATION
    assert server.lines == ["EHLO worker.example"]


@pytest.mark.parametrize(
    ("script", "command", "code"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, "CONNECT", 554),
        ({"CONNECT": "421 4.7.0 too many connections"}, "CONNECT", 421),
        ({"EHLO": "550 who?"}, "EHLO", 550),
        ({"STARTTLS": "454 4.7.0 not now"}, "STARTTLS", 454),
    ],
)
async def test_a_relay_that_refuses_us_is_quoted_and_blames_no_message(
    open_to: Open, certificate: Certificate, script: dict[str, str | list[str]], command: str, code: int
) -> None:
    server = Scripted(script=script, starttls=certificate.server_context())
    failed = await failure_of(open_to, server, tls="starttls")
    assert failed.failure == Failure.REFUSED
    assert failed.reply is not None
    assert (failed.reply.command, failed.reply.code) == (command, code)
    verdict = classify(failed.reply)
    assert (verdict.outcome, verdict.suppress) == ("deferred", False)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"CONNECT": DROP}, Failure.LOST),
        ({"CONNECT": STALL}, Failure.TIMEOUT),
        ({"CONNECT": "hello"}, Failure.PROTOCOL),
        ({"EHLO": DROP}, Failure.LOST),
        ({"EHLO": STALL}, Failure.TIMEOUT),
        ({"STARTTLS": DROP}, Failure.LOST),
    ],
)
async def test_a_relay_that_does_not_answer_is_given_up(
    open_to: Open, certificate: Certificate, script: dict[str, str | list[str]], failure: Failure
) -> None:
    server = Scripted(script=script, starttls=certificate.server_context())
    timeouts = replace(PATIENT, connect=0.1, ehlo=0.1) if failure == Failure.TIMEOUT else PATIENT
    assert (await failure_of(open_to, server, tls="starttls", timeouts=timeouts)).failure == failure


async def test_a_port_that_nobody_listens_on_is_a_lost_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        await connect(Relay("127.0.0.1", port), ehlo_name="worker.example", timeouts=PATIENT)
    assert caught.value.failure == Failure.LOST


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
        relay = Relay("127.0.0.1", server.sockets[0].getsockname()[1], username="relay", password=SECRET, tls="none")
        connection = await connect(relay, ehlo_name="worker.example", timeouts=PATIENT)
        assert (await connection.send(ENVELOPE, on_start=nothing)).code == 250
        await connection.close()
        assert inbox.received == [ENVELOPE.message]
        with pytest.raises(ConnectFailed) as caught:
            await connect(replace(relay, password=SecretStr("wrong")), ehlo_name="worker.example", timeouts=PATIENT)
        assert caught.value.reply is not None
        assert (caught.value.reply.command, caught.value.reply.code) == ("AUTH", 535)
        assert "wrong" not in repr(relay)
