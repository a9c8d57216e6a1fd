"""Makes the two databases and their roles on the embedded server, brings both to the newest schema, hands out DSNs.

On a real server an administrator does the same by hand, once: see docs/how-to/own-postgres.md.
"""

from dataclasses import dataclass
from secrets import token_urlsafe

import asyncpg

from core import sql
from core.migrations import Which, migrate
from deploy import dsns as dsns_file
from deploy.dsns import Dsns
from deploy.postgres.server import EmbeddedPostgres

SQL = sql.load(__package__ or "", "databases.sql")


@dataclass(frozen=True, slots=True)
class Database:
    """A database, its owner, and which roles may connect to it (True: and make temporary tables, to copy into).

    `groups` have no login of their own: an administrator makes people members of them.
    """

    which: Which
    name: str
    owner: str
    roles: dict[str, bool]
    groups: tuple[str, ...] = ()


MAIN = Database(
    "main",
    "todoku",
    "todoku_main_owner",
    {"todoku_app": True, "todoku_tracker": False, "todoku_pages": False, "todoku_inbound": False},
    groups=("todoku_analyst",),
)
MEMBERS = Database(
    "members",
    "todoku_members",
    "todoku_members_owner",
    {"todoku_vault": True, "todoku_stops": False, "todoku_pages": False},
)

UNBOUND = frozenset({"todoku_vault"})
"""Whom row security does not concern: it is there for the pages' role, and forbids the COPY that imports write by."""


async def create_databases(server: EmbeddedPostgres) -> Dsns:
    """Make what is missing of databases, roles and schema; return the DSNs, kept in the server's directory too."""
    made = await make_databases(server)
    await migrate_both(made)
    return made


async def migrate_both(dsns: Dsns) -> dict[str, list[str]]:
    """Bring both databases to the newest schema, by their owners; return the names applied now, by database."""
    return {
        MAIN.name: await migrate(dsns.main_owner, MAIN.which),
        MEMBERS.name: await migrate(dsns.members_owner, MEMBERS.which),
    }


async def make_databases(server: EmbeddedPostgres) -> Dsns:
    """Make what is missing of databases and roles; return the DSNs, kept in the server's directory too.

    Repeatable. Every call gives the roles new random passwords, so that an old DSN opens nothing.
    """
    passwords: dict[str, str] = {}
    connection = await asyncpg.connect(server.superuser_dsn, timeout=10)
    try:
        for database in (MAIN, MEMBERS):
            for role in (database.owner, *database.roles):
                passwords[role] = token_urlsafe(24)
                await run(connection, "create_role", role)
                await run(connection, "allow_login", role, passwords[role], role in UNBOUND)
            for group in database.groups:
                await run(connection, "create_role", group)
            await run(connection, "create_database", database.name, database.owner)
            await admit(connection, database, database.name)
        for name in ("postgres", "template1"):
            await run(connection, "close_to_public", name)
    finally:
        await connection.close(timeout=5)
    made = dsns_of(server, passwords, main=MAIN.name, members=MEMBERS.name)
    dsns_file.save(made, server.directory)
    return made


async def admit(connection: asyncpg.Connection, database: Database, name: str) -> None:
    """Let the roles of `database`, and nobody else, connect to the database `name` (itself or its clone)."""
    await run(connection, "close_to_public", name)
    for role, temporary in (database.roles | dict.fromkeys(database.groups, False)).items():
        await run(connection, "admit", name, role, temporary)


async def run(connection: asyncpg.Connection, statement: str, *arguments: object) -> None:
    """Run the utility statement that the named one writes, if it writes one."""
    written = await connection.fetchval(SQL[statement], *arguments)
    if written:
        await connection.execute(written)


def dsns_of(server: EmbeddedPostgres, passwords: dict[str, str], *, main: str, members: str) -> Dsns:
    """Return the DSNs of all roles on the databases named `main` and `members`."""

    def dsn(role: str, database: str) -> str:
        return server.dsn(role, passwords[role], database)

    return Dsns(
        main_owner=dsn(MAIN.owner, main),
        main=dsn("todoku_app", main),
        main_tracker=dsn("todoku_tracker", main),
        main_pages=dsn("todoku_pages", main),
        main_inbound=dsn("todoku_inbound", main),
        members_owner=dsn(MEMBERS.owner, members),
        members=dsn("todoku_vault", members),
        members_stops=dsn("todoku_stops", members),
        members_pages=dsn("todoku_pages", members),
    )
