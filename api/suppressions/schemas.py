"""Suppressions as they are sent and shown: by keyed hash, since the list names nobody."""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import ConfigDict, Field

from api.values import Answer, Body
from core.errors import NotFound
from members.suppressions import Reason, Suppression

HASH_HEX = 64
_KIND = "sup_"

SuppressionPath = Annotated[str, Path(description="`sup_` and the hash in 64 hexadecimal digits")]


class NewSuppression(Body):
    """An address that is to get no mail, of a member or not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "taro@example.jp"}]})

    email: str = Field(max_length=320)


class SuppressionShown(Answer):
    """An entry. Its id is a keyed hash: the same address has the same one, and nothing leads back."""

    id: str
    scope: str
    reason: Reason
    occurred_at: datetime


def shown(entry: Suppression) -> SuppressionShown:
    """Return what the API shows of an entry."""
    return SuppressionShown(
        id=_KIND + entry.hash.hex(), scope=entry.scope, reason=entry.reason, occurred_at=entry.occurred_at
    )


def digest_of(text: str) -> bytes:
    """Return the hash that an id holds; raise NotFound for a text that is none."""
    digits = text.removeprefix(_KIND)
    if len(digits) != HASH_HEX or digits == text or not set(digits) <= set("0123456789abcdef"):
        raise NotFound("There is no such suppression")
    return bytes.fromhex(digits)
