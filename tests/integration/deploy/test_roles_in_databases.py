"""What a process may do in the databases, tried with its own credentials: exactly what docs/reference/roles.md says.

Every table and function is found in the catalogue, so that a new one that nobody spoke of fails here. Statements are
explained, not run: the server checks the caller's rights as it would for running them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from core.settings import Settings
from deploy import roles
from deploy.dsns import Dsns
from tests.unit.docs.reading import code, page, rows, section

_NOT_OF_A_VIEW = (asyncpg.WrongObjectTypeError, asyncpg.ObjectNotInPrerequisiteStateError)
NOTHING = "\N{EN DASH}"
PAGE = page("reference/roles.md")
VERBS: Mapping[str, str] = {
    "select": "EXPLAIN SELECT {column} FROM {table}",
    "insert": "EXPLAIN INSERT INTO {table} ({column}) VALUES (DEFAULT)",
    "update": "EXPLAIN UPDATE {table} SET {column} = DEFAULT",
}
DATABASES = {
    "Tables of the main database": (
        "main_owner",
        {
            "todoku_app": "main",
            "todoku_tracker": "main_tracker",
            "todoku_pages": "main_pages",
            "todoku_inbound": "main_inbound",
        },
    ),
    "Tables of the member database": (
        "members_owner",
        {"todoku_vault": "members", "todoku_stops": "members_stops", "todoku_pages": "members_pages"},
    ),
}
FUNCTIONS = {"Functions of the main database": "main_owner", "Functions of the member database": "members_owner"}
PROCESSES = {
    "api": roles.API,
    "tracker": roles.TRACKER,
    "pages": roles.PAGES,
    "inbound": roles.INBOUND,
    "scheduler": roles.SCHEDULER,
    "worker --pool bulk": roles.WORKER,
    "worker --pool jobs": roles.JOBS,
    "mailbox": roles.MAILBOX,
}

_TABLES = """
    SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS name,
           array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns, c.relispartition AS is_partition
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_%' AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY 1, 3
"""
_ROUTINES = """
    SELECT n.nspname || '.' || p.proname AS name,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t) AS arguments
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


async def may(connection: asyncpg.Connection, statement: str) -> bool:
    try:
        await connection.execute(statement)
    except (asyncpg.InsufficientPrivilegeError, *_NOT_OF_A_VIEW):
        return False
    return True


async def rights(connection: asyncpg.Connection, table: str, columns: Sequence[str]) -> str:
    """What may be done with a table, as the page writes it."""
    said = []
    for verb, statement in VERBS.items():
        open_ = [one for one in columns if await may(connection, statement.format(table=table, column=one))]
        if open_ == list(columns):
            said.append(verb)
        elif open_:
            said.append(f"{verb} ({', '.join(open_)})")
    if await may(connection, f"EXPLAIN DELETE FROM {table}"):
        said.append("delete")
    transaction = connection.transaction()
    await transaction.start()
    try:
        if await may(connection, f"TRUNCATE {table}"):
            said.append("truncate")
    finally:
        await transaction.rollback()
    return ", ".join(said) or NOTHING


async def asked(dsn: str, statement: str) -> list[asyncpg.Record]:
    owner = await asyncpg.connect(dsn, timeout=10)
    try:
        return list(await owner.fetch(statement))
    finally:
        await owner.close()


def described(heading: str) -> list[list[str]]:
    return [[code(cell) for cell in row] for row in rows(section(PAGE, heading))[1:]]


@pytest.mark.parametrize("heading", DATABASES)
async def test_each_role_may_do_with_each_table_what_the_page_says_and_nothing_else(dsns: Dsns, heading: str) -> None:
    owner, credentials = DATABASES[heading]
    tables = await asked(getattr(dsns, owner), _TABLES)
    found: dict[str, list[str]] = {row["name"]: [] for row in tables if not row["is_partition"]}
    for name in credentials.values():
        connection = await asyncpg.connect(getattr(dsns, name), timeout=10)
        try:
            for row in tables:
                said = await rights(connection, row["name"], row["columns"])
                if row["is_partition"]:
                    assert said == NOTHING, f"{row['name']} is reached beside its parent"
                else:
                    found[row["name"]].append(said)
        finally:
            await connection.close()
    assert [list(credentials)] == [row[1:] for row in _heads(heading)]
    assert as_page(found) == as_page({row[0]: row[1:] for row in described(heading)})


