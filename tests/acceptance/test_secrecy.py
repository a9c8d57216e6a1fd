"""A known address is nowhere: not in a dump of either database, not in a log, not on the wire to Postgres."""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import asyncpg

from deploy.dsns import Dsns
from tests.support.service import Service, running_service, soon
from tests.support.wire import Wire, wire_to

# Long and odd enough that it can't turn up by chance.
LOCAL = "hanako-zanzibar-7431"
ADDRESS = f"{LOCAL}@quagga-mail.example.jp"
NAME = "紫式部麒麟児"


def spellings() -> list[bytes]:
    """What a thief would search for."""
    plain = [ADDRESS.encode(), ADDRESS.upper().encode(), LOCAL.encode(), b"quagga-mail"]
    plain += [NAME.encode(), NAME.encode("cp932"), NAME.encode("utf-16-le")]
    # The middle of a base64 text, at each of the three alignments.
    encoded = [b64encode(b"." * shift + ADDRESS.encode())[4:-4] for shift in range(3)]
    escaped = NAME.encode("ascii", "backslashreplace")
    return [*plain, *encoded, escaped, *(word.hex().encode() for word in plain)]


def found_in(name: str, content: bytes) -> list[str]:
    return [f"{name}: {spelling!r}" for spelling in spellings() if spelling in content]


async def dumped(owner_dsn: str) -> bytes:
    """Every row of every table, as text and as it is stored."""
    connection = await asyncpg.connect(owner_dsn)
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(bytes(piece))

    try:
        tables = await connection.fetch(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg_temp%'"
        )
        assert len(tables) > 5
        for table in tables:
            for form in ("text", "binary"):
                await connection.copy_from_query(f"SELECT * FROM {table['name']}", output=keep, format=form)
    finally:
        await connection.close()
    return b"".join(pieces)


def files_below(directories: Iterable[Path]) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for top in directories for one in top.rglob("*") if one.is_file()}


@asynccontextmanager
async def through_wires(dsns: Dsns) -> AsyncIterator[dict[str, Wire]]:
    """Each DSN led through a proxy that keeps what passes."""
    async with AsyncExitStack() as stack:
        yield {
            f"{name}_dsn": await stack.enter_async_context(wire_to(dsn)) for name, dsn in asdict(dsns).items() if dsn
        }


async def live(service: Service) -> None:
    """Everything that a member's address can go through: import, search, sending, failing, clicking, leaving."""
    addresses = [
        ADDRESS,
        f"bounce-550.{LOCAL}@quagga-mail.example.jp",
        f"defer-451-once.{LOCAL}@quagga-mail.example.jp",
    ]
    lines = ["email,name", *(f"{address},{NAME}" for address in addresses), f"{LOCAL}@,{NAME}"]
    answer = await service.client.post(
        "/v1/imports", files={"file": ("m.csv", "\r\n".join(lines).encode())}, data={"consent_source": "form"}
    )
    assert answer.status_code == 202, answer.text
    await service.import_members(["somebody@else.example"])
    found = await service.post("/v1/members/search", {"email": ADDRESS})
    assert len(found["items"]) == 1
    campaign = await service.campaign(at=soon(0.5))
    await service.reaches(campaign, "finished")
    report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
    assert (report["accepted"], report["failed"]) == (3, 1)
    urls = await service.one_click_urls()
    await service.client.post(urls[ADDRESS])
    await service.post("/v1/members", {"email": ADDRESS}, expect=409)
    await service.client.get("/v1/members/" + ADDRESS)


async def test_a_known_address_is_nowhere_in_dumps_files_logs_or_on_the_wire(dsns: Dsns) -> None:
    async with (
        through_wires(dsns) as wires,
        running_service(retry_first=0.3, **{name: wire.dsn for name, wire in wires.items()}) as service,
    ):
        await live(service)
        leaks = found_in("main database", await dumped(dsns.main_owner))
        leaks += found_in("member database", await dumped(dsns.members_owner))
        logs = files_below([service.directory / "logs", service.directory / "journal"])
        assert logs
        for name, content in logs.items():
            leaks += found_in(name, content)
        assert sum(len(wire.tape) for wire in wires.values()) > 10_000
        for name, wire in wires.items():
            leaks += found_in(name, bytes(wire.tape))
    assert leaks == []


async def test_the_search_would_find_what_is_there() -> None:
    """The net has no hole: each spelling is found where it is planted."""
    for spelling in spellings():
        assert found_in("planted", b"x" + spelling + b"y")
