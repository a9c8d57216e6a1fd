import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from core.errors import ConfigurationError
from deploy import dsns as dsns_file
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres, create_databases
from tests.support.postgres import directory_for_postgres
from tests.support.processes import ended

START_AND_WAIT = """
import sys
from pathlib import Path
from deploy.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with directory_for_postgres() as made:
        yield made / "deep" / "postgres"


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(directory, durable=False)
    yield made
    made.stop()


async def _fetch(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close(timeout=5)


def test_a_fresh_start_makes_a_utf8_cluster_that_only_loopback_reaches(server: EmbeddedPostgres) -> None:
    server.start()
    for query, expected in (
        ("SHOW server_encoding", "UTF8"),
        ("SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'template1'", "bC.UTF-8"),
        ("SHOW listen_addresses", "127.0.0.1"),
        ("SHOW unix_socket_directories", ""),
        ("SHOW password_encryption", "scram-sha-256"),
        ("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'", 0),
    ):
        assert asyncio.run(_fetch(server.superuser_dsn, query)) == expected


def test_real_use_is_durable_and_logs_no_statement(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    server.prepare()
    words = server.command()
    durable = {"fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_wal_size=2GB", "wal_init_zero=off"}
    silent = {"log_min_error_statement=panic", "log_parameter_max_length=0", "log_error_verbosity=terse"}
    assert durable | silent <= {*words}


def test_the_server_never_runs_as_root(server: EmbeddedPostgres) -> None:
    server.start()
    uid = Path(f"/proc/{server.pid}").stat().st_uid
    assert uid != 0
    if os.geteuid() != 0:
        assert uid == os.geteuid()


def test_passwords_stay_in_private_files(server: EmbeddedPostgres, directory: Path) -> None:
    server.start()
    made = asyncio.run(create_databases(server))
    for name in ("superuser", dsns_file.FILE):
        assert (directory / name).stat().st_mode & 0o777 == 0o600
    assert dsns_file.find(directory) == made
    assert "todoku_app:" not in repr(made)
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    assert b"TODOKU" not in environment


def test_a_restart_keeps_the_port_and_what_was_stored(server: EmbeddedPostgres, directory: Path) -> None:
    server.start()
    first = asyncio.run(create_databases(server))
    asyncio.run(_fetch(first.main_owner, "CREATE TABLE kept (n integer)"))
    server.stop()
    again = EmbeddedPostgres(directory, durable=False)
    again.start()
    try:
        assert again.port == server.port
        second = asyncio.run(create_databases(again))
        assert asyncio.run(_fetch(second.main_owner, "SELECT count(*) FROM kept")) == 0
        assert second != first
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(_fetch(first.main, "SELECT 1"))
    finally:
        again.stop()


def test_a_remembered_port_that_someone_took_is_given_up(server: EmbeddedPostgres, directory: Path) -> None:
    server.prepare()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        other = EmbeddedPostgres(directory, durable=False)
        other.prepare()
        assert other.port != server.port


def test_a_given_port_that_is_in_use_is_refused_by_name(directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port}.* is in use"):
            EmbeddedPostgres(directory, port=port, durable=False).start()


def test_a_start_that_fails_shows_the_end_of_its_log(server: EmbeddedPostgres) -> None:
    server.prepare()
    with (server.cluster / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        server.start()


def test_a_cluster_of_another_postgres_is_refused_and_left_alone(server: EmbeddedPostgres) -> None:
    server.prepare()
    (server.cluster / "PG_VERSION").write_text("11\n")
    with pytest.raises(ConfigurationError, match="made by Postgres 11"):
        server.start()


def test_the_server_does_not_outlive_a_killed_supervisor(directory: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert supervisor.stdout
    assert supervisor.stdin
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait(10)
    supervisor.stdout.close()
    supervisor.stdin.close()
    assert ended(pid, seconds=10)


def test_a_survivor_of_an_earlier_run_is_stopped_first(server: EmbeddedPostgres, directory: Path) -> None:
    server.start()
    survivor = server.pid
    successor = EmbeddedPostgres(directory, durable=False)
    successor.start()
    try:
        assert ended(survivor, seconds=1)
        assert asyncio.run(_fetch(successor.superuser_dsn, "SELECT 1")) == 1
    finally:
        successor.stop()


async def test_a_killed_server_starts_again_although_its_sessions_are_still_at_work(server: EmbeddedPostgres) -> None:
    server.start()
    connection = await asyncpg.connect(server.superuser_dsn, timeout=5)
    session = await connection.fetchval("SELECT pg_backend_pid()")
    busy = asyncio.ensure_future(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.to_thread(server.start)
    assert ended(session, seconds=1)
    assert await _fetch(server.superuser_dsn, "SELECT 1") == 1
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy


def test_a_stale_process_id_that_belongs_to_someone_else_is_left_alone(server: EmbeddedPostgres) -> None:
    server.prepare()
    (server.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{server.cluster}\n")
    server.start()
    assert asyncio.run(_fetch(server.superuser_dsn, "SELECT 1")) == 1


def test_a_directory_that_cannot_be_reached_is_refused_with_what_to_do(directory: Path) -> None:
    # Root hands the server to a user who may not pass here; anyone else may not write here.
    directory.parent.mkdir(mode=0o700 if os.geteuid() == 0 else 0o500)
    with pytest.raises(ConfigurationError, match="TODOKU_DATA_DIR"):
        EmbeddedPostgres(directory, durable=False).start()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="TODOKU_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_dsns_that_others_may_read_are_refused(tmp_path: Path) -> None:
    assert dsns_file.find(tmp_path) is None
    dsns_file.save(Dsns("a", "b", "c", "d", "e", "f", "g", "h", "i"), tmp_path)
    (tmp_path / dsns_file.FILE).chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        dsns_file.find(tmp_path)
