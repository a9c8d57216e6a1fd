"""Suppression lists as files: taken in from CSV or JSON Lines, given out as CSV.

A line names an `email`, a `domain` or a `hash`, and may say `scope` (all, or a topic's id), `reason` and `occurred_at`.
What is given out has hashes: addresses are not kept. A line at fault is refused with its number and why, and what it
says is not repeated; the others are taken.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

import asyncpg
import orjson

from core import sql
from core.errors import Fault, InvalidInput, TodokuError
from members.scopes import ALL, read_scope, shown_scope
from members.suppressions import Reason, SuppressionStore, read_hash
from members.topics import topic_ids

SQL = sql.load(__package__ or "", "suppression_lists.sql")

Form = Literal["csv", "jsonl"]
SUBJECTS = ("email", "domain", "hash")
COLUMNS = (*SUBJECTS, "scope", "reason", "occurred_at")
REASONS: tuple[Reason, ...] = get_args(Reason)
MOST_REFUSALS = 1_000
"""How many refused lines are named; all are counted."""

_BATCH = 5_000
_PAGE = 5_000
_TURN = 256
"""Lines between two turns of the event loop."""


class Refusal(NamedTuple):
    """A line that was not taken, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class ListReport:
    """What came of a list: lines that were new, known already, refused."""

    added: int = 0
    known: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        """Count a line that is not taken."""
        self.refused += 1
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(Refusal(line, reason))


class _Entry(NamedTuple):
    digest: bytes
    scope: str
    reason: Reason
    occurred_at: datetime | None


class SuppressionLists:
    """Takes lists in and gives them out, by account."""

    def __init__(self, pool: asyncpg.Pool, store: SuppressionStore) -> None:
        self._pool = pool
        self._store = store

    async def take_in(
        self, account_id: UUID, content: bytes, form: Form, report: ListReport
    ) -> AsyncIterator[tuple[list[bytes], str]]:
        """Add a list's entries, 5,000 a transaction; give out, by scope, the hashes that keep someone from mail now.

        `report` is filled as it goes. Raises InvalidInput if the list can't be read at all.
        """
        lines = _csv(content) if form == "csv" else _json_lines(content)
        topics = await topic_ids(self._pool, account_id)
        entries: list[_Entry] = []
        for number, line in lines:
            if not number % _TURN:
                await asyncio.sleep(0)
            try:
                entries.append(await self._entry(account_id, line, topics))
            except TodokuError as error:
                report.refuse(number, error.faults[0].detail if error.faults else error.detail)
            if len(entries) == _BATCH:
                for added in await self._add(account_id, entries, report):
                    yield added
                entries = []
        if entries:
            for added in await self._add(account_id, entries, report):
                yield added

    async def give_out(self, account_id: UUID) -> AsyncIterator[bytes]:
        """Give out the account's own list as CSV, page by page: hash, scope, reason, occurred_at."""
        yield b"hash,scope,reason,occurred_at\r\n"
        after = (b"", "")
        while rows := await self._pool.fetch(SQL["page"], account_id, *after, _PAGE):
            yield b"".join(_line(row) for row in rows)
            after = rows[-1]["hash"], rows[-1]["scope"]

    async def _entry(self, account_id: UUID, line: Mapping[str, Any] | str, topics: Collection[UUID]) -> _Entry:
        if isinstance(line, str):
            raise InvalidInput(line)
        said = {name: value for name, value in line.items() if value not in (None, "")}
        if not said.keys() <= set(COLUMNS) or not all(isinstance(value, str) for value in said.values()):
            raise InvalidInput(f"Texts by these names: {', '.join(COLUMNS)}")
        subject = [name for name in SUBJECTS if name in said]
        if len(subject) != 1:
            raise InvalidInput("One of email, domain and hash")
        of: Mapping[str, Callable[[UUID, str], Any]] = {
            "email": self._store.of_address,
            "domain": self._store.of_domain,
            "hash": _of_hash,
        }
        digest = await of[subject[0]](account_id, said[subject[0]])
        return _Entry(digest, read_scope(said.get("scope", ALL), topics), _reason(said), _moment(said))

    async def _add(self, account_id: UUID, entries: list[_Entry], report: ListReport) -> list[tuple[list[bytes], str]]:
        rows = await self._pool.fetch(
            SQL["add_many"], account_id, *(list(column) for column in zip(*entries, strict=True))
        )
        report.added += len(rows)
        report.known += len(entries) - len(rows)
        scopes = sorted({row["scope"] for row in rows})
        return [([row["hash"] for row in rows if row["scope"] == scope], scope) for scope in scopes]


async def _of_hash(_account_id: UUID, text: str) -> bytes:
    return read_hash(text)


def _reason(said: Mapping[str, str]) -> Reason:
    reason = said.get("reason", "manual")
    if reason not in REASONS:
        raise InvalidInput(f"A reason is one of: {', '.join(REASONS)}")
    return reason


def _moment(said: Mapping[str, str]) -> datetime | None:
    if "occurred_at" not in said:
        return None
    try:
        moment = datetime.fromisoformat(said["occurred_at"])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput("occurred_at: a time with an offset, such as 2026-12-01T09:00:00+09:00")
    return moment


def _csv(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        titles = [title.strip().lower() for title in next(rows, [])]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidInput(
            "The list can't be read", [Fault("", "not-csv", "CSV in UTF-8, with a title line")]
        ) from None
    if not set(SUBJECTS) & set(titles) or not set(titles) <= set(COLUMNS) or len(set(titles)) < len(titles):
        raise InvalidInput("The list can't be read", [Fault("", "bad-titles", f"Columns: {', '.join(COLUMNS)}")])
    while True:
        try:
            cells = next(rows, None)
        except csv.Error:
            yield rows.line_num, "The quotes of this line do not match"
            return
        if cells is None:
            return
        if len(cells) > len(titles):
            yield rows.line_num, "More fields than the title line has"
        elif any(cells):
            yield rows.line_num, {title: cell.strip() for title, cell in zip(titles, cells, strict=False)}


def _json_lines(content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        yield number, value if isinstance(value, dict) else "Not a JSON object"


def _line(row: asyncpg.Record) -> bytes:
    fields = (row["hash"].hex(), shown_scope(row["scope"]), row["reason"], row["occurred_at"].isoformat())
    return ",".join(fields).encode() + b"\r\n"
