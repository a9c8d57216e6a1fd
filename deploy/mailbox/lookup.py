"""What routes take in: the store, a mail's number, the mail itself."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from core.errors import NotFound
from deploy.mailbox.record import Entry
from deploy.mailbox.store import MailStore

LAST = 2**62
"""Above every id there will be."""


def _store(request: Request) -> MailStore:
    store: MailStore = request.app.state.store
    return store


Store = Annotated[MailStore, Depends(_store)]
Number = Annotated[int, Path(ge=1, le=LAST)]
Cursor = Annotated[int, Query(ge=0, le=LAST)]


def kept(store: MailStore, number: int) -> tuple[Entry, bytes]:
    """Return a mail's (entry, message); raises NotFound."""
    found = store.get(number)
    if found is None:
        raise NotFound("There is no such mail, or it had to make room for newer ones")
    return found
