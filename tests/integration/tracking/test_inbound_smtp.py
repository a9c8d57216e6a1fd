"""How inbound bears itself towards strangers: bounds, refusals, TLS, and a database that is away."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.database import close_pool, open_pool
from tests.support.inbound import DOMAIN, LETTER, address, dsn, inbound
from tests.support.runs import Run
from tracking.inbound.connection import Bounds
from tracking.inbound.process import tls_context

RUN = Run(UUID(int=1), UUID(int=2), UUID("01900000-0000-7000-8000-000000000001"), [], 0)
NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/todoku"


@pytest.fixture
async def away() -> AsyncIterator[asyncpg.Pool]:
    """A database that nobody reaches: what is refused before it is asked needs none."""
    pool = await open_pool(NOWHERE, name="test")
    yield pool
    await close_pool(pool)


@pytest.mark.parametrize(
    "to",
    [
        "someone@bounces.example.jp",
        "abuse@example.jp",
        address(RUN, 1).replace(DOMAIN, "example.jp"),
        address(RUN, 1, "complaint").replace("c+", "b+"),
        address(RUN, 1).replace("b+", "x+"),
        f"{address(RUN, 1)[:20]}{'1' if address(RUN, 1)[20] == '0' else '0'}{address(RUN, 1)[21:]}",
        "b+@bounces.example.jp",
    ],
)
async def test_an_address_that_is_not_ours_is_refused_at_once(away: asyncpg.Pool, tmp_path: Path, to: str) -> None:
    async with inbound(away, tmp_path) as there:
        assert await there.deliver(to, dsn()) == 550


async def test_our_addresses_are_taken_whatever_the_way_did_to_their_case(away: asyncpg.Pool, tmp_path: Path) -> None:
    async with inbound(away, tmp_path) as there:
        client = await there.client()
        await client.ehlo()
        for to in (address(RUN, 1).upper(), address(RUN, 2, "reply"), f"ABUSE@{DOMAIN}"):
            await client.mail("")
            assert (await client.rcpt(to)).code == 250
            await client.rset()
        client.close()


async def test_while_the_database_is_away_the_sender_keeps_the_mail(away: asyncpg.Pool, tmp_path: Path) -> None:
    async with inbound(away, tmp_path) as there:
        assert await there.deliver(address(RUN, 1), dsn()) == 451
        assert await there.deliver(address(RUN, 1, "reply"), LETTER, sender="taro@example.com") == 451
        assert there.sent.envelopes == []


async def test_a_second_recipient_is_put_off_to_a_transaction_of_its_own(away: asyncpg.Pool, tmp_path: Path) -> None:
    async with inbound(away, tmp_path) as there:
        assert await there.deliver([address(RUN, 1), address(RUN, 2)], dsn()) == 452


async def test_whoever_guesses_addresses_is_cut_off(away: asyncpg.Pool, tmp_path: Path) -> None:
    async with inbound(away, tmp_path, bounds=Bounds(refusals=3)) as there:
        client = await there.client()
        await client.ehlo()
        await client.mail("")
        answers = [await client.execute_command(b"RCPT", b"TO:<guess@bounces.example.jp>") for _ in range(4)]
        assert [answer.code for answer in answers] == [550, 550, 550, 421]
        client.close()


async def test_a_mail_over_the_bound_is_refused_and_the_session_goes_on(away: asyncpg.Pool, tmp_path: Path) -> None:
    big = b"Subject: x\r\n\r\n" + b"x" * 200_000 + b"\r\n"
    async with inbound(away, tmp_path, bounds=Bounds(message_bytes=100_000), operator="") as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        for _ in range(2):
            writer.write(f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@{DOMAIN}>\r\nDATA\r\n".encode())
            await reader.readuntil(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            # One line without end is no more trouble than many.
            writer.write(big + b".\r\n")
            assert (await reader.readline()).startswith(b"552")
        writer.write(f"MAIL FROM:<>\r\nRCPT TO:<abuse@{DOMAIN}>\r\nDATA\r\n".encode())
        await reader.readuntil(b"354 End data with <CR><LF>.<CR><LF>\r\n")
        writer.write(LETTER + b".\r\n")
        assert (await reader.readline()).startswith(b"250")
        writer.close()


async def test_a_network_may_have_so_many_connections_and_mails(away: asyncpg.Pool, tmp_path: Path) -> None:
    bounds = Bounds(network_connections=2, mails_a_second=1 / 20)
    async with inbound(away, tmp_path, bounds=bounds, operator="") as there:
        kept = [await asyncio.open_connection("127.0.0.1", there.port) for _ in range(3)]
        greetings = [await reader.readline() for reader, _ in kept]
        assert [line[:3] for line in greetings] == [b"220", b"220", b"421"]
        for _, writer in kept:
            writer.close()
            await writer.wait_closed()
        codes = [await there.deliver(f"abuse@{DOMAIN}", LETTER) for _ in range(4)]
        assert codes == [250, 250, 250, 450]


async def test_connections_come_at_a_rate(away: asyncpg.Pool, tmp_path: Path) -> None:
    async with inbound(away, tmp_path, bounds=Bounds(connections_a_second=1 / 30)) as there:
        greetings = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
            greetings.append((await reader.readline())[:3])
            writer.close()
        assert greetings == [b"220", b"220", b"421"]


@pytest.mark.parametrize("bounds", [Bounds(idle_seconds=0.2), Bounds(session_seconds=0.2)])
async def test_whoever_says_nothing_is_let_go(away: asyncpg.Pool, tmp_path: Path, bounds: Bounds) -> None:
    async with inbound(away, tmp_path, bounds=bounds) as there, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        await reader.readline()
        writer.write(f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@{DOMAIN}>\r\nDATA\r\nSubject: ".encode())
        assert b"354" in await reader.read()
        writer.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "in.example.jp")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("tls")
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "cert.pem", directory / "key.pem"


async def test_with_a_certificate_mail_comes_under_tls_and_nobody_can_log_in(
    away: asyncpg.Pool, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with inbound(away, tmp_path, tls=tls_context(*certificate), operator="") as there:
        client = await there.client()
        await client.ehlo()
        assert client.supports_extension("starttls")
        await client.starttls(tls_context=trusting)
        await client.ehlo()
        assert not client.supports_extension("auth")
        await client.mail("")
        await client.rcpt(f"abuse@{DOMAIN}")
        assert (await client.data(LETTER)).code == 250
        client.close()
        assert [mail.why for mail in there.kept.all()] == ["for_operator"]
    async with inbound(away, tmp_path) as there:
        client = await there.client()
        await client.ehlo()
        assert not client.supports_extension("starttls")
        client.close()
