"""What a member is to those who may read one, and the rows that a new one becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from members.addresses import Address
from members.keyring import AddressHashes, Ring
from members.profile import Profile, Value, dump
from members.sealer import Sealer

Status = Literal["unconfirmed", "active", "unsubscribed"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Consent:
    """Given consent: by what (a form's name, an import) and when."""

    source: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One entry of the consent ledger."""

    kind: Literal["given", "withdrawn"]
    scope: str
    source: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """An opened member, its values by name. `revision` grows with each change and must be named to change it."""

    member_id: UUID
    address: str
    status: Status
    revision: int
    values: Mapping[str, Value]
    groups: tuple[UUID, ...]
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
    sealer: Sealer | None = None,
) -> NewRows:
    """Seal a new member under a key of its own. `random`: RANDOM_BYTES fresh random bytes, used nowhere else.

    `sealer`: the ring's, for who seals many.
    """
    content = dump(Profile(address.mailbox, values))
    sealed, wrapped = (sealer or ring.sealer()).seal_new(member_id.bytes, content, random)
    return NewRows(member_id, sealed, facets, ring.tag(address.domain), wrapped, hashes)
