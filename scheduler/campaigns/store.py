"""Campaigns as the API sees them: drafts are made, read, changed and removed here, and everything else asked for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from scheduler.campaigns import freezing, steering, times
from scheduler.campaigns.check import Attributes, AudienceResolver, CampaignCheck, CampaignChecker
from scheduler.campaigns.fields import LONGEST_NAME, Campaign, CampaignFields, require_valid
from scheduler.campaigns.freezing import Addressees
from scheduler.campaigns.states import Action, State, after

SQL = sql.load(__package__ or "", "store.sql")


class CampaignStore:
    """Every method takes the account first; a campaign of another account is NotFound."""

    def __init__(
        self,
        main: asyncpg.Pool,
        *,
        attributes: Attributes,
        audiences: AudienceResolver,
        addressees: Addressees,
        new_id: Callable[[], UUID],
    ) -> None:
        self._main = main
        self._checker = CampaignChecker(main, attributes, audiences)
        self._addressees = addressees
        self._new_id = new_id

    async def create(self, account_id: UUID, fields: CampaignFields) -> Campaign:
        """Make a draft. Raises InvalidInput."""
        await self._require_valid(account_id, fields)
        campaign_id = self._new_id()
        await self._main.execute(SQL["insert"], campaign_id, account_id, *_columns(fields))
        return await self.get(account_id, campaign_id)

    async def get(self, account_id: UUID, campaign_id: UUID) -> Campaign:
        """Return one campaign. Raises NotFound."""
        row = await self._main.fetchrow(SQL["get"], account_id, campaign_id)
        if row is None:
            raise NotFound("There is no such campaign")
        return _campaign(row)

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> list[Campaign]:
        """Return at most `limit` campaigns in the order of their making, from the one that follows `after`."""
        return [_campaign(row) for row in await self._main.fetch(SQL["list"], account_id, after, limit)]

    async def count(self, account_id: UUID) -> int:
        """Return how many campaigns there are."""
        number: int = await self._main.fetchval(SQL["count"], account_id)
        return number

    async def change(self, account_id: UUID, campaign_id: UUID, fields: CampaignFields, *, revision: int) -> Campaign:
        """Replace a draft's fields if it is still at `revision`. Raises InvalidInput, StaleRevision, Conflict."""
        await self._require_valid(account_id, fields)
        changed = await self._main.fetchval(SQL["change"], account_id, campaign_id, revision, *_columns(fields))
        current = await self.get(account_id, campaign_id)
        if changed is None:
            _require_allowed(Action.CHANGE, current.state)
            raise StaleRevision("The campaign was changed since it was read")
        return current

    async def remove(self, account_id: UUID, campaign_id: UUID) -> None:
        """Remove a draft. Raises Conflict once it has been scheduled."""
        async with self._main.acquire() as connection, connection.transaction():
            locked = await connection.fetchrow(SQL["lock"], account_id, campaign_id)
            if locked is None:
                raise NotFound("There is no such campaign")
            _require_allowed(Action.REMOVE, State(locked["state"]))
            await connection.execute(SQL["hide"] if locked["has_runs"] else SQL["delete"], campaign_id)

    async def clone(self, account_id: UUID, campaign_id: UUID, *, name: str | None = None) -> Campaign:
        """Make a draft like this campaign, whatever its state."""
        fields = (await self.get(account_id, campaign_id)).fields
        return await self.create(account_id, _renamed(fields, name))

    async def check(self, account_id: UUID, campaign_id: UUID) -> CampaignCheck:
        """Find every fault that would refuse scheduling."""
        return await self._checker.check(account_id, campaign_id)

    async def schedule(
        self, account_id: UUID, campaign_id: UUID, at: datetime | None, time_zone: str | None = None
    ) -> Campaign:
        """Freeze the campaign and have it start at `at` (None: now): aware, or local in the IANA zone `time_zone`.

        Raises InvalidInput with every fault of the campaign, UnusableTime, or Conflict unless it is a draft.
        """
        _require_allowed(Action.SCHEDULE, (await self.get(account_id, campaign_id)).state)
        checked = await self._checker.check(account_id, campaign_id)
        await freezing.schedule(
            self._main,
            self._new_id,
            checked,
            account_id=account_id,
            campaign_id=campaign_id,
            at=at,
            time_zone=time_zone,
        )
        return await self.get(account_id, campaign_id)

    async def test(self, account_id: UUID, campaign_id: UUID, member_ids: Sequence[UUID]) -> UUID:
        """Send the campaign as it stands to at most 20 members now, marked as a test; return the test's run."""
        checked = await self._checker.check(account_id, campaign_id, with_audience=False)
        checked.require()
        return await freezing.send_test(
            self._main,
            self._addressees,
            self._new_id,
            checked,
            account_id=account_id,
            campaign_id=campaign_id,
            member_ids=member_ids,
        )

    async def pause(
        self, account_id: UUID, campaign_id: UUID, *, seconds: float | None = None, until: datetime | None = None
    ) -> Campaign:
        """Have the run begin nothing more; `settle` waits until what is under way has ended.

        It goes on by itself after `seconds`, or at `until` (aware), if one of them is given. Raises Conflict, or
        InvalidInput for a time that is past or more than a year ahead.
        """
        await self.get(account_id, campaign_id)
        if until is not None:
            now = await self._main.fetchval(SQL["now"])
            seconds = times.seconds_until(until, now=now)
        await steering.steer(self._main, Action.PAUSE, account_id=account_id, campaign_id=campaign_id, seconds=seconds)
        return await self.get(account_id, campaign_id)

    async def resume(self, account_id: UUID, campaign_id: UUID) -> Campaign:
        """Let a paused run go on. Raises Conflict."""
        return await self._steer(Action.RESUME, account_id, campaign_id)

    async def cancel(self, account_id: UUID, campaign_id: UUID) -> Campaign:
        """End the run for good: at once before its start, else as soon as nothing is under way. Raises Conflict."""
        return await self._steer(Action.CANCEL, account_id, campaign_id)

    async def settle(self, run_id: UUID, target: State, timeout: float) -> State:  # noqa: ASYNC109
        """Wait until a pausing or cancelling run is `target`, at most `timeout` seconds; return its state then."""
        return await steering.settle(self._main, run_id, target, timeout)

    async def _steer(self, action: Action, account_id: UUID, campaign_id: UUID) -> Campaign:
        await self.get(account_id, campaign_id)
        await steering.steer(self._main, action, account_id=account_id, campaign_id=campaign_id)
        return await self.get(account_id, campaign_id)

    async def _require_valid(self, account_id: UUID, fields: CampaignFields) -> None:
        faults: list[Fault] = []
        try:
            require_valid(fields)
        except InvalidInput as error:
            faults += error.faults
        rows = await self._main.fetch(SQL["missing_parts"], account_id, fields.sender_id, fields.template_id)
        faults += [Fault(f"/{row['part']}_id", "unknown", f"There is no such {row['part']}") for row in rows]
        if faults:
            raise InvalidInput("The campaign is not valid", faults)


