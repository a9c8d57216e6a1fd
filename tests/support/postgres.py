"""A real Postgres for tests: one server a session, two fresh migrated databases a test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres, create_databases
from deploy.postgres.databases import MAIN, MEMBERS, admit

_numbers = count(1)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a new directory of ours is made in it
_ROOM = 4 * 2**30


@dataclass(frozen=True)
class Server:
    """A running server with migrated databases that serve as templates: never connect to those."""

    postgres: EmbeddedPostgres
    templates: Dsns


@contextmanager
def directory_for_postgres(*, on_disk: bool = False) -> Iterator[Path]:
    """A new directory that Postgres' user can reach (pytest's own is closed to others), removed afterwards.

    In memory where there is room, since a suite clones two databases of 10 MB a test; `on_disk` for who measures what
    a commit takes.
    """
    made = Path(tempfile.mkdtemp(prefix="todoku-test-", dir=None if on_disk else _memory()))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _memory() -> Path | None:
    if not os.access(_SHARED_MEMORY, os.W_OK) or shutil.disk_usage(_SHARED_MEMORY).free < _ROOM:
        return None
    return _SHARED_MEMORY


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of its own: for the session's fixture, and for tests that kill or restart theirs.

    Synchronous, so that it is bound to no event loop; an async test runs it by `asyncio.to_thread` or a fixture.
    """
    with directory_for_postgres() as directory:
        postgres = EmbeddedPostgres(directory / "postgres", durable=False)
        postgres.start()
        try:
            yield Server(postgres, asyncio.run(create_databases(postgres)))
        finally:
            postgres.stop()


@asynccontextmanager
async def fresh_databases(server: Server, *, empty: bool = False) -> AsyncIterator[Dsns]:
    """Clone both templates (about 30 ms), and drop the clones afterwards. `empty`: without any schema."""
    number = next(_numbers)
    names = {MAIN.name: f"t{number}_main", MEMBERS.name: f"t{number}_members"}
    try:
        async with _administrator(server) as admin:
            for database in (MAIN, MEMBERS):
                name = names[database.name]
                # FILE_COPY: for a database of a few MB copying files beats logging each page.
                await admin.execute(
                    f'CREATE DATABASE "{name}" TEMPLATE "{"template0" if empty else database.name}" '
                    f'OWNER "{database.owner}" STRATEGY FILE_COPY'
                )
                await admit(admin, database, name)
        yield _moved(server.templates, names)
    finally:
        async with _administrator(server) as admin:
            for name in names.values():
                await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def lasting_databases(server: Server) -> Iterator[Dsns]:
    """The same for fixtures that outlive a test, and so its event loop."""
    with asyncio.Runner() as runner:
        databases = fresh_databases(server)
        yield runner.run(databases.__aenter__())
        runner.run(databases.__aexit__(None, None, None))


@asynccontextmanager
async def _administrator(server: Server) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.postgres.superuser_dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def _moved(dsns: Dsns, names: dict[str, str]) -> Dsns:
    changed = {}
    for field in fields(dsns):
        parts = urlsplit(getattr(dsns, field.name))
        changed[field.name] = urlunsplit(parts._replace(path="/" + names[parts.path.lstrip("/")]))
    return replace(dsns, **changed)


async def shift_clock(owner: asyncpg.Pool, seconds: float) -> None:
    """Move `app.now()` of one database (its owner's pool) on by `seconds`."""
    await owner.execute("UPDATE app.clock_offset SET shift = shift + make_interval(secs => $1)", seconds)
