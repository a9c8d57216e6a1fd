"""A preview joins what the slices of a snapshot look up: whatever keeps members from mail, both say the same."""

import asyncio
from itertools import chain, combinations, product
from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from members import audience
from members.audience import Audience, AudienceSource
from members.keyring import KeyRings
from members.scopes import topic_scope
from tracking.engagement import MemberEngagement

REASONS = {"all": "unsubscribed", "global": "manual", "topic": "complained"}
DOMAIN_REASONS = {"all": "bounced", "topic": "erased"}
OWN = tuple(chain.from_iterable(combinations(REASONS, size) for size in range(len(REASONS) + 1)))
OF_DOMAIN = tuple(chain.from_iterable(combinations(DOMAIN_REASONS, size) for size in range(len(DOMAIN_REASONS) + 1)))
STATUSES = ("pending", "active", "paused until yesterday", "paused until tomorrow")

MEMBER = """
INSERT INTO member (account_id, member_id, status, paused_until, sealed, facets, tag, suppression_hash)
VALUES ($1, $2, split_part($3, ' ', 1),
        CASE $3 WHEN 'paused until yesterday' THEN app.now() - interval '1 day'
                WHEN 'paused until tomorrow' THEN app.now() + interval '1 day' END, '', $4, $5, $6)
"""
ENTRY = """
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at) VALUES ($1, $2, $3, $4, app.now())
ON CONFLICT DO NOTHING
"""


def stored(scope: str, topic: UUID) -> str:
    return topic_scope(topic) if scope == "topic" else scope


@pytest.fixture
def topic(new_id: IdSource) -> UUID:
    return new_id()


@pytest.fixture
async def source(
    vault: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, topic: UUID, new_id: IdSource
) -> AudienceSource:
    """An account with a member of every status under every set of entries, of address and of domain."""
    rows, entries = [], []
    for number, (status, own, of_domain) in enumerate(product(STATUSES, OWN, OF_DOMAIN)):
        address, domain = number.to_bytes(32, "big"), 7_000_000 + OF_DOMAIN.index(of_domain)
        rows.append((account, new_id(), status, {"open": {"age": number}}, domain, address))
        entries += [(account, address, stored(scope, topic), REASONS[scope]) for scope in own]
        entries += [
            (account, domain.to_bytes(8, "big"), stored(scope, topic), DOMAIN_REASONS[scope]) for scope in of_domain
        ]
    await vault.executemany(MEMBER, rows)
    await vault.executemany(ENTRY, entries)
    return AudienceSource(vault, rings, MemberEngagement(main))


async def cut(source: AudienceSource, account: UUID, wanted: Audience) -> tuple[int, dict[str, int]]:
    upper = await source.upper(account)
    assert upper is not None
    end = await source.slice(account, wanted, None, upper, 1_000, lambda _: asyncio.sleep(0))
    return end.rows, dict(end.left_out)


@pytest.mark.parametrize("about", ["all mail", "a topic", "a topic that nobody left"])
async def test_a_preview_counts_by_the_reasons_that_a_snapshot_leaves_members_out_for(
    source: AudienceSource, account: UUID, topic: UUID, new_id: IdSource, about: str
) -> None:
    of = {"all mail": None, "a topic": topic, "a topic that nobody left": new_id()}[about]
    wanted = Audience(None, (await source.resolve(account, {"all": True})).at, of)
    told = await source.at_once(account, wanted, 20)
    assert told is not None
    count, samples = told
    assert (count.sendable, dict(count.left_out)) == await cut(source, account, wanted)
    assert count.matching == len(STATUSES) * len(OWN) * len(OF_DOMAIN)
    assert len(samples) == min(20, count.sendable)
    assert set(count.left_out) >= {"pending", "paused", "unsubscribed", "manual", "bounced"}


async def test_an_account_without_other_entries_than_for_all_mail_is_counted_the_same(
    source: AudienceSource, account: UUID, vault: asyncpg.Pool
) -> None:
    await vault.execute("DELETE FROM suppression WHERE scope <> 'all' OR length(hash) = 8")
    wanted = await source.resolve(account, {"all": True})
    told = await source.at_once(account, wanted, 20)
    assert told is not None
    assert (told[0].sendable, dict(told[0].left_out)) == await cut(source, account, wanted)


async def test_samples_are_the_first_who_can_be_sent_to_however_far_down_they_are(
    source: AudienceSource, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await source.resolve(account, {"all": True})
    near = await source.at_once(account, wanted, 3)
    monkeypatch.setattr(audience, "SAMPLED", 1)
    far = await source.at_once(account, wanted, 3)
    assert near is not None
    assert far is not None
    assert far[1] == near[1]
    assert len(far[1]) == 3
