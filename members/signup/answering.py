"""What becomes of a form when its letter is answered: its member is active with what was typed, or forgotten.

May be repeated: a form that was answered before is over, and is left as it is.
"""

from datetime import datetime
from uuid import UUID

import asyncpg

from core import logs, sql
from core.errors import InvalidInput, NotFound, StaleRevision, Tampered
from members.errors import StatusForbids, Suppressed
from members.keyring import KeyRings
from members.member import Consent, Member
from members.members import MemberStore
from members.signup.request import SignupRequest, unseal

SQL = sql.load(__package__ or "", "answering.sql")

log = logs.get()

_TRIES = 10


class SignupAnswers:
    """`vault` is a pool of the vault's role."""

    def __init__(self, vault: asyncpg.Pool, rings: KeyRings, members: MemberStore) -> None:
        self._vault = vault
        self._rings = rings
        self._members = members

    async def confirm(self, account_id: UUID, request_id: UUID, at: datetime) -> datetime | None:
        """Make the form's member active, by the consent that it holds and that was confirmed at `at` (aware).

        Returns when the consent counts from; None if there is nothing left to confirm: done before, forgotten, or
        suppressed since.
        """
        row = await self._vault.fetchrow(SQL["waiting"], account_id, request_id)
        if row is None:
            return None
        try:
            request = unseal(row["sealed"], await self._rings.ring(account_id), request_id)
            given_at = await self._activate(account_id, row["member_id"], request, row["asked_at"], at)
        except (NotFound, Tampered, Suppressed, StatusForbids) as error:
            log.warning("signup_not_confirmed", why=error.code)
            given_at = None
        await self._vault.execute(SQL["end"], account_id, row["member_id"], "ended")
        return given_at

    async def disown(self, account_id: UUID, request_id: UUID) -> None:
        """Forget whom the form made, if they are pending still; forms to this address get no letter for a while."""
        row = await self._vault.fetchrow(SQL["waiting"], account_id, request_id)
        if row is None:
            return
        await self._vault.execute(SQL["end"], account_id, row["member_id"], "disowned")
        try:
            member = await self._members.get(account_id, row["member_id"])
            if row["made_member"] and member.status == "pending":
                await self._members.erase(account_id, member.member_id)
        except NotFound:
            return

    async def _activate(
        self, account_id: UUID, member_id: UUID, request: SignupRequest, asked_at: datetime, at: datetime
    ) -> datetime:
        """Record the consent as of when the form was sent, or as of its confirmation if the owner left in between."""
        consent = Consent(request.source, asked_at, request.wording, at, request.origin or None)
        try:
            await self._change(account_id, member_id, request, consent)
        except Suppressed:
            consent = Consent(request.source, at, request.wording, at, request.origin or None)
            await self._change(account_id, member_id, request, consent)
        return consent.given_at

    async def _change(self, account_id: UUID, member_id: UUID, request: SignupRequest, consent: Consent) -> Member:
        values: dict[str, object] = {**request.values}
        topics = request.topics
        for _ in range(_TRIES):
            member = await self._members.get(account_id, member_id)
            wanted = tuple(dict.fromkeys((*member.topics, *topics)))
            try:
                return await self._members.change(
                    account_id, member_id, member.revision, values=values, topics=wanted, consent=consent
                )
            except StaleRevision:
                continue
            except InvalidInput:
                # The account has changed its attributes or topics since: the yes counts, what does not fit is left out.
                if not values and not topics:
                    raise
                values, topics = {}, ()
        raise StaleRevision("Others kept changing the member")
