"""Lists: bounded pages with an opaque cursor, in the order in which things were made."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.values import Answer
from core import ids
from core.errors import Fault, InvalidInput, NotFound

T = TypeVar("T")

MAX_LIMIT = 500


class Page(BaseModel):
    """Which part of a list is asked for; a filtered list adds its filters. An unknown parameter is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="How many at most")
    cursor: str | None = Field(None, max_length=100, description="`next` of the page before")
    count: bool = Field(default=False, description="Count the whole list too, which costs a scan")

    @property
    def after(self) -> UUID | None:
        """The id after which the page begins; raises InvalidInput for a cursor that we never gave."""
        return page_after(self.cursor, "/query/cursor")


Paged = Annotated[Page, Query()]


class Listed(Answer, Generic[T]):
    """A page of a list. `next` is null on the last; `count` is there when it was asked for."""

    items: list[T]
    next: str | None = None
    count: int | None = None


def page_after(cursor: str | None, pointer: str) -> UUID | None:
    """Return the id that a cursor stands for, None for none; raise InvalidInput for one that we never gave."""
    try:
        return None if cursor is None else ids.decode("cur", cursor)
    except NotFound:
        detail = "Send `next` of the page before, unchanged"
        raise InvalidInput("The cursor is not one of ours", [Fault(pointer, "invalid", detail)]) from None


def cut(found: Sequence[T], page: Page, last: UUID | None) -> str | None:
    """Return the cursor of the next page: None if `found` did not fill this one. `last` is its last item's id."""
    return ids.encode("cur", last) if last is not None and len(found) == page.limit else None


def part(whole: Sequence[T], page: Page, id_of: Callable[[T], UUID]) -> tuple[Sequence[T], str | None]:
    """Return this page of a list that is short enough to be read whole, and the next one's cursor."""
    after = page.after
    rest = [item for item in whole if after is None or id_of(item) > after]
    found = sorted(rest, key=id_of)[: page.limit]
    return found, cut(found, page, id_of(found[-1]) if found else None)