def _heads(heading: str) -> list[list[str]]:
    return [[code(cell) for cell in rows(section(PAGE, heading))[0]]]


def as_page(found: Mapping[str, Sequence[str]]) -> list[str]:
    """The rows as the page has them, so that a difference can be read, and pasted."""
    return [f"| `{name}` | {' | '.join(cells)} |" for name, cells in sorted(found.items())]


@pytest.mark.parametrize("heading", FUNCTIONS)
async def test_each_role_may_call_the_functions_that_the_page_says_and_no_other(dsns: Dsns, heading: str) -> None:
    credentials = next(of for owner, of in DATABASES.values() if owner == FUNCTIONS[heading])
    found: dict[str, list[str]] = {}
    for row in await asked(getattr(dsns, FUNCTIONS[heading]), _ROUTINES):
        # From a row, so that the planner does not settle a call of nothing before rights are looked at.
        nothing = ", ".join(f"NULL::{type_} AS a{place}" for place, type_ in enumerate(row["arguments"])) or "1 AS none"
        given = ", ".join(f"n.a{place}" for place in range(len(row["arguments"])))
        call = f"EXPLAIN SELECT {row['name']}({given}) FROM (SELECT {nothing} OFFSET 0) AS n"
        callers = []
        for role, name in credentials.items():
            connection = await asyncpg.connect(getattr(dsns, name), timeout=10)
            try:
                callers += [role] if await may(connection, call) else []
            finally:
                await connection.close()
        found.setdefault(row["name"], [", ".join(f"`{one}`" for one in callers) or NOTHING])
    assert as_page(found) == as_page({code(row[0]): row[1:] for row in rows(section(PAGE, heading))[1:]})


@pytest.mark.parametrize("process", PROCESSES)
async def test_a_process_is_handed_the_credentials_and_key_files_that_the_page_says(dsns: Dsns, process: str) -> None:
    settings = Settings(data_dir=Path("/nowhere"))
    made = roles.environment(PROCESSES[process], settings, dsns, {})
    [row] = [row for row in described("Who opens what") if f"todoku {process}" in row[0]]
    found = {urlsplit(dsn).path: await _user(dsn) for dsn in made.values() if dsn.startswith("postgresql://")}
    assert [found.get(urlsplit(dsn).path, NOTHING) for dsn in (dsns.main_owner, dsns.members_owner)] == row[1:3]
    files = {
        "KEK": "TODOKU_KEK_FILE",
        "link-signing keys": "TODOKU_LINK_KEY_FILE",
        "webhook keys": "TODOKU_WEBHOOK_KEY_FILE",
    }
    assert (", ".join(name for name, variable in files.items() if variable in made) or NOTHING) == row[3]


async def _user(dsn: str) -> str:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("where", "grant"),
    [
        ("members_owner", "GRANT SELECT ON member TO todoku_stops"),
        ("members_owner", "GRANT UPDATE (source) ON consent TO todoku_vault"),
        ("main_owner", "GRANT SELECT (weight) ON run TO todoku_tracker"),
        ("main_owner", "CREATE TABLE new_one (id integer)"),
        ("main_owner", "GRANT TRUNCATE ON stop TO todoku_app"),
    ],
)
async def test_a_right_too_many_would_be_seen(dsns: Dsns, where: str, grant: str) -> None:
    await asked(getattr(dsns, where), grant)
    heading = next(one for one, (owner, _) in DATABASES.items() if owner == where)
    check: Callable[..., object] = test_each_role_may_do_with_each_table_what_the_page_says_and_nothing_else
    with pytest.raises(AssertionError):
        await check(dsns, heading)  # type: ignore[misc]
