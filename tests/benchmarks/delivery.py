"""Messages a second from the whole service to a sink, and beside it in the same run what the machine can sign.

Everything on these cores: Postgres (durable), two workers, `smtp-sink` (Debian's postfix package). Members come
in by an import and lie sealed in the vault; mails of 10 KB with 20 tracked links, personalised; RSA-2048 and Ed25519
signatures; fenced intents and results; journals.

`delivery` sends one campaign and says what a message costs by part. `scale` sends to 10,000, 100,000 and a million, the
last once more with an old snapshot held open in both databases.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import asyncpg

from core.ways_out import RelaySettings
from tests.benchmarks import peers, processor_time
from tests.benchmarks.figure import Figure
from tests.support.service import Service, running_service

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "60000"))
SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000,1000000").split(","))
WORKERS = 2
CONNECTIONS = 50
BATCH = 100_000
_PARAGRAPH = '<p>{{ name }} 様、<a href="https://shop.example/items/%d?from=mail">商品 %d</a>: Lorem ipsum dolor.</p>\n'
HTML = "<html><body>" + "".join(_PARAGRAPH % (number, number) for number in range(20)) + "</body></html>"

_TENTHS = """
    SELECT count(*) / extract(epoch FROM max(at) - min(at))::float AS rate
    FROM (SELECT at, ntile(10) OVER (ORDER BY at) AS tenth FROM result WHERE outcome = 'accepted') AS sent
    GROUP BY tenth ORDER BY tenth
