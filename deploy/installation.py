"""One machine's Todoku: everything that `todoku up` starts, in order, and stops again. `todoku demo` uses it too."""

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import orjson

from api.keys import KeyStore
from api.scopes import SCOPES
from core import logs
from core.clock import Clock
from core.database import close_pool, open_pool
from core.errors import ConfigurationError
from core.ids import IdSource
from core.settings import Settings, inherited_environment
from deploy import accounts, databases, fleet, keys
from deploy.dsns import Dsns
from deploy.kek import is_in_file, open_kek
from deploy.ports import free_port
from deploy.postgres import create_databases, migrate_both
from deploy.supervisor import ChildStatus, Supervisor
from members.kek import KekProvider

STATUS_FILE = "children.json"
_PORTS = ("api_port", "tracker_port", "pages_port", "inbound_port", "mailbox_smtp_port", "mailbox_http_port")

log = logs.get()


@dataclass(frozen=True, slots=True)
class Started:
    """What a start came to. `api_key` only if this start made the first one: it is not stored anywhere."""

    settings: Settings
    dsns: Dsns
    kek_fingerprint: str
    kek_is_new: bool
    api_key: str | None


class Installation:
    """Starts and stops everything; the caller holds the data directory's lock.

    While it runs, `data_dir`/children.json says which processes there are (name, state, pid, since, restarts).
    """

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self.settings = _with_ports(settings)
        self._clock = clock
        self._new_id = IdSource(clock)
        self._status_file = settings.data_dir / STATUS_FILE
        self._supervisor = Supervisor(log_dir=log_directory(settings), clock=clock, changed=self._note_status)

    @property
    def status(self) -> list[ChildStatus]:
        """One line a process."""
        return self._supervisor.status

    async def start(self) -> Started:
        """Start everything; return when all of it is ready. ConfigurationError if a part can't be started."""
        settings = self.settings
        kek_is_new = is_in_file(settings) and not settings.kek_path.exists()
        kek = await open_kek(settings, make=True)
        keys.load_or_create_signer(settings.link_key_path)
        keys.load_or_create_webhook_keys(settings.webhook_key_path)
        dsns = await self._databases()
        api_key = await self._default_account(dsns, kek)
        await self._supervisor.start(fleet.services(settings, dsns, inherited_environment()))
        log.info("started", processes=len(self.status))
        return Started(settings, dsns, kek.fingerprint, kek_is_new, api_key)

    async def stop(self) -> None:
        """Stop everything, Postgres last; takes at most 10 s."""
        await self._supervisor.stop()
        self._status_file.unlink(missing_ok=True)

    async def _databases(self) -> Dsns:
        if databases.are_embedded(self.settings):
            server = databases.embedded(self.settings)
            server.prepare()
            await self._supervisor.start([fleet.postgres(server)])
            return await create_databases(server)
        dsns = databases.given(self.settings)
        if dsns.main_owner and dsns.members_owner:
            await migrate_both(dsns)
        return dsns

    async def _default_account(self, dsns: Dsns, kek: KekProvider) -> str | None:
        main, members = await open_pool(dsns.main, name="up"), await open_pool(dsns.members, name="up")
        try:
            account = await accounts.create_account(main, members, kek, self._new_id, accounts.DEFAULT)
            if await accounts.has_keys(main, account.account_id):
                return None
            made = await KeyStore(main, self._new_id, os.urandom).create(account.account_id, "first start", SCOPES)
        except asyncpg.UndefinedTableError as error:
            raise ConfigurationError("The databases have no schema yet: run `todoku migrate` as their owner") from error
        finally:
            await close_pool(main)
            await close_pool(members)
        return made.token

    def _note_status(self) -> None:
        # For people and `todoku top`; a full disk must not stop the supervision.
        draft = self._status_file.with_suffix(".draft")
        with suppress(OSError):
            draft.write_bytes(orjson.dumps([asdict(line) for line in self.status]))
            draft.replace(self._status_file)


def _with_ports(settings: Settings) -> Settings:
    """Replace each port that is 0 by one that is free now: the processes must know each other's."""
    chosen = {name: free_port() for name in _PORTS if getattr(settings, name) == 0}
    return settings.model_copy(update=chosen)


def log_directory(settings: Settings) -> Path:
    """Return where the processes' logs are."""
    return settings.data_dir / "logs"
