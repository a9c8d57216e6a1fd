"""The account as it is sent and shown."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.values import AccountId, Answer, Body
from members.member import Tracking
from scheduler.accounts import LONGEST_URL, MOST_BOUNCES, MOST_DAYS, MOST_RESULTS, Account, AccountFields

_SHARE = "The share of results, up to 1, past which hard bounces stop a campaign"
_COMPLAINTS = "The share of accepted mails, up to 1, past which complaints stop a campaign"
_BOUNCES = "After how many soft bounces a member is stopped; 0: never"
_DAYS = "Within how many days"
_AFTER = "Nothing is judged by fewer results than these"

Share = Annotated[float, Field(gt=0, le=1, description=_SHARE)]
After = Annotated[int, Field(ge=1, le=MOST_RESULTS, description=_AFTER)]
Complaints = Annotated[float, Field(gt=0, le=1, description=_COMPLAINTS)]
Bounces = Annotated[int, Field(ge=0, le=MOST_BOUNCES, description=_BOUNCES)]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, description=_DAYS)]
_TRACKING = "What is noted of readers: `full`, `aggregate` (sums that name nobody) or `none`; a member may choose less"
_URL = "Where links of campaigns scheduled later lead, such as https://click.example.jp; empty: the installation's"
_HONEYPOT = "Whether mails hold a link that no reader sees, by which machines are told; a campaign may say otherwise"
TrackingChoice = Annotated[Tracking, Field(description=_TRACKING)]
TrackingUrl = Annotated[str, Field(max_length=LONGEST_URL, description=_URL)]


class AccountChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"auto_stop_share": 0.05}]})

    auto_stop: bool | None = Field(None, description="Whether campaigns stop by themselves")
    auto_stop_share: Share | None = None
    auto_stop_after: After | None = None
    auto_stop_complaints: Complaints | None = None
    soft_bounces: Bounces | None = None
    soft_bounce_days: Days | None = None
    tracking: TrackingChoice | None = None
    tracking_url: TrackingUrl | None = None
    honeypot: bool | None = Field(None, description=_HONEYPOT)

    def onto(self, present: AccountFields) -> AccountFields:
        """Return the whole as it is to be."""
        return replace(present, **self.model_dump(exclude_none=True))


class AccountShown(Answer):
    """The client company that the key belongs to."""

    id: AccountId
    name: str
    auto_stop: bool
    auto_stop_share: Share
    auto_stop_after: After
    auto_stop_complaints: Complaints
    soft_bounces: Bounces
    soft_bounce_days: Days
    tracking: TrackingChoice
    tracking_url: TrackingUrl
    honeypot: bool = Field(description=_HONEYPOT)
    created_at: datetime


def shown(account: Account) -> AccountShown:
    """Return what the API shows of an account."""
    return AccountShown(
        id=account.account_id,
        name=account.name,
        **asdict(account.fields),
        created_at=account.created_at,
    )
