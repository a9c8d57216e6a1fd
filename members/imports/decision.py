"""What a batch of rows comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from members.imports.columns import Reject, Row
from members.imports.new_members import NewMembers


class Changed(NamedTuple):
    """A member that a row changes, as it shall be."""

    member_id: UUID
    revision: int
    generation: int
    sealed: bytes
    facets: str


@dataclass(slots=True, repr=False)
class Decision:
    """What a batch comes to.

    `joined`: members and topics that they join, but for those that all new ones do.
    `met`: what to remember of it, so that an address that stands in the file twice is taken once. `taken`: the address
    keys of the rows that were not refused. `presumed`: all rows and their suppression hashes, if nothing was looked up.
    """

    new: NewMembers
    joined: list[tuple[UUID, UUID]] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    met: list[UUID] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    taken: set[bytes] = field(default_factory=set)
    presumed: tuple[Sequence[Row], Sequence[bytes]] | None = None
    names: set[str] = field(default_factory=set)
    unchanged: int = 0
