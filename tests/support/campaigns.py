"""An account with a sender and a template, its members in the vault, and the stores that stand on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from core.ids import IdSource, encode
from members.accounts import open_account
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.groups import GroupStore
from members.kek import Kek
from members.keyring import KeyRings
from scheduler.audience import AudienceCutter
from scheduler.campaigns.addressees import VaultAddressees
from scheduler.campaigns.fields import Campaign, CampaignFields
from scheduler.campaigns.store import CampaignStore
from scheduler.jobs import JobQueue
from scheduler.runs import Run, RunStore
from tracking.engagement import MemberEngagement


@dataclass
class Stage:
    """One account, ready to schedule campaigns."""

    main: asyncpg.Pool
    vault: asyncpg.Pool
    new_id: IdSource
    account_id: UUID
    sender_id: UUID
    template_id: UUID
    rings: KeyRings

    @property
    def campaigns(self) -> CampaignStore:
        return CampaignStore(
            self.main,
            attributes=AttributeStore(self.vault, self.new_id),
            audiences=self.audience,
            addressees=VaultAddressees(self.vault),
            new_id=self.new_id,
        )

    @property
    def audience(self) -> AudienceSource:
        return AudienceSource(self.vault, self.rings, MemberEngagement(self.main))

    @property
    def runs(self) -> RunStore:
        return RunStore(self.main)

    def fields(self, **changes: Any) -> CampaignFields:
        usual: dict[str, Any] = {
            "name": "December",
            "sender_id": self.sender_id,
            "template_id": self.template_id,
            "audience": {"all": True},
        }
        return CampaignFields(**(usual | changes))

    async def now(self) -> datetime:
        now: datetime = await self.main.fetchval("SELECT app.now()")
        return now

    async def members(self, count: int, **traits: Any) -> list[UUID]:
        made = self.new_id.many(count)
        await add_members(self.vault, self.account_id, made, **traits)
        return made

    async def group(self, name: str) -> tuple[UUID, str]:
        """A group's id, and as it is shown."""
        made = await GroupStore(self.vault, self.new_id).create(self.account_id, name)
        return made.group_id, encode("grp", made.group_id)

    async def scheduled(self, *, seconds: float = 0, **changes: Any) -> Campaign:
        """A campaign that starts in `seconds`; 0: it is due."""
        campaign = await self.campaigns.create(self.account_id, self.fields(**changes))
        at = await self.now() + timedelta(seconds=seconds or 60)
        campaign = await self.campaigns.schedule(self.account_id, campaign.campaign_id, at)
        if not seconds:
            await self.main.execute("UPDATE run SET starts_at = app.now() WHERE run_id = $1", campaign.run_id)
        return campaign

    async def run(self, campaign: Campaign) -> Run:
        assert campaign.run_id is not None
        return await self.runs.get(self.account_id, campaign.run_id)

    async def worker(self, pool: str = "jobs") -> UUID:
        """Register a worker that lives for an hour."""
        owner = self.new_id()
        await self.main.execute(
            "INSERT INTO worker (owner, pool, slot, host, pid, alive_until)"
            " VALUES ($1, $2, 0, 'here', 1, app.now() + interval '1 hour')",
            owner,
            pool,
        )
        return owner

    def cutter(self, slice_rows: int = 1_000) -> AudienceCutter:
        return AudienceCutter(self.main, self.audience, new_id=self.new_id, slice_rows=slice_rows)

    async def cut_audiences(self, slice_rows: int = 1_000) -> int:
        """Do every slice that is to be done, as a worker would; return how many there were."""
        queue = JobQueue(self.main, await self.worker())
        cutter, count = self.cutter(slice_rows), 0
        while job := await queue.claim("audience_slice"):
            await cutter(job)
            await queue.done(job)
            count += 1
        return count

    async def recipients(self, campaign: Campaign) -> list[asyncpg.Record]:
        return await self.main.fetch(
            "SELECT seq, member_id, tag FROM recipient WHERE run_id = $1 ORDER BY seq", campaign.run_id
        )

    async def chunks(self, campaign: Campaign) -> list[tuple[int, int]]:
        rows = await self.main.fetch(
            "SELECT first_seq, last_seq FROM chunk WHERE run_id = $1 ORDER BY first_seq", campaign.run_id
        )
        return [(row["first_seq"], row["last_seq"]) for row in rows]

    async def lease_chunk(self, campaign: Campaign) -> int:
        """Lease a chunk of a campaign's run as a sending worker does; return it."""
        owner = await self.worker("bulk")
        chunk: int = await self.main.fetchval(
            "UPDATE chunk SET state = 'leased', owner = $2, epoch = epoch + 1 WHERE chunk_id ="
            " (SELECT min(chunk_id) FROM chunk WHERE run_id = $1 AND state = 'ready') RETURNING chunk_id",
            campaign.run_id,
            owner,
        )
        return chunk

    async def end_chunks(self, campaign: Campaign) -> None:
        await self.main.execute("UPDATE chunk SET state = 'done', owner = NULL WHERE run_id = $1", campaign.run_id)


async def set_up(main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource) -> Stage:
    account_id, sender_id, template_id = new_id(), new_id(), new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, $2)", account_id, str(account_id))
    await main.execute(
        "INSERT INTO sender (sender_id, account_id, name, address, postal_address, contact, domain)"
        " VALUES ($1, $2, 'News', 'news@example.jp', '1-1 Chiyoda, Tokyo', 'desk@example.jp', 'example.jp')",
        sender_id,
        account_id,
    )
    await main.execute(
        "INSERT INTO template (template_id, account_id, name) VALUES ($1, $2, 'December')", template_id, account_id
    )
    await write_template(main, template_id, 1)
    kek = Kek(bytes(32))
    await open_account(vault, kek, account_id, new_id)
    return Stage(main, vault, new_id, account_id, sender_id, template_id, KeyRings(vault, kek))


async def add_members(
    vault: asyncpg.Pool,
    account_id: UUID,
    members: Sequence[UUID],
    *,
    status: str = "active",
    group: UUID | None = None,
    plain: Mapping[str, object] | None = None,
) -> None:
    """Members with nothing readable: audiences know them by id, tag and facets alone; `plain` are open attributes."""
    await vault.execute(
        """INSERT INTO member (account_id, member_id, status, sealed, facets, tag, suppression_hash)
           SELECT $1, m, $3, '\\x00', $4, n % 7, decode(md5(m::text), 'hex')
           FROM unnest($2::uuid[]) WITH ORDINALITY AS t (m, n)""",
        account_id,
        list(members),
        status,
        ({"groups": [str(group)]} if group else {}) | ({"open": plain} if plain else {}),
    )


async def write_template(
    main: asyncpg.Pool,
    template_id: UUID,
    version: int,
    *,
    subject: str = "Hello {{ name }}",
    html: str = '<p>Hello {{ name }}, <a href="https://example.com/">read on</a></p>',
) -> None:
    await main.execute(
        "INSERT INTO template_version (template_id, version, subject, html) VALUES ($1, $2, $3, $4)",
        template_id,
        version,
        subject,
        html,
    )
    await main.execute("UPDATE template SET version = $2 WHERE template_id = $1", template_id, version)
