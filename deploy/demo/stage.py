"""An installation for the demo alone: a temporary data directory, free ports, and nothing left of it at the end."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import mkdtemp

from core.clock import Clock
from core.settings import Settings, inherited_environment, load
from deploy.dsns import Dsns
from deploy.installation import Installation, log_directory
from deploy.lock import only_one
from deploy.ports import LOOPBACK, free_metrics_base

RETRY_FIRST, RETRY_CAP = 2.0, 4.0
"""Seconds: what waits minutes in earnest is seen to come back here."""

SETTLE_AFTER = 7.0
"""Seconds, of what waits a quarter of an hour in earnest. A whole visit of a gateway must fit into it."""

_LINES = 8
_LEAST_MAILBOX = 1_000_000_000
_MAIL_BYTES = 40_000
"""Room for the mails of one member: not quite two of 24 KB."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running installation and how to reach it."""

    settings: Settings
    api_key: str

    @property
    def api_url(self) -> str:
        """Where the REST API is, without /v1."""
        return f"http://{self.settings.api_host}:{self.settings.api_port}"

    @property
    def mailbox_url(self) -> str:
        """Where the mailbox's page and feed are."""
        return f"http://{LOOPBACK}:{self.settings.mailbox_http_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `todoku` commands find this installation."""
        bare = {name: value for name, value in inherited_environment().items() if not name.startswith("TODOKU_")}
        return {**bare, "TODOKU_DATA_DIR": str(self.settings.data_dir)}


@asynccontextmanager
async def staged(clock: Clock, members: int, dsns: Dsns | None = None) -> AsyncIterator[Stage]:
    """Start everything in a new directory, and stop and remove it at the end, whatever happens in between.

    The mailbox has room for all that `members` will get. `dsns`: databases that are there, instead of embedded ones.

    What goes wrong on the way gets the last lines of the logs as a note (PEP 678). ConfigurationError if a part can't
    be started.
    """
    directory = make_directory("todoku-demo-")
    try:
        with only_one(directory):
            installation = Installation(_settings(directory, members, dsns), clock=clock)
            try:
                started = await installation.start()
                yield Stage(started.settings, started.api_key or "")
            except Exception as error:
                error.add_note(_last_words(log_directory(installation.settings)))
                raise
            finally:
                await installation.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make_directory(prefix: str) -> Path:
    """Make a temporary directory that Postgres can reach."""
    directory = Path(mkdtemp(prefix=prefix))
    # As root Postgres runs under another user, who must be able to pass through.
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return directory


def _settings(directory: Path, members: int, dsns: Dsns | None) -> Settings:
    return load(
        **{f"{field.name}_dsn": getattr(dsns, field.name) if dsns else None for field in fields(Dsns)},
        data_dir=directory,
        kek_file=None,
        kek=None,
        kek_command=(),
        previous_kek_file=None,
        previous_kek=None,
        previous_kek_command=(),
        link_key_file=None,
        webhook_key_file=None,
        relays=(),
        postgres_port=0,
        api_host=LOOPBACK,
        api_port=0,
        tracker_host=LOOPBACK,
        tracker_port=0,
        tracker_url="",
        mailbox_smtp_port=0,
        mailbox_http_port=0,
        pages_host=LOOPBACK,
        pages_port=0,
        inbound_host=LOOPBACK,
        inbound_port=0,
        mailbox_bytes=max(_LEAST_MAILBOX, members * _MAIL_BYTES),
        metrics_port=free_metrics_base(),
        retry_first=RETRY_FIRST,
        retry_cap=RETRY_CAP,
        settle_after=SETTLE_AFTER,
        forward_replies=True,
    )


def _last_words(directory: Path) -> str:
    """Return the last lines of each log."""
    parts = []
    for path in sorted(directory.glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()[-_LINES:]
        parts.append("\n".join([f"--- {path.name}", *lines]))
    return "\n".join(parts) or "There are no logs yet"
