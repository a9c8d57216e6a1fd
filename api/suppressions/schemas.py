"""Suppressions as they are sent and shown: by keyed hash, since the list names nobody."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Path
from pydantic import ConfigDict, Field, model_validator

from api.pagination import Page
from api.values import Answer, Body
from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.scopes import ALL, GLOBAL, shown_scope, topic_scope
from members.suppression_lists import ListReport
from members.suppressions import Reason, Suppression
from members.topics import KIND

_ID = re.compile(r"sup_([0-9a-f]{64}|[0-9a-f]{16})(?:-(global|top_\w{26}))?", re.ASCII)

SuppressionPath = Annotated[
    str, Path(description="`sup_` and the hash in hexadecimal digits; then `-` and the scope, unless it is all")
]


class NewSuppression(Body):
    """An address or a domain that is to get no mail, of a member or not; or the hash of one, as an entry shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "taro@example.jp"}]})

    email: str | None = Field(None, max_length=320)
    domain: str | None = Field(None, max_length=253, examples=["example.jp"])
    hash: str | None = Field(None, max_length=64, description="In hexadecimal or base64 digits")
    scope: str = Field(ALL, max_length=30, description="all, or a topic's id: no mail about that topic")
    reason: Literal["manual", "unsubscribed", "bounced", "complained"] = "manual"

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(part is not None for part in (self.email, self.domain, self.hash)) != 1:
            raise ValueError("Send one of email, domain and hash")
        return self


class SuppressionsPage(Page):
    """Which entries are asked for; they stand in the order of their hashes."""

    count: Literal[False] = False
    scope: str | None = Field(None, max_length=30, description="all, global, or a topic's id")
    reason: Reason | None = None

    @property
    def after_entry(self) -> tuple[bytes, str] | None:
        """The entry after which the page begins, by hash and scope."""
        try:
            return None if self.cursor is None else read_id(self.cursor)
        except NotFound:
            fault = Fault("/query/cursor", "invalid", "Send `next` of the page before, unchanged")
            raise InvalidInput("The cursor is not one of ours", [fault]) from None

    @property
    def stored_scope(self) -> str | None:
        """The scope as it is stored."""
        try:
            return None if self.scope is None else _stored(self.scope)
        except NotFound:
            fault = Fault("/query/scope", "unknown-scope", "all, global, or the id of a topic")
            raise InvalidInput("There is no such scope", [fault]) from None


class SuppressionShown(Answer):
    """An entry. Its id is a keyed hash: the same address has the same one, and nothing leads back."""

    id: str
    kind: Literal["address", "domain"]
    scope: str = Field(description="all, a topic's id, or global: set by the installation's operator")
    reason: Reason
    occurred_at: datetime


class Refused(Answer):
    """A line that was not taken."""

    line: int
    reason: str


class ListTaken(Answer):
    """What came of a list. The first thousand refused lines are named."""

    added: int
    known: int
    refused: int
    refusals: list[Refused]


LIST_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "email,domain,reason\r\ntaro@example.jp,,complained\r\n,example.com,manual\r\n",
            },
            "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"email": "taro@example.jp"}\n'},
        },
    }
}
"""The body of POST /v1/suppressions/import for the API's description."""


def shown(entry: Suppression) -> SuppressionShown:
    """Return what the API shows of an entry."""
    return SuppressionShown(
        id=show_id(entry.hash, entry.scope),
        kind="address" if len(entry.hash) == 32 else "domain",  # noqa: PLR2004 - bytes of HMAC-SHA256
        scope=shown_scope(entry.scope),
        reason=entry.reason,
        occurred_at=entry.occurred_at,
    )


def taken(report: ListReport) -> ListTaken:
    """Return what the API shows of a list that was taken in."""
    refusals = [Refused(line=one.line, reason=one.reason) for one in report.refusals]
    return ListTaken(added=report.added, known=report.known, refused=report.refused, refusals=refusals)


def show_id(digest: bytes, scope: str) -> str:
    """Return an entry's id; that of an entry for all mail is its hash alone."""
    return f"sup_{digest.hex()}" + ("" if scope == ALL else f"-{shown_scope(scope)}")


def read_id(text: str) -> tuple[bytes, str]:
    """Return the hash and the stored scope of an entry's id; raise NotFound for a text that is none."""
    found = _ID.fullmatch(text)
    if found is None:
        raise NotFound("There is no such suppression")
    return bytes.fromhex(found[1]), _stored(found[2] or ALL)


def _stored(scope: str) -> str:
    return scope if scope in {ALL, GLOBAL} else topic_scope(ids.decode(KIND, scope))
