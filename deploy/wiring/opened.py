"""What all processes with a way into the vault open first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from deploy import databases
from deploy.kek import open_kek
from deploy.process import Process
from members.holders import Holder
from members.kek import KekProvider
from members.keyring import KeyRings


@dataclass(frozen=True, slots=True)
class Opened:
    """Pools of the process's role in each database, and the keys to what is sealed."""

    main: asyncpg.Pool
    members: asyncpg.Pool
    kek: KekProvider
    rings: KeyRings


@asynccontextmanager
async def open_all(
    this: Process,
    name: str,
    *,
    main_size: int,
    members_size: int,
    plan_once: bool = False,
    roles: tuple[str, str] = ("main", "members"),
) -> AsyncIterator[Opened]:
    """Open both databases for the block, as a holder of keys; ConfigurationError if the KEK or a DSN can't be had.

    `roles`: the names of their DSNs.
    """
    main_role, members_role = roles
    kek = await open_kek(this.settings)
    async with (
        databases.pool(this.settings, main_role, process=name, size=main_size, plan_once=plan_once) as main,
        databases.pool(this.settings, members_role, process=name, size=members_size, plan_once=plan_once) as members,
    ):
        holder = Holder(
            members,
            this.clock,
            holder=this.new_id(),
            kind=name.rstrip(" 0123456789"),
            seconds=this.settings.key_lease,
            beat=this.settings.key_beat,
        )
        rings = KeyRings(members, kek, current=holder.current)
        async with holder.kept(rings):
            yield Opened(main, members, kek, rings)
