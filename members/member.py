"""What a member is to those who may read one, and the rows that a new one becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import asyncpg

from members.addresses import Address
from members.attribute import Definitions
from members.facets import groups_of, topics_of
from members.keyring import AddressHashes, Ring
from members.profile import Profile, Value, dump
from members.status import Status, present

ConsentKind = Literal["given", "withdrawn"]
Tracking = Literal["full", "aggregate", "none"]
"""What may be noted of a member's reading: all of it, sums that name nobody, nothing."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Consent:
    """Given consent: by what (a form's name, an import) and when.

    `form_version` names the text that was shown, `confirmed_at` says when a double opt-in was confirmed, `origin` is
    the IP address that it came from.
    """

    source: str
    given_at: datetime
    form_version: str | None = None
    confirmed_at: datetime | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConsentRecord:
    """One record of the consent ledger.

    `scope`: `all`, or `topic:` and the topic's id. `origin` is None where none was recorded, or it can't be opened.
    `link` is the number of the record's link in the account's chain, `hash` what the record is known by in it.
    """

    kind: ConsentKind
    scope: str
    source: str
    form_version: str | None
    occurred_at: datetime
    recorded_at: datetime
    confirmed_at: datetime | None
    origin: str | None
    link: int
    hash: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """An opened member, its values by name. `revision` grows with each change and must be named to change it.

    `status` as it counts now: a pause that is over is none, and `paused_until` is None then. `least_days`: how many
    days lie between two campaigns' mails at least, None for as many as there are.
    """

    member_id: UUID
    address: str
    status: Status
    paused_until: datetime | None
    revision: int
    values: Mapping[str, Value]
    groups: tuple[UUID, ...]
    topics: tuple[UUID, ...]
    tracking: Tracking
    least_days: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next` is the cursor of the rest, None at the end."""

    items: list[T]
    next: UUID | None


class NewRows(NamedTuple):
    """What a new member is stored as, all of it ciphertext, keyed hash or id."""

    member_id: UUID
    sealed: bytes
    facets: dict[str, Any]
    tag: int
    wrapped: bytes
    hashes: AddressHashes


def new_rows(
    ring: Ring,
    member_id: UUID,
    address: Address,
    hashes: AddressHashes,
    values: dict[str, Value],
    facets: dict[str, Any],
    random: bytes,
) -> NewRows:
    """Seal a new member under a key of its own. `random`: RANDOM_BYTES fresh random bytes, used nowhere else."""
    content = dump(Profile(address.mailbox, values))
    sealed, wrapped = ring.sealer().seal_new(member_id.bytes, content, random)
    return NewRows(member_id, sealed, facets, ring.tag(address.domain), wrapped, hashes)


def read_member(row: asyncpg.Record, profile: Profile, definitions: Definitions) -> Member:
    """Return the member of a row (with `now`) and its profile, as those see it who may."""
    status = present(row["status"], row["paused_until"], row["now"])
    return Member(
        member_id=row["member_id"],
        address=profile.address,
        status=status,
        paused_until=row["paused_until"] if status == "paused" else None,
        revision=row["revision"],
        values={definitions[key].name: value for key, value in profile.values.items() if key in definitions},
        groups=groups_of(row["facets"]),
        topics=topics_of(row["facets"]),
        tracking=row["tracking"],
        least_days=row["least_days"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