"""


@dataclass(frozen=True)
class Sent:
    """One campaign's figures: messages a second, MB, ms, and processor seconds by part.

    `tenths` are messages a second while each tenth of the list was sent, `vacuums` how many automatic ones ran
    meanwhile on the tables that grow.
    """

    members: int
    rate: float
    memory: float
    lateness: float
    spent: dict[str, float]
    tenths: tuple[float, ...]
    vacuums: int


async def measure() -> list[Figure]:
    """Send one campaign to `BENCH_MEMBERS` members; return the figures."""
    before = await peers.signatures_per_second()
    async with peers.sink() as (port, pid):
        raw, libraries = await peers.raw_per_second(port), await peers.libraries_per_second(port)
        sent = await send(MEMBERS, port, pid)
    signatures = (before + await peers.signatures_per_second()) / 2
    conditions = f"{MEMBERS:,} recipients, 10 KB mails, 20 links, RSA-2048 and Ed25519, {WORKERS} workers, smtp-sink"
    cost = {part: seconds / sent.members * 1e6 for part, seconds in sent.spent.items()}
    return [
        Figure(name="messages_per_second", value=sent.rate, unit="1/s", conditions=conditions),
        Figure(name="rsa_signatures_per_second", value=signatures, unit="1/s", conditions="both cores, same run"),
        _ratio("rsa_limit_ratio", sent.rate, signatures, "messages_per_second / rsa_signatures_per_second"),
        Figure(name="smtp_source_per_second", value=raw, unit="1/s", conditions="10 KB, 50 sessions, nothing computed"),
        _ratio("smtp_source_ratio", sent.rate, raw, "messages_per_second / smtp_source_per_second"),
        Figure(
            name="libraries_per_second",
            value=libraries,
            unit="1/s",
            conditions="EmailMessage, dkimpy, aiosmtplib, one process, nothing recorded",
        ),
        _ratio("libraries_ratio", sent.rate, libraries, "messages_per_second / libraries_per_second"),
        Figure(
            name="lateness_ms",
            value=sent.lateness,
            unit="ms",
            conditions="from the scheduled time to the first message accepted",
        ),
        Figure(name="worker_peak_memory", value=sent.memory, unit="MB", conditions="the larger worker's VmHWM"),
        *(
            Figure(name=f"cost_{part}", value=each, unit="µs", conditions="processor time a message")
            for part, each in cost.items()
        ),
        Figure(
            name="cost_signature",
            value=(os.cpu_count() or 1) / signatures * 1e6,
            unit="µs",
            conditions="of the workers' part: one RSA-2048 signature with all cores at work",
        ),
    ]


async def scale() -> list[Figure]:
    """Send to lists of growing size, and to the largest beside an old snapshot."""
    figures = []
    for members in (*SIZES, -SIZES[-1]):
        before = await peers.signatures_per_second()
        async with peers.sink() as (port, pid):
            sent = await send(abs(members), port, pid, old_snapshot=members < 0)
        signatures = (before + await peers.signatures_per_second()) / 2
        name = f"{abs(members):,}" + (" beside an old snapshot" if members < 0 else "")
        figures += [
            Figure(name=f"messages_per_second, {name}", value=sent.rate, unit="1/s", conditions="as in delivery"),
            _ratio(f"rsa_limit_ratio, {name}", sent.rate, signatures, "the same run"),
            _ratio(f"slowest_tenth, {name}", min(sent.tenths), median(sent.tenths), "to the median tenth of the list"),
            _ratio(f"last_tenth, {name}", sent.tenths[-1], median(sent.tenths), "to the median tenth of the list"),
            Figure(name=f"vacuums, {name}", value=sent.vacuums, unit="", conditions="automatic, on the growing tables"),
            Figure(name=f"worker_peak_memory, {name}", value=sent.memory, unit="MB", conditions="VmHWM"),
            *(
                Figure(name=f"cost_{part}, {name}", value=each / sent.members * 1e6, unit="µs", conditions="a message")
                for part, each in sent.spent.items()
            ),
        ]
    return figures


async def send(members: int, port: int, sink_pid: int, *, old_snapshot: bool = False) -> Sent:
    """Send one campaign to `members` members through a relay on `port`."""
    relay = RelaySettings(host="127.0.0.1", port=port, tls="none", connections=CONNECTIONS)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(
            running_service(on_disk=True, relays=(relay,), workers=WORKERS, log_level="warning")
        )
        for first in range(0, members, BATCH):
            addresses = [f"member{n}@example.jp" for n in range(first, min(first + BATCH, members))]
            await service.import_members(addresses)
        if old_snapshot:
            for dsn in (service.started.dsns.main_owner, service.started.dsns.members_owner):
                await stack.enter_async_context(_held_snapshot(dsn))
        vacuums, before = await _vacuums(service), _spent(service, sink_pid)
        campaign = await service.campaign(at=datetime.now(UTC) + timedelta(seconds=3), html=HTML)
        await service.reaches(campaign, "finished", within=120 + members / 500, every=1.0)
        spent = processor_time.spent(before, _spent(service, sink_pid))
        row = await service.main_owner.fetchrow(
            "SELECT count(*) AS sent, extract(epoch FROM max(at) - min(at))::float AS seconds "
            "FROM result WHERE outcome = 'accepted'"
        )
        assert row is not None
        tenths = await service.main_owner.fetch(_TENTHS)
        vacuums = await _vacuums(service) - vacuums
        report = await service.get(f"/v1/reports/campaigns/{campaign}")
        memory = max(_peak_memory(service, slot) for slot in range(WORKERS))
        await service.verified()
    return Sent(
        members=members,
        rate=row["sent"] / row["seconds"],
        memory=memory,
        lateness=report["runs"][0]["lateness_ms"],
        spent=spent,
        tenths=tuple(tenth["rate"] for tenth in tenths),
        vacuums=vacuums,
    )


async def _vacuums(service: Service) -> int:
    return int(await service.main_owner.fetchval("SELECT sum(autovacuum_count) FROM pg_stat_user_tables"))


def _spent(service: Service, sink_pid: int) -> dict[str, float]:
    workers = sum(processor_time.of(service.pid(f"worker-bulk-{slot}")) for slot in range(WORKERS))
    postgres, receiver = processor_time.of_tree(service.pid("postgres")), processor_time.of_tree(sink_pid)
    rest = processor_time.busy() - workers - postgres - receiver
    return {"workers": workers, "postgres": postgres, "receiver": receiver, "rest": rest}


def _ratio(name: str, value: float, of: float, conditions: str) -> Figure:
    return Figure(name=name, value=value / of, unit="", conditions=conditions)


@asynccontextmanager
async def _held_snapshot(dsn: str) -> AsyncIterator[None]:
    """Keep an old snapshot, as a long report or a backup does: vacuum can remove nothing that dies after it."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT txid_current_snapshot()")
            yield
    finally:
        await connection.close()


def _peak_memory(service: Service, slot: int) -> float:
    """Return the most resident memory that a worker ever held, in MB."""
    status = Path(f"/proc/{service.pid(f'worker-bulk-{slot}')}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000
