"""The mail as JSON Lines, for programs that read much of it back."""

import binascii
from collections.abc import AsyncIterator, Iterable, Iterator
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse

from deploy.mailbox.lookup import Cursor, Store
from deploy.mailbox.record import Entry

# One write to the socket: large enough to be quick, small enough that SMTP never waits long for the loop.
_BATCH_BYTES = 262_144

router = APIRouter()


@router.get("/messages.jsonl")
async def stream(
    store: Store, after: Cursor = 0, limit: Annotated[int, Query(ge=1, le=10_000_000)] = 1000, raw: bool = False
) -> StreamingResponse:
    """Stream mails with ids above `after`, oldest first; the last line's id is the next cursor."""

    async def batches() -> AsyncIterator[bytes]:
        for batch in json_lines(store.after(after, limit), raw=raw):
            yield batch

    return StreamingResponse(batches(), media_type="application/jsonl")


@router.get("/status")
async def status(store: Store) -> JSONResponse:
    """Say how full the mailbox is, and the highest id given."""
    return JSONResponse({"messages": store.count, "bytes": store.size, "last_id": store.last_id})


@router.delete("/messages", status_code=HTTPStatus.NO_CONTENT)
async def clear(store: Store) -> None:
    """Empty the mailbox; ids go on where they were."""
    store.clear()


def json_lines(mails: Iterable[tuple[Entry, bytes]], *, raw: bool) -> Iterator[bytes]:
    """Yield lines, joined into batches, one object a mail.

    `{id, received_at (RFC 3339), mail_from, rcpt_to: [], peer, size}`, and with `raw` the message in base64.
    """
    batch: list[bytes] = []
    size = 0
    for entry, message in mails:
        line = _line(entry, message if raw else None)
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES:
            yield b"".join(batch)
            batch.clear()
            size = 0
    if batch:
        yield b"".join(batch)


def _line(entry: Entry, message: bytes | None) -> bytes:
    facts: dict[str, object] = {
        "id": entry.id,
        "received_at": entry.received_at,
        "mail_from": entry.mail_from,
        "rcpt_to": entry.rcpt_to,
        "peer": entry.peer,
        "size": entry.size,
    }
    if message is not None:
        facts["raw"] = binascii.b2a_base64(message, newline=False).decode("ascii")
    return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
