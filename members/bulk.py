"""Up to 1,000 members in one call, merged by address as the rows of an import are (members/imports/merge.py).

One transaction: what is taken is taken together. A member that can't be taken costs itself alone, and the answer says
of each what became of it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from core.errors import Fault, InvalidInput, Superseded
from core.ids import IdSource
from members.addresses import Address, parse
from members.attribute import Definitions
from members.attributes import load_definitions
from members.consents import ledger
from members.errors import BadAddress
from members.fence import unless_overtaken
from members.groups import check_groups
from members.imports.columns import Reject, Row
from members.imports.decision import Decision
from members.imports.merge import RACES, Merge
from members.imports.options import Mode
from members.imports.records import Record
from members.imports.standing import Standing
from members.keyring import KeyRings
from members.member import Consent
from members.profile import Value
from members.topics import check_topics
from members.values import check_values, is_nothing

MAX_MEMBERS = 1000
_MAX_RACES = 20


class Item(NamedTuple):
    """A member as it shall be: values from JSON by attribute, where None takes a value away."""

    address: str
    values: Mapping[str, object]

    def __repr__(self) -> str:
        """Say nothing: a repr ends up in logs."""
        return "Item(…)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item; `faults` say why it was rejected, with pointers into the item."""

    state: Literal["created", "updated", "unchanged", "rejected"]
    member_id: UUID | None = None
    faults: tuple[Fault, ...] = ()


class BulkStore:
    """Merges members by account. `random` returns n random bytes."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        new_id: IdSource,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._new_id = new_id
        self._random = random

    @unless_overtaken
    async def merge(
        self,
        account_id: UUID,
        items: Sequence[Item],
        *,
        mode: Mode = "upsert",
        consent: Consent | None = None,
        groups: Sequence[UUID] = (),
        topics: Sequence[UUID] = (),
    ) -> list[Outcome]:
        """Merge up to 1,000 members; return an outcome for each, in their order.

        `consent`: where and when they consented, to `topics` too; needed unless the mode is `update` and no topic is
        joined, for a new member is active. Raises InvalidInput if the call itself is wrong.
        """
        _check(items, mode, consent, topics)
        await check_groups(self._pool, account_id, groups)
        await check_topics(self._pool, account_id, topics, "/topics")
        ring = await self._rings.ring(account_id)
        definitions = await load_definitions(self._pool, account_id)
        read = [_read(place, item, definitions) for place, item in enumerate(items)]
        rows = [one for one in read if isinstance(one, Row)]
        merge = Merge(
            rings=self._rings,
            ring=ring,
            definitions=definitions,
            mode=mode,
            groups=frozenset(groups),
            topics=frozenset(topics),
            consent_source=consent.source if consent else "",
            consent_at=consent.given_at if consent else None,
            new_ids=self._new_id.many,
            form_version=consent.form_version if consent else None,
            confirmed_at=consent.confirmed_at if consent else None,
            random=self._random,
        )
        made = _outcomes(rows, *await self._written(merge, rows))
        return [one if isinstance(one, Outcome) else made[one.record.line] for one in read]

    async def _written(self, merge: Merge, rows: Sequence[Row]) -> tuple[Standing, Decision]:
        for _ in range(_MAX_RACES):
            standing = await merge.look(self._pool, rows)
            decision = await merge.decide(rows, standing, ())
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await merge.write(connection, decision)
                    await merge.record(connection, decision)
            except RACES:
                continue
            return standing, decision
        raise Superseded("Other writers kept changing the same members")


def _check(items: Sequence[Item], mode: Mode, consent: Consent | None, topics: Sequence[UUID]) -> None:
    ledger.check(consent)
    faults = []
    if not 0 < len(items) <= MAX_MEMBERS:
        faults.append(Fault("/members", "too-many", f"1 to {MAX_MEMBERS} members at once"))
    if consent is None and (mode != "update" or topics):
        faults.append(Fault("/consent", "no-consent", "Say where and when the members consented"))
    if consent is not None and consent.origin is not None:
        faults.append(Fault("/consent/origin", "not-here", "Many members have no one origin: create them one by one"))
    if faults:
        raise InvalidInput("The members can't be merged", faults)


def _read(place: int, item: Item, definitions: Definitions) -> Row | Outcome:
    faults: list[Fault] = []
    address: Address | None = None
    values: dict[str, Value] = {}
    try:
        address = parse(item.address)
    except BadAddress as error:
        faults.append(Fault("/email", error.code, error.detail))
    try:
        values = check_values(item.values, definitions)
    except InvalidInput as error:
        faults += error.faults
    if faults or address is None:
        return Outcome("rejected", faults=tuple(faults))
    nothing = (definitions.named(name) for name, value in item.values.items() if is_nothing(value))
    removed = frozenset(attribute.key for attribute in nothing if attribute is not None)
    return Row(Record(place, [], None), address, values, removed)


def _outcomes(rows: Sequence[Row], standing: Standing, decision: Decision) -> dict[int, Outcome]:
    """Return what became of each row by its line: in a decision the new ones stand in the order of the rows."""
    rejects = {reject.record.line: reject for reject in decision.rejects}
    changed = {change.member_id for change in decision.changed}
    new = iter(decision.new.ids)
    outcomes = {}
    for place, row in enumerate(rows):
        line = row.record.line
        existing = standing.existing.get(place)
        if line in rejects:
            outcomes[line] = _rejected(rejects[line])
        elif existing is None:
            outcomes[line] = Outcome("created", next(new))
        else:
            member_id = existing["member_id"]
            outcomes[line] = Outcome("updated" if member_id in changed else "unchanged", member_id)
    return outcomes


def _rejected(reject: Reject) -> Outcome:
    return Outcome("rejected", faults=(Fault(reject.pointer, reject.code, reject.reason),))
