"""Inbound killed in mid-load: whatever it answered 250 is in the tables, once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosmtplib
import asyncpg
import orjson
import pytest

from core.ids import IdSource
from deploy.dsns import Dsns
from deploy.ports import free_port
from tests.support.inbound import DOMAIN, address, dsn
from tests.support.runs import Run, make_run
from tracking import tallies
from tracking.verify import verify

KEYS = {"primary": 1, "keys": {"1": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}


@asynccontextmanager
async def process(dsns: Dsns, directory: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    keys = directory / "links"
    keys.touch(mode=0o600)
    keys.write_bytes(orjson.dumps(KEYS))
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy.cli", "inbound"),
        env={
            "PATH": os.environ["PATH"],
            "TODOKU_DATA_DIR": str(directory),
            "TODOKU_MAIN_INBOUND_DSN": dsns.main_inbound,
            "TODOKU_LINK_KEY_FILE": str(keys),
            "TODOKU_INBOUND_PORT": str(port),
            "TODOKU_RETURN_PATH_DOMAIN": DOMAIN,
            "TODOKU_METRICS_PORT": "0",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert started.stdout is not None
        assert (await started.stdout.readline()).startswith(b"ready")
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
        await started.wait()


async def send_until_taken(port: int, to: str, message: bytes) -> None:
    """What a mail server does: again and again, until the answer is 250."""
    while True:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, timeout=10)
        try:
            await client.connect()
            await client.ehlo()
            await client.mail("")
            await client.rcpt(to)
            await client.data(message)
        except (aiosmtplib.SMTPException, OSError):
            await asyncio.sleep(0.05)
        else:
            return
        finally:
            client.close()


async def load(port: int, run: Run, mails: int, taken: list[int]) -> None:
    async def one(number: int) -> None:
        message = dsn("552 5.2.2 Mailbox full" if number % 2 else "550 5.1.1 User unknown", mark=str(number))
        await send_until_taken(port, address(run, 1 + number % 50), message)
        taken.append(number)

    numbers = iter(range(mails))

    async def sender() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(sender() for _ in range(8)))


async def killed_in_mid_load(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, directory: Path, *, mails: int, kills: int
) -> None:
    run, port, taken = await make_run(main, new_id, recipients=50), free_port(), list[int]()
    loading = asyncio.create_task(load(port, run, mails, taken))
    for number in range(kills):
        async with process(dsns, directory, port) as inbound:
            while len(taken) < mails * (number + 1) // (kills + 1):
                assert not loading.done() or loading.result() is None
                await asyncio.sleep(0.01)
            inbound.kill()
            await inbound.wait()
    async with process(dsns, directory, port):
        await loading
    found = {(t.kind, t.detail): t.total for t in await tallies.read(main, [run.run_id])}
    assert sorted(taken) == list(range(mails))
    assert found == {("bounce", "hard"): (mails + 1) // 2, ("bounce", "soft"): mails // 2}
    assert await main.fetchval("SELECT count(*) FROM event WHERE run_id = $1", run.run_id) == mails
    assert [check.faults for check in await verify(main, run.run_id)] == [()]


async def test_what_inbound_answered_before_it_was_killed_is_there_once(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path
) -> None:
    await killed_in_mid_load(main, dsns, new_id, tmp_path, mails=300, kills=2)


@pytest.mark.chaos
async def test_killed_twenty_times_it_loses_and_doubles_nothing(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path
) -> None:
    await killed_in_mid_load(main, dsns, new_id, tmp_path, mails=20_000, kills=20)
