"""`todoku restore`: a backup into empty databases, with nothing being sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import Settings, load

if TYPE_CHECKING:
    from deploy.backup.restoring import Restored
    from deploy.dsns import Dsns


def restore(
    databases: Annotated[Path, typer.Argument(help="The set of the databases.")],
    keys: Annotated[Path, typer.Argument(help="The set of the keys: of the same backup, or a later one.")],
    replay: Annotated[
        list[str] | None,
        typer.Option(help="Repeat what this still knows: a later set of keys, or a database's DSN. Repeat for more."),
    ] = None,
) -> None:
    """Restore both databases, which must be empty. Runs come up paused; erasures since the backup are repeated."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    done = asyncio.run(_restore(databases, keys, replay or []))
    again = done.replayed
    show(f"{again.erasures:,} erasures, {again.stops:,} stops and {again.suppressions:,} suppressions were repeated.")
    show(f"{done.paused:,} runs are paused. Before you resume one, find out what was sent since the backup.")


async def _restore(databases: Path, keys: Path, replay: list[str]) -> "Restored":
    from deploy.backup.restoring import restore as bring_back  # noqa: PLC0415 - as above
    from deploy.commands.output import note  # noqa: PLC0415

    async with _empty(load()) as dsns:
        return await bring_back(databases, keys, dsns.main_owner, dsns.members_owner, replay=replay, say=note)


@asynccontextmanager
async def _empty(settings: Settings) -> "AsyncIterator[Dsns]":
    """Reach the databases to restore into: those of the owners' DSNs, or the embedded ones, which must not run."""
    from deploy import data_dir, databases  # noqa: PLC0415 - as above
    from deploy.lock import only_one  # noqa: PLC0415
    from deploy.postgres import make_databases  # noqa: PLC0415

    if not databases.are_embedded(settings):
        yield databases.owners(settings)
        return
    data_dir.make(settings.data_dir)
    with only_one(settings.data_dir):
        server = databases.embedded(settings)
        server.start()
        try:
            yield await make_databases(server)
        finally:
            server.stop()
