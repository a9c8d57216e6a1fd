"""What members choose to get, done in both databases in an order that keeps it whatever fails in between.

Leaving is first a stop in the main database, in effect with its COMMIT; the vault learns it at once here, or from
housekeeping if that fails: by the same time, so that it is one withdrawal. Consenting is first a record in the vault,
then stops are lifted: if that fails the member gets too little, never too much.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from members.errors import StatusForbids
from members.member import Consent, Member
from members.proven import Proof, Proven, ProvenMembers
from members.scopes import ALL, topic_scope
from members.writing import STOP_MARGIN
from tracking.leaving import Leaving

_BEYOND_MARGIN = timedelta(milliseconds=100)


class Choosing:
    """Changes of proven members."""

    def __init__(self, leaving: Leaving, proven: ProvenMembers) -> None:
        self._leaving = leaving
        self._proven = proven

    async def standing(self, proof: Proof, member: Member) -> Member:
        """Return a member as what was stopped a moment ago leaves it, though the vault may not have been told yet."""
        standing = await self._leaving.standing(proof.account_id, proof.member_id)
        topics = tuple(topic for topic in member.topics if topic_scope(topic) not in standing)
        return replace(member, topics=topics, status="unsubscribed" if ALL in standing else member.status)

    async def set_topics(
        self, proof: Proof, *, wanted: Collection[UUID], offered: Collection[UUID], source: str, version: str
    ) -> None:
        """Leave and join topics so that of the `offered` ones the member is in those that are `wanted`.

        Who joins consents: `source` and `version` say by what. That outlives a stop only 5 s after it, so this may wait
        so long. Raises Suppressed if something else holds mail back.
        """
        account_id, member_id = proof.account_id, proof.member_id
        standing = await self._leaving.standing(account_id, member_id)
        scopes = {ALL, *_scopes(wanted)} if wanted else set()
        consent = Consent(source, await self._beyond(standing, scopes), version)
        async with self._proven.opened(proof) as mine:
            member = await _told(mine, standing)
            before = set(member.topics) & set(offered)
            left, joined = before - set(wanted), set(wanted) & set(offered) - before
            if not left and not joined:
                return
            changed = await mine.members.change(
                account_id,
                member_id,
                member.revision,
                topics=sorted(before - left | joined),
                consent=consent if joined else None,
                ended_at=await self._leaving.stop(account_id, member_id, _scopes(left), "unsubscribed"),
            )
            if member.paused_until is not None and changed.status == "active":
                # Joining a topic is no word about the pause.
                await mine.members.change(account_id, member_id, changed.revision, pause_until=member.paused_until)
        if joined:
            await self._leaving.lift(account_id, member_id, [ALL, *_scopes(joined)], consent.given_at)

    async def take_back(self, proof: Proof, topic_id: UUID | None, *, source: str, version: str) -> None:
        """Undo leaving a topic, or (None) all mail, by a consent; it may wait as `set_topics` does.

        Does nothing where nothing was left. Raises Suppressed if something else holds mail back.
        """
        account_id, member_id = proof.account_id, proof.member_id
        scope = ALL if topic_id is None else topic_scope(topic_id)
        standing = await self._leaving.standing(account_id, member_id)
        if scope not in standing:
            return
        consent = Consent(source, await self._beyond(standing, {ALL, scope}), version)
        async with self._proven.opened(proof) as mine:
            member = await _told(mine, standing)
            topics = member.topics if topic_id is None else (*member.topics, topic_id)
            await mine.members.change(account_id, member_id, member.revision, topics=topics, consent=consent)
        await self._leaving.lift(account_id, member_id, {ALL, scope}, consent.given_at)

    async def pause(self, proof: Proof, days: int | None) -> None:
        """Pause for so many days from now, or (None) end a pause; raise StatusForbids."""
        async with self._proven.opened(proof) as mine:
            member = await mine.members.get(proof.account_id, proof.member_id)
            if member.status not in {"active", "paused"}:
                raise StatusForbids("Only who gets mail can pause it")
            until = None if days is None else await self._leaving.now() + timedelta(days=days)
            await mine.members.change(
                proof.account_id, proof.member_id, member.revision, pause_until=until, resume=days is None
            )

    async def _beyond(self, standing: Mapping[str, datetime], scopes: Collection[str]) -> datetime:
        """Return the time, once it is so late that a consent to these scopes outlives the stops of them that stand."""
        now = await self._leaving.now()
        since = [standing[scope] for scope in scopes if scope in standing]
        wait = max(since) + STOP_MARGIN + _BEYOND_MARGIN - now if since else timedelta()
        if wait > timedelta():
            await asyncio.sleep(wait.total_seconds())
            now = await self._leaving.now()
        return now


async def _told(mine: Proven, standing: Mapping[str, datetime]) -> Member:
    """Have the vault know of the stops that stand; return the member as it is then.

    Housekeeping may have told it already. The ledger tells it as it was: left first, whatever is consented to next.
    """
    account_id, member_id = mine.proof.account_id, mine.proof.member_id
    member = await mine.members.get(account_id, member_id)
    kept = [topic for topic in member.topics if topic_scope(topic) not in standing]
    if len(kept) < len(member.topics):
        member = await mine.members.change(account_id, member_id, member.revision, topics=kept, ended_at=standing)
    if ALL in standing and member.status != "unsubscribed":
        member = await mine.members.change(
            account_id, member_id, member.revision, withdrawn_by="unsubscribed", ended_at=standing
        )
    return member


def _scopes(topics: Collection[UUID]) -> Sequence[str]:
    return [topic_scope(topic) for topic in sorted(topics)]
