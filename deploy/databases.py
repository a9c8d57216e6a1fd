"""Where the databases are: named by DSNs, or the embedded server's while `todoku up` runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path

import asyncpg

from core.database import close_pool, open_pool
from core.errors import ConfigurationError
from core.settings import Settings
from deploy import dsns as dsns_file
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres

_OWNERS = ("main_owner", "members_owner")
_NAMES = [field.name for field in fields(Dsns)]


def postgres_directory(settings: Settings) -> Path:
    """Return where the embedded server lives."""
    return settings.data_dir / "postgres"


def embedded(settings: Settings) -> EmbeddedPostgres:
    """Return the embedded server, with connections enough for every process of this machine."""
    connections = max(100, 40 + 10 * settings.workers)
    return EmbeddedPostgres(postgres_directory(settings), port=settings.postgres_port, connections=connections)


def are_embedded(settings: Settings) -> bool:
    """Whether no DSN is given, so that the embedded server is to be used."""
    return not any(_given(settings, name) for name in _NAMES)


def given(settings: Settings) -> Dsns:
    """Return the DSNs of the settings, owners' optional ("" then); ConfigurationError names those that miss."""
    found = {name: _given(settings, name) for name in _NAMES}
    missing = [f"TODOKU_{name.upper()}_DSN" for name in _NAMES if not found[name] and name not in _OWNERS]
    if missing:
        raise ConfigurationError(f"Some DSNs are given and these are not: {', '.join(missing)}")
    return Dsns(**found)


def owners(settings: Settings) -> Dsns:
    """Return the given DSNs, the owners' among them; ConfigurationError if these are missing."""
    missing = [f"TODOKU_{name.upper()}_DSN" for name in _OWNERS if not _given(settings, name)]
    if missing:
        raise ConfigurationError(f"Migrating is the owners' business: {', '.join(missing)} missing")
    return Dsns(**{name: _given(settings, name) for name in _NAMES})


def dsn(settings: Settings, name: str) -> str:
    """Return one role's DSN: the given one, or the embedded server's. ConfigurationError if there is none."""
    if found := _given(settings, name):
        return found
    if are_embedded(settings):
        kept = dsns_file.find(postgres_directory(settings))
        if kept is not None:
            return str(getattr(kept, name))
        raise ConfigurationError(
            f"There is no database in {settings.data_dir} yet: start `todoku up`, or name one by DSN"
        )
    raise ConfigurationError(f"TODOKU_{name.upper()}_DSN is missing")


@asynccontextmanager
async def pool(
    settings: Settings, name: str, *, process: str, size: int = 4, plan_once: bool = False
) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool of one role for the block; it connects when it is first used. `plan_once` as in `open_pool`."""
    opened = await open_pool(dsn(settings, name), name=process, max_size=size, plan_once=plan_once)
    try:
        yield opened
    finally:
        await close_pool(opened)


@asynccontextmanager
async def reached(settings: Settings, name: str, *, process: str) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool for a short command; ConfigurationError if the server is not running, instead of waiting for it."""
    async with pool(settings, name, process=process, size=2) as opened:
        try:
            async with opened.acquire():
                pass
        except (OSError, asyncpg.PostgresError) as error:
            hint = "is `todoku up` running?" if are_embedded(settings) else "check its DSN"
            raise ConfigurationError(f"The database can't be reached ({type(error).__name__}): {hint}") from None
        yield opened


def _given(settings: Settings, name: str) -> str:
    value = getattr(settings, f"{name}_dsn")
    return value.get_secret_value() if value else ""
