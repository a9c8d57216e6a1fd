"""Stages a service of its own, lets made-up members live through it, and robs it of all that can be carried away.

Both databases are dumped, every byte between every process and Postgres has been recorded, the logs and journals are
taken, and two members' sealed rows have been swapped. What a thief can't have by definition, the key files, stays.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.database import close_pool, open_pool
from deploy.demo.stage import Stage, make_directory, staged
from deploy.dsns import Dsns
from deploy.installation import log_directory
from deploy.kek import open_kek
from deploy.postgres import EmbeddedPostgres, client, create_databases
from deploy.theft.story import play
from deploy.theft.swap import Swap, swap_rows
from deploy.theft.tap import tapped
from deploy.theft.victims import Victim, make_victims
from members.kek import KekProvider

VICTIMS = 26


@dataclass(frozen=True, slots=True)
class Loot:
    """What was carried away (directories), of whom, and what came of swapping rows."""

    victims: list[Victim]
    dumps: Path
    logs: Path
    wire: Path
    swaps: list[Swap]


@asynccontextmanager
async def robbed(clock: Clock) -> AsyncIterator[Loot]:
    """Stage, play and rob; the loot is there for the block and removed after it, with everything else."""
    directory = make_directory("todoku-steal-")
    postgres = EmbeddedPostgres(directory / "postgres", durable=False)
    try:
        await asyncio.to_thread(postgres.start)
        dsns = await create_databases(postgres)
        victims, logs, wire = make_victims(VICTIMS), directory / "logs", directory / "wire"
        async with tapped(dsns, wire) as through, staged(clock, VICTIMS, through) as stage:
            await play(stage, victims, clock)
            swaps = await _swap(dsns, await open_kek(stage.settings))
            _take_logs(stage, postgres, logs)
        yield Loot(victims, await asyncio.to_thread(_dump, dsns, directory / "dumps"), logs, wire, swaps)
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(directory, ignore_errors=True)


async def _swap(dsns: Dsns, kek: KekProvider) -> list[Swap]:
    owner, vault = await open_pool(dsns.members_owner, name="steal"), await open_pool(dsns.members, name="steal")
    try:
        return await swap_rows(owner, vault, kek)
    finally:
        await close_pool(owner)
        await close_pool(vault)


def _take_logs(stage: Stage, postgres: EmbeddedPostgres, target: Path) -> None:
    target.mkdir()
    shutil.copy(postgres.log, target)
    for source in (log_directory(stage.settings), stage.settings.journal_dir):
        shutil.copytree(source, target / source.name)


def _dump(dsns: Dsns, target: Path) -> Path:
    target.mkdir()
    for name, dsn in (("main", dsns.main_owner), ("members", dsns.members_owner)):
        client.run("pg_dump", f"--file={target / f'{name}.sql'}", dsn=dsn)
    return target
