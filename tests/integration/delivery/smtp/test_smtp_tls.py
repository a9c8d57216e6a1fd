"""TLS: upgraded or from the first byte, verified or not, and what happens where it does not come about."""

import ssl
from dataclasses import replace

import pytest
from pydantic import SecretStr

from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.peer import Tls
from delivery.smtp.protocol import PipelinedConnection
from delivery.smtp.sequential import SequentialConnection
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import ENVELOPE, PATIENT, Letter, deliver
from tests.support.scripted_smtp import DROP, RESET, STALL, Certificate, Scripted

VERIFIED: list[Tls] = ["starttls-required", "tls"]


def secure(certificate: Certificate, tls: Tls, script: dict[str, str | list[str]] | None = None) -> Scripted:
    """Return a server that speaks TLS as `tls` wants it."""
    server = Scripted(script or {})
    context = certificate.server_context()
    server.starttls, server.implicit_tls = (None, context) if tls == "tls" else (context, None)
    return server


def picky(certificate: Certificate, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context that turns each handshake down: it wants a certificate of the client's."""
    context = certificate.server_context()
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate.path)
    return context


@pytest.mark.parametrize("tls", ["starttls", "encrypted", "starttls-required", "tls"])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "sequential"])
async def test_mail_goes_out_under_tls(
    open_to: Open, certificate: Certificate, tls: Tls, extensions: tuple[str, ...]
) -> None:
    server = secure(certificate, tls)
    server.extensions = extensions
    connection = await open_to(server, tls=tls, ca_file=certificate.path)
    assert isinstance(connection, PipelinedConnection if extensions else SequentialConnection)
    assert connection.tls == "TLSv1.3"
    large = replace(ENVELOPE, message=ENVELOPE.message + (b"x" * 70 + b"\r\n") * 20_000)
    letters = [Letter(), Letter(large), Letter()]
    for letter in letters:
        await connection.send(letter)
    await connection.flush()
    assert [letter.came_to for letter in letters] == ["BODY 250"] * 3
    assert [len(message) for message in server.messages] == [
        len(ENVELOPE.message) + 5,
        len(large.message) + 5,
        len(ENVELOPE.message) + 5,
    ]
    await connection.close()
    assert server.lines[-1] == "QUIT"
    assert server.lines.count("EHLO worker.example") == (1 if tls == "tls" else 2)


async def test_a_lost_connection_under_tls_is_told_as_without(open_to: Open, certificate: Certificate) -> None:
    connection = await open_to(secure(certificate, "starttls", {"MAIL": DROP}), tls="starttls")
    assert (await deliver(connection)).came_to == "not-started lost"
    assert not connection.usable


@pytest.mark.parametrize("tls", VERIFIED)
async def test_a_certificate_that_does_not_verify_is_refused(open_to: Open, certificate: Certificate, tls: Tls) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await open_to(secure(certificate, tls), tls=tls)
    assert caught.value.failure == Failure.TLS


@pytest.mark.parametrize("tls", VERIFIED)
async def test_the_certificate_is_to_bear_the_servers_name_and_not_the_hosts(
    open_to: Open, certificate: Certificate, tls: Tls
) -> None:
    asked: list[str | None] = []
    server = secure(certificate, tls)
    context = server.starttls or server.implicit_tls
    assert context is not None
    context.sni_callback = lambda _session, name, _context: asked.append(name)
    connection = await open_to(server, tls=tls, ca_file=certificate.path, server_name="localhost")
    assert (await deliver(connection)).came_to == "BODY 250"
    assert asked == ["localhost"]
    with pytest.raises(ConnectFailed) as caught:
        await open_to(secure(certificate, tls), tls=tls, ca_file=certificate.path, server_name="mx.example")
    assert caught.value.failure == Failure.TLS


@pytest.mark.parametrize("tls", ["encrypted", "starttls-required"])
async def test_where_tls_is_required_and_not_offered_nothing_is_said(open_to: Open, tls: Tls) -> None:
    server = Scripted()
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, tls=tls)
    assert caught.value.failure == Failure.TLS
    assert server.lines == ["EHLO worker.example"]


async def test_opportunistic_tls_takes_any_certificate_and_does_without(
    open_to: Open, certificate: Certificate
) -> None:
    for server, version in ((secure(certificate, "starttls"), "TLSv1.3"), (Scripted(), None)):
        connection = await open_to(server, tls="starttls", server_name="mx.example")
        assert (await deliver(connection)).came_to == "BODY 250"
        assert connection.tls == version
        assert len(server.clients) == 1


@pytest.mark.parametrize("fault", ["454 4.7.0 not now", "501 5.5.4 what?", "421 4.7.0 no", DROP, RESET, STALL])
async def test_where_starttls_fails_mail_goes_out_in_the_clear(
    open_to: Open, certificate: Certificate, fault: str
) -> None:
    server = secure(certificate, "starttls", {"STARTTLS": fault})
    connection = await open_to(server, tls="starttls", timeouts=replace(PATIENT, ehlo=0.3))
    assert (await deliver(connection)).came_to == "BODY 250"
    assert (connection.tls, len(server.clients)) == (None, 2)
    assert server.lines[:3] == ["EHLO worker.example", "STARTTLS", "EHLO worker.example"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_where_the_handshake_fails_mail_goes_out_in_the_clear_unless_tls_must_be(
    open_to: Open, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    server = Scripted(starttls=picky(certificate, version))
    connection = await open_to(server, tls="starttls")
    assert (await deliver(connection)).came_to == "BODY 250"
    assert (connection.tls, len(server.clients)) == (None, 2)
    server = Scripted(starttls=picky(certificate, version))
    with pytest.raises(ConnectFailed):
        await open_to(server, tls="encrypted")
    assert len(server.clients) == 1


async def test_a_name_that_no_handshake_can_hold_is_a_failed_handshake(open_to: Open, certificate: Certificate) -> None:
    for name in (".mx.example", "a" * 64 + ".example"):
        connection = await open_to(secure(certificate, "starttls"), tls="starttls", server_name=name)
        assert connection.tls is None
        with pytest.raises(ConnectFailed) as caught:
            await open_to(secure(certificate, "encrypted"), tls="encrypted", server_name=name)
        assert caught.value.failure == Failure.TLS


async def test_a_password_does_not_go_out_in_the_clear_because_the_handshake_failed(
    open_to: Open, certificate: Certificate
) -> None:
    server = Scripted(
        extensions=("PIPELINING", "AUTH PLAIN LOGIN"), starttls=picky(certificate, ssl.TLSVersion.TLSv1_2)
    )
    with pytest.raises(ConnectFailed) as caught:
        await open_to(server, tls="starttls", username="relay", password=SecretStr("hunter2"))
    assert caught.value.failure in (Failure.TLS, Failure.LOST)
    assert (len(server.clients), [line for line in server.lines if "AUTH" in line]) == (1, [])
