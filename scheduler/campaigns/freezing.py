"""Freezes a campaign into a run: its content, the run and its lane, in one transaction or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound
from scheduler.campaigns import times
from scheduler.campaigns.check import CampaignCheck
from scheduler.campaigns.fields import topic_of
from scheduler.campaigns.states import State

SQL = {**sql.load(__package__ or "", "freezing.sql"), **sql.load(__package__ or "", "store.sql")}

MOST_TEST_MEMBERS = 20
TEST_PREFIX = "[TEST] "


class Addressees(Protocol):
    """What knows which members may be written to."""

    async def tags(self, account_id: UUID, member_ids: Sequence[UUID], /) -> Mapping[UUID, int]:
        """Return the destination tags of those of `member_ids` that may be sent to; the others are left out."""


async def schedule(
    main: asyncpg.Pool,
    new_id: Callable[[], UUID],
    checked: CampaignCheck,
    *,
    account_id: UUID,
    campaign_id: UUID,
    at: datetime | None,
    time_zone: str | None,
) -> UUID:
    """Make the campaign's run, to start at `at` (None: now); return its id.

    Raises InvalidInput with the campaign's faults and the time's, UnusableTime for the time's alone, Conflict or
    NotFound. Whether `at` is past is decided by the database's time, by which the run will start.
    """
    async with main.acquire() as connection, connection.transaction():
        start = _start(checked, at, time_zone, now=await connection.fetchval(SQL["now"]))
        campaign = await connection.fetchrow(SQL["lock"], account_id, campaign_id)
        if campaign is None:
            raise NotFound("There is no such campaign")
        if campaign["state"] != State.DRAFT:
            raise Conflict("The campaign has been scheduled already")
        if campaign["revision"] != checked.revision:
            raise Conflict("The campaign was changed while it was being scheduled")
        content_id, run_id = new_id(), new_id()
        await connection.execute(
            SQL["insert_content"], content_id, account_id, checked.content.to_json(), list(checked.links)
        )
        await connection.execute(
            SQL["insert_run"],
            run_id,
            account_id,
            campaign_id,
            start.at,
            start.local_time,
            start.time_zone,
            content_id,
            checked.audience,
            topic_of(checked.audience),
            checked.weight,
            checked.rate_per_hour,
            checked.resend_uncertain,
            checked.report_by,
        )
        await connection.execute(SQL["insert_lane"], run_id, checked.weight, checked.rate_per_hour)
    return run_id


def _start(checked: CampaignCheck, at: datetime | None, time_zone: str | None, *, now: datetime) -> times.StartTime:
    try:
        start = times.resolve(at or now, time_zone, now=now)
    except times.UnusableTime as error:
        if checked.faults:
            raise InvalidInput("The campaign can't be scheduled", (*checked.faults, *error.faults)) from None
        raise
    checked.require()
    return start


async def send_test(
    main: asyncpg.Pool,
    addressees: Addressees,
    new_id: Callable[[], UUID],
    checked: CampaignCheck,
    *,
    account_id: UUID,
    campaign_id: UUID,
    member_ids: Sequence[UUID],
) -> UUID:
    """Make a test run to these members and start it; return its id. InvalidInput names each member at fault."""
    members = list(dict.fromkeys(member_ids))
    if not 1 <= len(members) <= MOST_TEST_MEMBERS:
        detail = f"Name 1 to {MOST_TEST_MEMBERS} members"
        raise InvalidInput(detail, [Fault("/members", "length", detail)])
    tags = await addressees.tags(account_id, members)
    faults = [
        Fault(f"/members/{index}", "not-sendable", "There is no such member, or mail to it is not allowed")
        for index, member_id in enumerate(member_ids)
        if member_id not in tags
    ]
    if faults:
        raise InvalidInput("The test can't be sent to all of these members", faults)
    content = replace(checked.content, subject=TEST_PREFIX + checked.content.subject)
    content_id, run_id = new_id(), new_id()
    async with main.acquire() as connection, connection.transaction():
        if await connection.fetchrow(SQL["lock"], account_id, campaign_id) is None:
            raise NotFound("There is no such campaign")
        await connection.execute(SQL["insert_content"], content_id, account_id, content.to_json(), list(checked.links))
        await connection.execute(
            SQL["insert_test"], run_id, account_id, campaign_id, content_id, members, [tags[one] for one in members]
        )
    return run_id
