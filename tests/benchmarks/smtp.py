"""CPU and wall time a message over SMTP against smtp-sink: chained, pipelined, sequential, by aiosmtplib's sendmail.

Run it as `python -m tests.benchmarks.smtp`; it needs Debian's smtp-sink and takes a few seconds.
"""

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import aiosmtplib
import uvloop

from delivery.envelope import Envelope
from delivery.replies.reply import Reply
from delivery.smtp.connection import Connection, connect
from delivery.smtp.outgoing import Outcome, Outgoing
from delivery.smtp.peer import Peer, Timeouts

MESSAGES = 8_000
CONNECTIONS = 10
MESSAGE = b"Subject: benchmark\r\n\r\n" + (b"x" * 74 + b"\r\n") * 134


@contextlib.asynccontextmanager
async def sink(options: list[str]) -> AsyncIterator[int]:
    """Run smtp-sink while the block runs."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        sys.exit("smtp-sink is not installed (Debian: apt install postfix)")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([program, *user, *options, f"127.0.0.1:{port}", "100"], cwd="/tmp") as process:  # noqa: ASYNC220, S108
        try:
            while True:
                with contextlib.suppress(ConnectionError):
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
            yield port
        finally:
            process.terminate()


def nothing() -> None:
    """Stand in for the journal."""


def taken(outcome: Outcome) -> None:
    """Leave if a message was not accepted."""
    if not isinstance(outcome, Reply) or outcome.code != 250:
        sys.exit(f"not accepted: {outcome}")


async def by_connection(port: int, *, chained: bool) -> None:
    """Send through ours; where not `chained`, each message has its reply before the next one is begun."""
    peer = Peer("127.0.0.1", port, tls="none")
    opened = [await connect(peer, ehlo_name="bench.example", timeouts=Timeouts()) for _ in range(CONNECTIONS)]
    envelope = Envelope("bounce@bench.example", "member@example.jp", MESSAGE, smtputf8=False)

    async def run(connection: Connection) -> None:
        for _ in range(MESSAGES // CONNECTIONS):
            await connection.send(Outgoing(envelope, nothing, taken))
            if not chained:
                await connection.flush()
        await connection.flush()
        await connection.close()

    await asyncio.gather(*(run(connection) for connection in opened))


async def by_library(port: int) -> None:
    """Send through aiosmtplib's sendmail."""

    async def run() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="bench.example") as client:
            for _ in range(MESSAGES // CONNECTIONS):
                await client.sendmail("bounce@bench.example", ["member@example.jp"], MESSAGE)

    await asyncio.gather(*(run() for _ in range(CONNECTIONS)))


async def main() -> None:
    """Print one line a way."""
    sys.stdout.write(f"{MESSAGES} messages of {len(MESSAGE)} octets, {CONNECTIONS} connections, uvloop\n")
    ways: list[tuple[str, Callable[[int], Awaitable[None]], list[str]]] = [
        ("chained", partial(by_connection, chained=True), []),
        ("pipelined", partial(by_connection, chained=False), []),
        ("sequential", partial(by_connection, chained=True), ["-p"]),
        ("aiosmtplib sendmail", by_library, []),
    ]
    for name, way, options in ways:
        async with sink(options) as port:
            wall, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
            await way(port)
            wall, done = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
        user, system = done.ru_utime - cpu.ru_utime, done.ru_stime - cpu.ru_stime
        sys.stdout.write(
            f"{name:20} {1e6 * (user + system) / MESSAGES:7.1f} µs CPU a message"
            f" ({1e6 * user / MESSAGES:.1f} user, {1e6 * system / MESSAGES:.1f} kernel), {MESSAGES / wall:8,.0f}/s\n"
        )


if __name__ == "__main__":
    uvloop.run(main())
