"""The account as it is sent and shown."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.values import AccountId, Answer, Body
from scheduler.accounts import MOST_RESULTS, Account, AccountFields

_SHARE = "The share of results, up to 1, past which hard bounces stop a campaign"
_AFTER = "Nothing is judged by fewer results than these"

Share = Annotated[float, Field(gt=0, le=1, description=_SHARE)]
After = Annotated[int, Field(ge=1, le=MOST_RESULTS, description=_AFTER)]


class AccountChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"auto_stop_share": 0.05}]})

    auto_stop: bool | None = Field(None, description="Whether campaigns stop by themselves")
    auto_stop_share: Share | None = None
    auto_stop_after: After | None = None

    def onto(self, present: AccountFields) -> AccountFields:
        """Return the whole as it is to be."""
        return AccountFields(
            present.auto_stop if self.auto_stop is None else self.auto_stop,
            present.auto_stop_share if self.auto_stop_share is None else self.auto_stop_share,
            present.auto_stop_after if self.auto_stop_after is None else self.auto_stop_after,
        )


class AccountShown(Answer):
    """The client company that the key belongs to."""

    id: AccountId
    name: str
    auto_stop: bool
    auto_stop_share: Share
    auto_stop_after: After
    created_at: datetime


def shown(account: Account) -> AccountShown:
    """Return what the API shows of an account."""
    return AccountShown(
        id=account.account_id,
        name=account.name,
        auto_stop=account.fields.auto_stop,
        auto_stop_share=account.fields.auto_stop_share,
        auto_stop_after=account.fields.auto_stop_after,
        created_at=account.created_at,
    )
