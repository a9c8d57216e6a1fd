"""Judges what is stored of one member against the profile that is sealed in it. Pure.

Whoever can write to the database can move, alter and take away rows; nobody without the keys can make one that passes.
What can't be judged: who is in which group, and `status`, for they are not sealed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from core.errors import InvalidInput, Tampered
from members.addresses import Address, parse
from members.attribute import Definitions
from members.facets import MATCH, OPEN, make_facets
from members.keyring import Ring
from members.profile import Profile, unseal, unwrap_member_key


class Fault(StrEnum):
    """What may be wrong. The value is the sentence that an operator reads."""

    RING_UNREADABLE = "the account's key ring is missing, or a key of it was altered or moved"
    KEY_MISSING = "the member has no key"
    KEY_UNREADABLE = "the member's key does not open: altered, moved, or of a version that is gone"
    PROFILE_UNREADABLE = "the sealed profile does not open: altered or moved"
    INDEX_MISSING = "the address is not in the index: a search misses the member, and a second one could be made"
    INDEX_DIFFERS = "the index leads from another address to this member"
    SUPPRESSION_HASH_DIFFERS = "the suppression hash is not of the member's address"
    TAG_DIFFERS = "the destination tag is not of the address's domain"
    FACETS_DIFFER = "what rules are answered by is not what the profile says"
    KEY_OF_NOBODY = "there is a key, and no member"
    INDEX_OF_NOBODY = "an address is in the index, and no member"
    ADDRESS_TWICE = "another member has the same address"


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """All that the vault holds of one member: the row, the key (None: there is none), (version, hash) of the index.

    `generation`: of the account's keys and protections by which it was last sealed as a whole. While it lags behind,
    the member is still to be brought over, and is judged by what held then.
    """

    member_id: UUID
    sealed: bytes
    facets: Mapping[str, Any]
    tag: int
    suppression_hash: bytes
    generation: int
    ring_version: int | None
    wrapped: bytes | None
    index: Sequence[tuple[int, bytes]]


@dataclass(frozen=True)
class Rules:
    """What an account's members are judged by: its opened keys, its attributes, and the keys of removed ones."""

    ring: Ring
    definitions: Definitions
    removed: Collection[str] = ()

    @cached_property
    def indexed_by(self) -> Sequence[Ring]:
        """The ring once for each index version that is open, as if it were the primary one; the real one first."""
        versions = sorted(self.ring.values, key=lambda version: version != self.ring.primary_index)
        return [replace(self.ring, primary_index=version) for version in versions]


def faults_of(stored: Stored, rules: Rules) -> list[Fault]:
    """Return everything that is wrong with a member, nothing if all is as it was written."""
    profile = _open(stored, rules.ring)
    if isinstance(profile, Fault):
        return [profile]
    try:
        address = parse(profile.address)
    except InvalidInput:
        # Sealed by us and no address: only who holds the keys can have done that.
        return [Fault.PROFILE_UNREADABLE]
    faults = _index_faults(stored, address, rules.ring)
    if stored.suppression_hash != rules.ring.suppression.digest(address.key):
        faults.append(Fault.SUPPRESSION_HASH_DIFFERS)
    if stored.tag != rules.ring.tag(address.domain):
        faults.append(Fault.TAG_DIFFERS)
    if not _facets_agree(stored, profile, rules):
        faults.append(Fault.FACETS_DIFFER)
    return faults


def _open(stored: Stored, ring: Ring) -> Profile | Fault:
    account, member = ring.account_id.bytes, stored.member_id.bytes
    if stored.ring_version is None or stored.wrapped is None:
        return Fault.KEY_MISSING
    cipher = ring.sealing.get(stored.ring_version)
    if cipher is None:
        return Fault.KEY_UNREADABLE
    try:
        key = unwrap_member_key(
            cipher, stored.wrapped, ring_version=stored.ring_version, account_id=account, member_id=member
        )
    except Tampered:
        return Fault.KEY_UNREADABLE
    try:
        return unseal(stored.sealed, key=key, account_id=account, member_id=member)
    except Tampered:
        return Fault.PROFILE_UNREADABLE


def _index_faults(stored: Stored, address: Address, ring: Ring) -> list[Fault]:
    """Judge the index: an entry under the primary version, and none that leads here from elsewhere."""
    expected, found = set(ring.hashes(address.key).lookup), set(stored.index)
    faults = []
    lags = stored.generation < ring.index_since
    if not any(lags or version == ring.primary_index for version, _ in expected & found):
        faults.append(Fault.INDEX_MISSING)
    known = {version for version, _ in expected}
    if any(version in known for version, _ in found - expected):
        faults.append(Fault.INDEX_DIFFERS)
    return faults


def _facets_agree(stored: Stored, profile: Profile, rules: Rules) -> bool:
    """Whether open values and tokens are the profile's; tokens may be of any index version that is open."""
    # Values of a removed attribute, and of one whose protection was changed, stay until the member is brought over.
    unjudged = set(rules.removed) | {
        name
        for name, attribute in rules.definitions.items()
        if attribute.resealing is not None and stored.generation < attribute.resealing
    }
    standing = _judged(stored.facets, unjudged)
    made = (make_facets(profile.values, rules.definitions, ring) for ring in rules.indexed_by)
    return any(standing == _judged(facets, unjudged) for facets in made)


def _judged(facets: Mapping[str, Any], unjudged: Collection[str]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in facets.get(part, {}).items() if name not in unjudged} for part in (OPEN, MATCH)
    ]
