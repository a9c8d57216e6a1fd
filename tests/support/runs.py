"""A run as the rest of the service leaves it: scheduled, snapshot, cut into one chunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core.ids import IdSource
from core.tokens import SLOT_HONEYPOT, SLOT_LINK, SLOT_OPEN, SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, SLOT_WEB, LinkSigner

SIGNER = LinkSigner({1: bytes(range(32))}, primary=1)
LINKS = ("https://shop.example.jp/spring?a=1&b=2", "https://shop.example.jp/夏 の日", "http://example.com/#top")

_CREATE = """
WITH a AS (INSERT INTO account (account_id, name) VALUES ($1::uuid, $1::uuid::text) ON CONFLICT DO NOTHING),
     s AS (INSERT INTO sender (sender_id, account_id, name, address, postal_address, contact, domain)
           VALUES ($2, $1, 'Shop', 'shop@example.jp', 'Tokyo', 'help@example.jp', 'example.jp') ON CONFLICT DO NOTHING),
     t AS (INSERT INTO template (template_id, account_id, name) VALUES ($2, $1, 'T') ON CONFLICT DO NOTHING),
     c AS (INSERT INTO campaign (campaign_id, account_id, name, sender_id, template_id, audience)
           VALUES ($2, $1, 'C', $2, $2, '{"all": true}') ON CONFLICT DO NOTHING),
     f AS (INSERT INTO content (content_id, account_id, body, links) VALUES ($3, $1, $9, $5))
INSERT INTO run (run_id, account_id, campaign_id, kind, state, starts_at, content_id, audience, weight, audience_state,
                 snapshot, started_at, first_sent_at, finished_at)
VALUES ($4, $1, $2, $7, $6, coalesce($10, timestamptz '2026-04-01 09:00Z'), $3,
        '{"all": true}', 10, 'whole', $8, '2026-04-01 09:00:00.100Z',
        '2026-04-01 09:00:00.250Z', CASE WHEN $6::text = 'finished' THEN timestamptz '2026-04-01 09:10Z' END)
"""


@dataclass(frozen=True)
class Run:
    account_id: UUID
    campaign_id: UUID
    run_id: UUID
    members: list[UUID]
    chunk_id: int

    def open_path(self, seq: int) -> str:
        return "/o/" + SIGNER.mint(self.run_id, seq, [SLOT_OPEN])[0]

    def click_path(self, seq: int, link: int = 0) -> str:
        return "/c/" + SIGNER.mint(self.run_id, seq, [SLOT_LINK + link])[0]

    def honeypot_path(self, seq: int) -> str:
        return "/c/" + SIGNER.mint(self.run_id, seq, [SLOT_HONEYPOT])[0]

    def unsubscribe_path(self, seq: int) -> str:
        return "/u/" + SIGNER.mint(self.run_id, seq, [SLOT_UNSUBSCRIBE])[0]

    def preferences_path(self, seq: int) -> str:
        return "/p/" + SIGNER.mint(self.run_id, seq, [SLOT_PREFERENCES])[0]

    def web_path(self, seq: int) -> str:
        return "/w/" + SIGNER.mint(self.run_id, seq, [SLOT_WEB])[0]


async def make_run(
    main: asyncpg.Pool,
    new_id: IdSource,
    *,
    recipients: int = 3,
    links: Sequence[str] = LINKS,
    state: str = "running",
    kind: str = "campaign",
    account_id: UUID | None = None,
    campaign_id: UUID | None = None,
    chunk_state: str = "ready",
    body: Mapping[str, object] | None = None,
    members: Sequence[UUID] = (),
    topic_id: UUID | None = None,
    starts_at: datetime | None = None,
) -> Run:
    """Make a run with recipients 1 to `recipients`, or to these `members`, all in one chunk; due in April 2026.

    Account and campaign are made if need be.
    """
    account_id, campaign_id, run_id = account_id or new_id(), campaign_id or new_id(), new_id()
    members = list(members) or new_id.many(recipients)
    recipients = len(members)
    async with main.acquire() as connection, connection.transaction():
        await connection.execute(
            _CREATE,
            account_id,
            campaign_id,
            new_id(),
            run_id,
            list(links),
            state,
            kind,
            recipients,
            body or {},
            starts_at,
        )
        await connection.execute(
            "INSERT INTO recipient SELECT $1, n, m, 0 FROM unnest($2::uuid[]) WITH ORDINALITY AS u (m, n)",
            run_id,
            members,
        )
        await connection.execute("UPDATE run SET topic_id = $2 WHERE run_id = $1", run_id, topic_id)
        chunk_id = await connection.fetchval(
            "INSERT INTO chunk (run_id, first_seq, last_seq, state) VALUES ($1, 1, $2, $3) RETURNING chunk_id",
            run_id,
            recipients,
            chunk_state,
        )
    return Run(account_id, campaign_id, run_id, members, chunk_id)
