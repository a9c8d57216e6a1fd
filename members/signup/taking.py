"""Takes up forms in batches: each finds its member or makes one, and is told which letter it comes to.

Several processes may do so at once. A batch is one transaction; whoever else makes a member of the same address
meanwhile undoes it whole, and it is taken up again.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from core import logs, sql
from core.errors import Tampered
from members.addresses import Address, parse
from members.attribute import Definitions
from members.attributes import load_definitions
from members.connection import Lent
from members.errors import BadAddress, Overtaken
from members.facets import make_facets
from members.fence import hold_keys
from members.global_suppressions import suppressed_everywhere
from members.keyring import AddressHashes, KeyRings, Ring
from members.member import NewRows, new_rows
from members.sealer import RANDOM_BYTES
from members.signup.request import SignupRequest, unseal
from members.writing import domain_hash

SQL = sql.load(__package__ or "", "taking.sql")

log = logs.get()

BATCH = 200

MOST_AN_HOUR, MOST_A_DAY = 3, 6
"""Letters that forms may send to one address."""

TAKEN = Counter("todoku_signups_taken", "Sign-up forms by what they came to", ["outcome"])

LetterKind = Literal["confirm", "already_member", "sign_in"]
_ASKED_AGAIN = frozenset({"pending", "unsubscribed", "erased"})
"""Reasons not to mail a member, or an address, that a new yes of its owner lifts."""
_MAILED = frozenset({None, "paused"})
_SIGNED_IN = _MAILED | {"unsubscribed"}
"""Who is mailed a link to sign in by: who left may still see what is held, and erase it."""


class Lettered(NamedTuple):
    """A form that comes to a letter; the letter's id is the form's."""

    request_id: UUID
    account_id: UUID
    member_id: UUID
    letter: LetterKind
    language: str


@dataclass(slots=True)
class _Form:
    request_id: UUID
    request: SignupRequest
    address: Address
    hashes: AddressHashes


class _Fate(NamedTuple):
    """What a form comes to; without a letter it is over."""

    form: _Form
    member_id: UUID | None
    letter: LetterKind | None
    outcome: str


class SignupTaking:
    """`vault` is a pool of the vault's role. `random` returns n random bytes."""

    def __init__(
        self,
        vault: asyncpg.Pool,
        rings: KeyRings,
        new_id: Callable[[], UUID],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._vault = vault
        self._rings = rings
        self._new_id = new_id
        self._random = random

    async def once(self) -> int:
        """Take up at most 200 forms; return how many."""
        try:
            async with self._vault.acquire() as connection, connection.transaction():
                rows = await connection.fetch(SQL["waiting"], BATCH)
                by_account: dict[UUID, list[asyncpg.Record]] = {}
                for row in rows:
                    by_account.setdefault(row["account_id"], []).append(row)
                fates = [
                    fate
                    for account_id, taken in sorted(by_account.items())
                    for fate in await self._take(connection, account_id, taken)
                ]
        except (asyncpg.UniqueViolationError, Overtaken):
            # Another writer has made the same member, or keys have changed: the next look finds things as they are.
            for account_id in by_account:
                await self._rings.reload(account_id)
            return len(rows)
        for fate in fates:
            TAKEN.labels(fate.outcome).inc()
        return len(rows)

    async def lettered(self, connection: Lent, most: int) -> list[Lettered]:
        """Return forms whose letters are still to be asked for, locked for the caller's transaction."""
        return [Lettered(**row) for row in await connection.fetch(SQL["lettered"], most)]

    async def passed_on(self, connection: Lent, request_ids: Sequence[UUID]) -> None:
        """Note that their letters were asked for."""
        await connection.execute(SQL["passed_on"], list(request_ids))

    async def _take(self, connection: Lent, account_id: UUID, rows: Sequence[asyncpg.Record]) -> list[_Fate]:
        ring = await self._rings.ring(account_id)
        forms, unreadable = _opened(rows, ring)
        if unreadable:
            log.warning("signups_unreadable", count=len(unreadable))
            await connection.execute(SQL["give_up"], unreadable)
        if not forms:
            return []
        await hold_keys(connection, ring)
        definitions = await load_definitions(connection, account_id)
        found = await self._found(connection, ring, forms)
        made: dict[bytes, NewRows] = {}
        fates = [self._fate(form, found, made, ring, definitions) for form in forms]
        if made:
            await self._insert(connection, ring, list(made.values()))
        await connection.execute(
            SQL["decide"],
            [fate.form.request_id for fate in fates],
            [fate.member_id for fate in fates],
            [fate.form.hashes.suppression for fate in fates],
            [fate.letter for fate in fates],
            [fate.form.request.language for fate in fates],
            [fate.form.address.key in made for fate in fates],
        )
        return fates

    async def _found(self, connection: Lent, ring: Ring, forms: Sequence[_Form]) -> "_Found":
        version = ring.primary_index
        lookup = [next(digest for at, digest in form.hashes.lookup if at == version) for form in forms]
        rows = await connection.fetch(SQL["members"], ring.account_id, version, lookup)
        members = {forms[row["place"]].address.key: (row["member_id"], row["reason"]) for row in rows}
        addresses = {form.hashes.suppression for form in forms}
        domains = {domain_hash(ring.tag(form.address.domain)) for form in forms}
        suppressed = await connection.fetch(SQL["suppressed"], ring.account_id, [*addresses, *domains])
        everywhere = await suppressed_everywhere(connection, self._rings, [form.address.key for form in forms])
        asked = await connection.fetch(SQL["asked"], ring.account_id, list(addresses))
        return _Found(
            members=members,
            suppressed={row["hash"]: row["reason"] for row in suppressed},
            everywhere=everywhere,
            hour={row["address_hash"]: row["hour"] for row in asked},
            day={row["address_hash"]: row["day"] for row in asked},
            disowned={row["address_hash"] for row in asked if row["disowned"]},
        )

    def _fate(
        self, form: _Form, found: "_Found", made: dict[bytes, NewRows], ring: Ring, definitions: Definitions
    ) -> _Fate:
        key = form.address.key
        member_id, reason = found.members.get(key, (None, None))
        refused = _refusal(form, found, member_id, reason, domain_hash(ring.tag(form.address.domain)))
        if refused is not None:
            return _Fate(form, member_id, None, refused)
        for counts in (found.hour, found.day):
            counts[form.hashes.suppression] = counts.get(form.hashes.suppression, 0) + 1
        if form.request.asks == "sign_in":
            return _Fate(form, member_id, "sign_in", "sign_in")
        if member_id is not None and reason in _MAILED:
            return _Fate(form, member_id, "already_member", "already_member")
        if member_id is None:
            new = made.get(key) or self._new_member(form, ring, definitions)
            made[key] = new
            member_id = new.member_id
        return _Fate(form, member_id, "confirm", "confirm")

    def _new_member(self, form: _Form, ring: Ring, definitions: Definitions) -> NewRows:
        # The address and nothing else: what was typed is the member's once the address has said yes.
        facets = make_facets({}, definitions, ring)
        return new_rows(ring, self._new_id(), form.address, form.hashes, {}, facets, self._random(RANDOM_BYTES))

    async def _insert(self, connection: Lent, ring: Ring, new: Sequence[NewRows]) -> None:
        members = [one.member_id for one in new]
        await connection.execute(
            SQL["insert_members"],
            ring.account_id,
            members,
            [one.sealed for one in new],
            [one.tag for one in new],
            [one.hashes.suppression for one in new],
            [one.wrapped for one in new],
            ring.primary_seal,
            ring.generation,
        )
        index = [(version, digest, one.member_id) for one in new for version, digest in one.hashes.lookup]
        await connection.execute(
            SQL["insert_addresses"],
            ring.account_id,
            [version for version, _, _ in index],
            [digest for _, digest, _ in index],
            [member_id for _, _, member_id in index],
        )


class _Found(NamedTuple):
    """What is known of a batch's addresses: members with the reason not to mail them, suppressions, recent forms."""

    members: Mapping[bytes, tuple[UUID, str | None]]
    suppressed: Mapping[bytes, str]
    everywhere: set[bytes]
    hour: dict[bytes, int]
    day: dict[bytes, int]
    disowned: set[bytes]


def _refusal(form: _Form, found: _Found, member_id: UUID | None, reason: str | None, domain: bytes) -> str | None:
    """Say why a form comes to no letter, None if it does. `reason`: why its member is not mailed, if there is one."""
    key, address_hash = form.address.key, form.hashes.suppression
    against = found.suppressed.get(address_hash) if member_id is None else reason
    signs_in = form.request.asks == "sign_in"
    if signs_in and (member_id is None or against not in _SIGNED_IN):
        return "nobody"
    if key in found.everywhere or domain in found.suppressed or against not in _ASKED_AGAIN | _MAILED:
        return "suppressed"
    if address_hash in found.disowned and not signs_in:
        return "disowned"
    if found.hour.get(address_hash, 0) >= MOST_AN_HOUR or found.day.get(address_hash, 0) >= MOST_A_DAY:
        return "too_often"
    return None


def _opened(rows: Sequence[asyncpg.Record], ring: Ring) -> tuple[list[_Form], list[UUID]]:
    """Return what can be read of a batch, and the ids of the rest: altered, or sealed for another account."""
    forms, unreadable = [], []
    for row in rows:
        try:
            request = unseal(row["sealed"], ring, row["request_id"])
            address = parse(request.address)
        except (Tampered, BadAddress):
            unreadable.append(row["request_id"])
        else:
            forms.append(_Form(row["request_id"], request, address, ring.hashes(address.key)))
    return forms, unreadable
