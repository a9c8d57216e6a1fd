"""Where a consent came from: an IP address, which is personal, and so goes with the member.

It is sealed under the member's own key; the ledger holds a commitment, so that what is opened is what was recorded.

    sealed     = format version (1) | nonce (12) | ciphertext of salt (32) | address
    AAD        = format version | account id | "consent_evidence" | member id | commitment
    commitment = HMAC-SHA256 of the address under the salt

Without the salt a commitment tells nothing, though there are few IPv4 addresses; and the salt opens by the member's key
alone. Whoever gives members new keys (members/resealing) calls `reseal` in the same transaction, their rows locked.
"""

import hmac
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sql
from core.errors import Tampered
from members.connection import Lent
from members.sealing import KEY_BYTES, NONCE_BYTES, unwrap, wrap

SQL = sql.load(__package__ or "", "evidence.sql")

FORMAT = b"\x01"
SALT_BYTES = KEY_BYTES
RANDOM_BYTES = SALT_BYTES + NONCE_BYTES
"""What `seal` takes of randomness."""


class Evidence(NamedTuple):
    """An origin, sealed, and what the ledger holds of it."""

    commitment: bytes
    sealed: bytes


def normal(origin: str) -> str:
    """Return an IP address in its normal form (RFC 5952 for IPv6); raise ValueError for another text."""
    return ip_address(origin.strip()).compressed


def seal(origin: str, *, key: bytes, account_id: UUID, member_id: UUID, random: bytes) -> Evidence:
    """Seal an origin under a member's key. `random`: RANDOM_BYTES fresh random bytes."""
    salt, nonce = random[:SALT_BYTES], random[SALT_BYTES:]
    commitment = hmac.digest(salt, origin.encode(), "sha256")
    sealed = wrap(AESGCM(key), salt + origin.encode(), _aad(account_id, member_id, commitment), nonce)
    return Evidence(commitment, FORMAT + sealed)


def unseal(evidence: Evidence, *, key: bytes, account_id: UUID, member_id: UUID) -> str:
    """Return the origin; raise Tampered unless it is exactly what the ledger holds the commitment of."""
    if evidence.sealed[:1] != FORMAT:
        raise Tampered("A sealed origin has an unknown format")
    content = unwrap(AESGCM(key), evidence.sealed[1:], _aad(account_id, member_id, evidence.commitment))
    salt, origin = content[:SALT_BYTES], content[SALT_BYTES:]
    if not hmac.compare_digest(hmac.digest(salt, origin, "sha256"), evidence.commitment):
        raise Tampered("A sealed origin is not the one that was recorded")
    return origin.decode()


async def keep(connection: Lent, account_id: UUID, member_id: UUID, evidence: Evidence) -> None:
    """Store a sealed origin beside the records that commit to it."""
    await connection.execute(SQL["keep"], account_id, member_id, *evidence)


async def forget(connection: Lent, account_id: UUID, member_id: UUID) -> None:
    """Delete what is known of where a member's consents came from: the member is being erased."""
    await connection.execute(SQL["forget"], account_id, member_id)


async def reseal(
    connection: Lent, account_id: UUID, keys: Mapping[UUID, tuple[bytes, bytes]], random: Callable[[int], bytes]
) -> int:
    """Seal the origins of members anew whose keys change; return how many there were.

    `keys`: the old and the new key by member. One read for all of them, and one write if there is anything. What does
    not open under the old key stays as it is, unreadable as before.
    """
    if not keys:
        return 0
    rows = await connection.fetch(SQL["of_members"], account_id, list(keys))
    members, commitments, sealed = [], [], []
    for row in rows:
        member_id = row["member_id"]
        old, new = keys[member_id]
        aad = _aad(account_id, member_id, row["commitment"])
        try:
            content = unwrap(AESGCM(old), row["sealed"][1:], aad)
        except Tampered:
            continue
        members.append(member_id)
        commitments.append(row["commitment"])
        sealed.append(FORMAT + wrap(AESGCM(new), content, aad, random(NONCE_BYTES)))
    if members:
        await connection.execute(SQL["reseal"], account_id, members, commitments, sealed)
    return len(members)


def _aad(account_id: UUID, member_id: UUID, commitment: bytes) -> bytes:
    return FORMAT + account_id.bytes + b"consent_evidence" + member_id.bytes + commitment
