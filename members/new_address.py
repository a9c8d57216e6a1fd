"""The address that a member wants to have, sealed until both addresses have said yes.

    sealed = nonce (12) | ciphertext of the address under the member's own key
    AAD    = account id | "new_address" | member id

When the member gets another key (members/resealing) it does not open any more, and the member asks again: it is good
for two days at the most.
"""

from collections.abc import Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sql
from core.errors import Tampered
from members.addresses import Address
from members.connection import Connection, Lent
from members.keyring import Ring
from members.sealing import unwrap, wrap

SQL = sql.load(__package__ or "", "new_address.sql")


async def propose(connection: Lent, ring: Ring, member_id: UUID, key: bytes, address: Address, *, nonce: bytes) -> None:
    """Keep an address as the one that the member wants, instead of any other. `key`: the member's own."""
    sealed = wrap(AESGCM(key), address.mailbox.encode(), _aad(ring.account_id, member_id), nonce)
    await connection.execute(SQL["propose"], ring.account_id, member_id, sealed, ring.tag(address.domain))


async def proposed(connection: Connection, ring: Ring, member_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the addresses that these members want to have, of those who do and whose can be opened."""
    found = {}
    opener = ring.opener()
    for row in await connection.fetch(SQL["proposed"], ring.account_id, list(member_ids)):
        member_id = row["member_id"]
        try:
            key = opener.open_key(member_id.bytes, row["ring_version"], row["wrapped"])
            content = unwrap(AESGCM(key), row["sealed"], _aad(ring.account_id, member_id))
        except (Tampered, KeyError):
            continue
        found[member_id] = content.decode()
    return found


async def withdraw(connection: Connection, account_id: UUID, member_id: UUID) -> None:
    """Forget the address that a member wanted, whatever became of it."""
    await connection.execute(SQL["withdraw"], account_id, member_id)


def _aad(account_id: UUID, member_id: UUID) -> bytes:
    return account_id.bytes + b"new_address" + member_id.bytes
