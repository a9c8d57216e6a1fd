"""A run in the queue without the packages above: rows made directly, members held in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

import asyncpg

from core.clock import SystemClock
from core.ids import IdSource
from core.settings import Settings
from core.tokens import LinkSigner
from core.ways_out import RelaySettings
from delivery import worker
from delivery.compose.content import Content, Sender
from delivery.contents import ContentCache
from delivery.dkim import DkimSigner
from members.member import Tracking
from tests.support.waiting import eventually

CONTENT = Content(
    subject="{{ name }} 様へ",
    preheader="",
    html="<p>{{ name }} 様</p><a href='https://example.com/news'>news</a>",
    text="",
    sender=Sender("届く", "news@shop.example", None, "東京都千代田区1-1", "help@shop.example", "shop.example"),
    track_opens=True,
    track_clicks=True,
    attributes=("name",),
)


@dataclass(frozen=True)
class Member:
    member_id: UUID
    address: str
    values: dict[str, object]
    tracking: Tracking = "full"


@dataclass
class Members:
    """Stands for the vault, which has tests of its own."""

    held: dict[UUID, Member] = field(default_factory=dict)
    altered: set[UUID] = field(default_factory=set)

    async def open_members(self, account_id: UUID, member_ids: Sequence[UUID]) -> Sequence[Member]:
        return [self.held[one] for one in member_ids if one in self.held]

    async def unreadable(self, account_id: UUID, left_out: Sequence[UUID]) -> set[UUID]:
        return self.altered & set(left_out)

    async def destination_digest(self, account_id: UUID, text: str) -> bytes:
        return blake2b(text.encode(), digest_size=16).digest()


class NoSigning:
    async def signer_for(self, account_id: UUID, domain: str) -> DkimSigner:
        return None  # type: ignore[return-value]  # DKIM has tests of its own


@dataclass
class Arranged:
    account_id: UUID
    run_id: UUID
    members: Members
    addresses: list[str]


async def arrange_run(
    main: asyncpg.Pool,
    new_id: IdSource,
    addresses: Sequence[str],
    *,
    members: Members | None = None,
    account_id: UUID | None = None,
    chunk: int = 50,
    weight: int = 10,
    rate_per_hour: int | None = None,
    pool: str = "bulk",
    state: str = "running",
    content: Content = CONTENT,
    resend_uncertain: bool = False,
) -> Arranged:
    members = members or Members()
    made = account_id or new_id()
    sender, template, campaign, content_id, run = new_id.many(5)
    await main.execute("INSERT INTO account VALUES ($1, $2) ON CONFLICT DO NOTHING", made, str(made))
    await main.execute(
        "INSERT INTO sender VALUES ($1, $2, 'n', 'a@shop.example', NULL, 'p', 'c', 'shop.example')", sender, made
    )
    await main.execute("INSERT INTO template (template_id, account_id, name) VALUES ($1, $2, 't')", template, made)
    await main.execute(
        "INSERT INTO campaign (campaign_id, account_id, name, sender_id, template_id, audience) "
        "VALUES ($1, $2, 'c', $3, $4, '{}')",
        *(campaign, made, sender, template),
    )
    await main.execute(
        "INSERT INTO content (content_id, account_id, body, links) VALUES ($1, $2, $3, $4)",
        *(content_id, made, content.to_json(), ["https://example.com/news"]),
    )
    await main.execute(
        "INSERT INTO run (run_id, account_id, campaign_id, state, starts_at, content_id, audience, weight, "
        "audience_state, snapshot, resend_uncertain) "
        "VALUES ($1, $2, $3, $7, app.now(), $4, '{}', $5, 'whole', $6, $8)",
        *(run, made, campaign, content_id, weight, len(addresses), state, resend_uncertain),
    )
    rows = []
    for seq, address in enumerate(addresses, 1):
        member = Member(new_id(), address, {"name": f"山田 {seq}"})
        members.held[member.member_id] = member
        rows.append((run, seq, member.member_id, 0))
    await main.copy_records_to_table("recipient", records=rows, columns=["run_id", "seq", "member_id", "tag"])
    await main.execute(
        "INSERT INTO chunk (run_id, first_seq, last_seq) "
        "SELECT $1, s, least(s + $2 - 1, $3) FROM generate_series(1, $3, $2) AS s",
        *(run, chunk, len(addresses)),
    )
    await main.execute(
        "INSERT INTO lane (run_id, pool, state, weight, rate_per_hour) VALUES ($1, $2, $3, $4, $5)",
        *(run, pool, "running" if state == "running" else "held", weight, rate_per_hour),
    )
    return Arranged(made, run, members, list(addresses))


async def a_worker(main: asyncpg.Pool, new_id: IdSource, seconds: float = 45.0) -> UUID:
    """The id of a worker that is registered and beats no more."""
    owner = new_id()
    await main.execute(
        "INSERT INTO worker (owner, pool, slot, host, pid, alive_until) "
        "VALUES ($1, 'bulk', 0, 'here', 1, app.now() + make_interval(secs => $2))",
        *(owner, seconds),
    )
    return owner


@asynccontextmanager
async def running_worker(
    main: asyncpg.Pool,
    members: Members,
    directory: Path,
    *relays: RelaySettings,
    pool: str = "bulk",
    stop_within: float = 10,
    **settings: object,
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker in this process until the block ends."""
    clock, stop = SystemClock(), asyncio.Event()
    chosen = Settings(data_dir=directory, relays=relays, **settings)  # type: ignore[arg-type]
    contents = ContentCache(
        main,
        signers=NoSigning(),
        link_signer=LinkSigner({1: b"k" * 32}, 1),
        tracker_url="http://127.0.0.1:1",
        return_path_domain="bounces.localhost",
    )
    working = asyncio.create_task(
        worker.run(
            settings=chosen,
            main=main,
            members=members,
            contents=contents,
            pool=pool,
            slot=0,
            clock=clock,
            new_id=IdSource(clock),
            stop=stop,
        )
    )
    try:
        yield working
    finally:
        stop.set()
        async with asyncio.timeout(stop_within):
            await working


async def settled(main: asyncpg.Pool, run_id: UUID, **kwargs: float) -> None:
    """Wait until nothing of a run is left to do."""

    async def done() -> bool:
        return not await main.fetchval(
            "SELECT EXISTS (SELECT FROM chunk WHERE run_id = $1 AND state <> 'done')", run_id
        )

    await eventually(done, **kwargs)


async def outcomes(main: asyncpg.Pool, run_id: UUID) -> dict[str, int]:
    """How many recipients' last tries ended how."""
    rows = await main.fetch(
        "SELECT outcome::text, count(*) FROM (SELECT DISTINCT ON (seq) seq, outcome FROM result WHERE run_id = $1 "
        "ORDER BY seq, try DESC) AS last GROUP BY outcome",
        run_id,
    )
    return {row["outcome"]: row["count"] for row in rows}
