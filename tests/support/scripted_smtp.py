"""A real SMTP server on loopback that says, at each step, what its script says, and misbehaves where told to."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, SupportsIndex

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What a script may name instead of a reply.
DROP = "drop"
RESET = "reset"
STALL = "stall"
HALF_CLOSE = "half_close"

ACCEPT = {
    "CONNECT": "220 ready",
    "EHLO": "250 ok",
    "STARTTLS": "220 go ahead",
    "RSET": "250 flushed",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "BODY": "250 2.0.0 queued",
    "QUIT": "221 bye",
}


def _nothing() -> None:
    pass


@dataclass
class Scripted:
    """`script` maps a command to its reply, a fault, or a list of these taken in turn; what is not named is accepted.

    "MIDBODY" is said after the body's first ten octets, and nothing more is read. A `strict` server answers 503 to
    what is out of order, as real ones do. With `nagle`, each reply leaves by itself, as soon as Nagle's algorithm lets
    it. `segments` is all that came in, as it came; `taken` what came in after a
    stall; `clients` the addresses that connected. `say` and `hang_up` speak out of turn, on the latest connection.
    """

    script: dict[str, str | list[str]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 100000000", "8BITMIME")
    starttls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    bytewise: bool = False
    nagle: bool = False
    strict: bool = False
    on_data: Callable[[], None] = _nothing
    on_body: Callable[[], None] = _nothing
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    segments: list[bytes] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    taken: bytes = b""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _said: str = ""
    _open: tuple[str, ...] = ()
    _writer: asyncio.StreamWriter | None = None

    def __post_init__(self) -> None:
        # Lists are used up, and a test's parameters are shared by its runs.
        self.script = {command: told if isinstance(told, str) else [*told] for command, told in self.script.items()}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Listen while the block runs; a failure of the server's own is raised at its end."""
        sessions: list[asyncio.Task[None]] = []

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writer = writer
            self.clients.append(writer.get_extra_info("peername")[0])
            if self.nagle:
                writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            sessions.append(asyncio.create_task(self._converse(reader, writer)))

        def session() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(_Recording(self.segments), accept)

        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=self.implicit_tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            async with asyncio.timeout(5):
                await asyncio.gather(*sessions)

    def say(self, text: str) -> None:
        """Say something that answers nothing, with no more line ends than are in it."""
        if self._writer is not None:
            self._writer.write(text.replace("\n", "\r\n").encode())

    def hang_up(self, fault: str) -> None:
        """Close, reset or half-close the connection."""
        if self._writer is None:
            return
        if fault == RESET:
            self._writer.transport.abort()
        elif fault == HALF_CLOSE:
            self._writer.write_eof()
        else:
            self._writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            goes_on = await self._say(reader, writer, "CONNECT")
            while goes_on:
                line = (await reader.readuntil(b"\r\n")).decode().rstrip()
                self.lines.append(line)
                goes_on = await self._answer(reader, writer, line.split(" ", maxsplit=1)[0].upper())
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.gone.set()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bool:
        if command == "EHLO" and "EHLO" not in self.script:
            offered = ["here", *self.extensions, *(["STARTTLS"] if self.starttls else [])]
            writer.write(b"".join(f"250-{name}\r\n".encode() for name in offered) + b"250 HELP\r\n")
            return True
        if self.strict and not self._in_order(command):
            writer.write(b"503 5.5.1 out of order\r\n")
            return True
        goes_on = await self._say(reader, writer, command)
        if self._said.startswith(("2", "354")):
            self._open = () if command in ("RSET", "DATA", "EHLO") else (*self._open, command)
        if command == "STARTTLS" and goes_on and self.starttls is not None:
            context, self.starttls = self.starttls, None
            await writer.start_tls(context)
        if command == "DATA" and goes_on and self._said.startswith("354"):
            self.on_data()
            if "MIDBODY" in self.script:
                await reader.readexactly(10)
                return await self._say(reader, writer, "MIDBODY") and await self._hold(reader, read=False)
            self.messages.append(await _body(reader, self.on_body))
            return await self._say(reader, writer, "BODY")
        return goes_on and command != "QUIT"

    def _in_order(self, command: str) -> bool:
        needed = {"MAIL": (), "RCPT": ("MAIL",), "DATA": ("MAIL", "RCPT")}.get(command)
        return needed is None or self._open == needed

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bool:
        told = self.script.get(command, ACCEPT.get(command, "500 what?"))
        if isinstance(told, list):
            told = told.pop(0) if told else ACCEPT[command]
        self._said = told
        if told == DROP:
            return False
        if told == RESET:
            writer.transport.abort()
            return False
        if told in (STALL, HALF_CLOSE):
            if told == HALF_CLOSE:
                writer.write_eof()
            return await self._hold(reader, read=command != "MIDBODY")
        wire = told.replace("\n", "\r\n").encode() + b"\r\n"
        for piece in [wire[at : at + 1] for at in range(len(wire))] if self.bytewise else [wire]:
            writer.write(piece)
            await writer.drain()
        if self.nagle:
            # uvloop puts together what is written in one turn of the loop.
            await asyncio.sleep(0)
        return True

    async def _hold(self, reader: asyncio.StreamReader, *, read: bool) -> bool:
        """Say nothing more until the client gives up; where `read` is false, take nothing in either."""
        if read:
            while came := await reader.read(65536):
                self.taken += came
        else:
            await self.released.wait()
        return False


class _Recording(asyncio.StreamReader):
    """A reader that keeps each segment as it came."""

    def __init__(self, segments: list[bytes]) -> None:
        super().__init__()
        self._segments = segments

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self._segments.append(bytes(data))
        super().feed_data(data)


async def _body(reader: asyncio.StreamReader, on_first: Callable[[], None]) -> bytes:
    body = bytearray(await reader.readexactly(3))
    on_first()
    while not (body == b".\r\n" or body.endswith(b"\r\n.\r\n")):
        body += await reader.readuntil(b"\r\n")
    return bytes(body)


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 and localhost that is its own authority."""

    path: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def make_certificate(directory: Path) -> Certificate:
    """Write key and certificate to one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return Certificate(path)