def _require_allowed(action: Action, state: State) -> None:
    if after(action, state) is None:
        raise Conflict(f"A campaign that is {state} can't be asked to {action}")


def _renamed(fields: CampaignFields, name: str | None) -> CampaignFields:
    suffix = " (copy)"
    chosen = name if name is not None else fields.name[: LONGEST_NAME - len(suffix)] + suffix
    return replace(fields, name=chosen)


def _columns(fields: CampaignFields) -> tuple[object, ...]:
    """Return the fields in the order in which `insert` and `change` take them."""
    return (
        fields.name,
        fields.sender_id,
        fields.template_id,
        fields.audience,
        fields.weight,
        fields.rate_per_hour,
        fields.track_opens,
        fields.track_clicks,
        fields.track_honeypot,
        fields.resend_uncertain,
        fields.report_by,
    )


def _campaign(row: asyncpg.Record) -> Campaign:
    return Campaign(
        campaign_id=row["campaign_id"],
        account_id=row["account_id"],
        fields=CampaignFields(
            name=row["name"],
            sender_id=row["sender_id"],
            template_id=row["template_id"],
            audience=row["audience"],
            weight=row["weight"],
            rate_per_hour=row["rate_per_hour"],
            track_opens=row["track_opens"],
            track_clicks=row["track_clicks"],
            track_honeypot=row["track_honeypot"],
            resend_uncertain=row["resend_uncertain"],
            report_by=row["report_by"],
        ),
        state=State(row["state"]),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        run_id=row["run_id"],
        starts_at=row["starts_at"],
        local_time=row["local_time"],
        time_zone=row["time_zone"],
        resume_at=row["resume_at"],
    )
