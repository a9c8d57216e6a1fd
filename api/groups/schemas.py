"""Groups as they are sent and shown."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.values import Answer, Body, GroupId, MemberId, Name
from members.groups import MAX_MEMBERS_A_CALL, Group

Ids = Annotated[list[MemberId], Field(min_length=1, max_length=MAX_MEMBERS_A_CALL)]


class NewGroup(Body):
    """A set of members that stays as it is put together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Tokyo shop"}]})

    name: Name


class Members(Body):
    """Which members; those that the account does not have are passed over."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"members": ["mem_01jd0n4v7m8x2e6g9qk3s5t7wz"]}]})

    members: Ids


class GroupShown(Answer):
    """A group."""

    id: GroupId
    name: str
    created_at: datetime


class Moved(Answer):
    """How many members this changed."""

    changed: int


def shown(group: Group) -> GroupShown:
    """Return what the API shows of a group."""
    return GroupShown(id=group.group_id, name=group.name, created_at=group.created_at)
