"""An account's key ring: loaded on demand, unwrapped by the KEK, kept in memory.

`seal` keys wrap member keys, `index` keys make lookups by address and by matchable value, the one `suppression` key
is never retired. Of each there is one primary version that makes new things; all that are not retired open old ones.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core import sql
from core.errors import ConfigurationError, NotFound, Tampered, Unavailable
from members.kek import KekProvider
from members.keyed_hash import KeyedHash
from members.opener import Opener
from members.sealer import Sealer
from members.sealing import KEY_BYTES

SQL = sql.load(__package__ or "", "keyring.sql")

_PURPOSES = ("seal", "index", "suppression")
_DESTINATION = "destination_tag"
_SUPPRESSION = "suppression"
_MAX_TAGS = 100_000


class AddressHashes(NamedTuple):
    """What stands for an address: its suppression hash, and (version, hash) under every open index key."""

    suppression: bytes
    lookup: list[tuple[int, bytes]]


class HashColumns(NamedTuple):
    """The hashes of many addresses, in their order: for suppression, and by version under every open index key."""

    suppression: list[bytes]
    lookup: dict[int, list[bytes]]

    def extend(self, more: "HashColumns") -> None:
        """Add those of further addresses."""
        self.suppression.extend(more.suppression)
        for version, digests in more.lookup.items():
            self.lookup[version].extend(digests)

    def at(self, places: Sequence[int]) -> "HashColumns":
        """Return those of the addresses at these places."""
        lookup = {version: [digests[place] for place in places] for version, digests in self.lookup.items()}
        return HashColumns([self.suppression[place] for place in places], lookup)


@dataclass(frozen=True, repr=False)
class Ring:
    """The opened keys of one account. Versions are positive; `primary_…` is the one to make new things with.

    `generation` grows with each change of the account's keys or protections (members/fence.py); `seal_since` and
    `index_since` are those with which the primary versions became primary.
    """

    account_id: UUID
    generation: int
    sealing: Mapping[int, AESGCM]
    primary_seal: int
    seal_since: int
    addresses: Mapping[int, KeyedHash]
    values: Mapping[int, KeyedHash]
    primary_index: int
    index_since: int
    suppression: KeyedHash
    destination: KeyedHash
    opener: Callable[[], Opener]
    """Makes what opens members, for one thread."""
    sealer: Callable[[], Sealer]
    """Makes what seals new members, for one thread."""
    notes: AESGCM
    """Seals what the account itself writes down, such as values in rules. Never retired, as the key it comes from."""
    _tags: dict[str, int] = field(default_factory=dict)

    def tag(self, domain: str) -> int:
        """Return the destination tag of a lower-case domain: 64 bits of a keyed hash, the same in all accounts."""
        tag = self._tags.get(domain)
        if tag is None:
            if len(self._tags) >= _MAX_TAGS:
                self._tags.clear()
            tag = int.from_bytes(self.destination.digest(domain.encode())[:8], "big", signed=True)
            self._tags[domain] = tag
        return tag

    def hashes(self, key: bytes) -> AddressHashes:
        """Return the hashes of a normalised address."""
        index = [(version, keyed.digest(key)) for version, keyed in self.addresses.items()]
        return AddressHashes(self.suppression.digest(key), index)

    def hash_columns(self, keys: Sequence[bytes]) -> HashColumns:
        """Return the hashes of many normalised addresses."""
        lookup = {version: keyed.digests(keys) for version, keyed in self.addresses.items()}
        return HashColumns(self.suppression.digests(keys), lookup)


class KeyRings:
    """Rings by account, opened with `kek`; one that was loaded stays until it is read anew.

    `random` returns n random bytes: nonces and new keys are made of it. `current` tells whether a loaded ring may be
    used without asking (members/holders.py); who uses its rings for a moment only needs none.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        kek: KekProvider,
        random: Callable[[int], bytes] = os.urandom,
        current: Callable[[], bool] = lambda: True,
    ) -> None:
        self.random = random
        self._current = current
        self._pool = pool
        self._kek = kek
        self._rings: dict[UUID, Ring] = {}
        self._installation: dict[str, bytes] = {}

    async def ring(self, account_id: UUID) -> Ring:
        """Return the account's ring; raise NotFound if it has none, ConfigurationError if the KEK is not its own."""
        ring = self._rings.get(account_id)
        return ring if ring is not None and self._current() else await self.reload(account_id)

    async def reload_changed(self, since: int) -> None:
        """Read those again, of the rings that were loaded, which changed after the epoch `since`."""
        changed = {row["account_id"] for row in await self._pool.fetch(SQL["changed"], since)}
        for account_id in changed & self._rings.keys():
            await self.reload(account_id)

    async def reload(self, account_id: UUID) -> Ring:
        """Read the ring from the database again: a version unknown so far was met, or keys changed."""
        destination = await self.destination_key()
        rows = await self._pool.fetch(SQL["ring"], account_id)
        keys: dict[str, dict[int, bytes]] = {purpose: {} for purpose in _PURPOSES}
        primary: dict[str, int] = {}
        since: dict[str, int] = {}
        for row in rows:
            purpose, version = row["purpose"], row["version"]
            keys[purpose][version] = await self._open(
                row["wrapped"], row["kek_fingerprint"], ring_aad(account_id, purpose, version)
            )
            if row["state"] == "primary":
                primary[purpose], since[purpose] = version, row["since"]
        if set(primary) != set(_PURPOSES):
            raise NotFound("The account has no key ring")
        ring = Ring(
            account_id=account_id,
            generation=rows[0]["generation"],
            sealing={version: AESGCM(key) for version, key in keys["seal"].items()},
            primary_seal=primary["seal"],
            seal_since=since["seal"],
            addresses={
                version: KeyedHash(_derive(key, b"address_index.hmac")) for version, key in keys["index"].items()
            },
            values={version: KeyedHash(_derive(key, b"member.facets")) for version, key in keys["index"].items()},
            primary_index=primary["index"],
            index_since=since["index"],
            suppression=KeyedHash(_derive(keys["suppression"][1], b"suppression.hash")),
            destination=KeyedHash(destination),
            opener=partial(Opener, account_id.bytes, keys["seal"]),
            sealer=partial(Sealer, account_id.bytes, primary["seal"], keys["seal"][primary["seal"]]),
            notes=AESGCM(_derive(keys["suppression"][1], b"notes")),
        )
        known = self._rings.get(account_id)
        if known is not None and known.generation > ring.generation:
            # Someone read it later, and was faster: a ring never goes back.
            return known
        self._rings[account_id] = ring
        return ring

    async def destination_key(self) -> bytes:
        """Return the installation's key of destination tags."""
        return await self._installation_key(_DESTINATION)

    async def everywhere(self) -> KeyedHash:
        """Return what hashes the addresses that are suppressed in all accounts."""
        return KeyedHash(await self._installation_key(_SUPPRESSION))

    async def _installation_key(self, purpose: str) -> bytes:
        """Return one of the installation's own keys, made at the first call ever."""
        key = self._installation.get(purpose)
        if key is None:
            row = await self._pool.fetchrow(SQL["installation_key"], purpose)
            if row is None:
                wrapped = await self._kek.wrap(self.random(KEY_BYTES), purpose.encode())
                await self._pool.execute(SQL["offer_installation_key"], purpose, wrapped, self._kek.fingerprint)
                row = await self._pool.fetchrow(SQL["installation_key"], purpose)
            if row is None:
                raise NotFound("The installation has no such key")
            key = self._installation[purpose] = await self._open(
                row["wrapped"], row["kek_fingerprint"], purpose.encode()
            )
        return key

    async def _open(self, wrapped: bytes, fingerprint: str, aad: bytes) -> bytes:
        try:
            return await self._kek.unwrap(wrapped, aad)
        except (Tampered, Unavailable) as error:
            mine = self._kek.fingerprint
            if fingerprint != mine:
                raise ConfigurationError(
                    f"The KEK in use ({mine}) is not the one of this ring ({fingerprint})"
                ) from None
            if isinstance(error, Unavailable):
                raise
            raise Tampered("A key of the ring was altered or moved") from None


async def create_ring(
    pool: asyncpg.Pool, kek: KekProvider, account_id: UUID, random: Callable[[int], bytes] = os.urandom
) -> None:
    """Give the account its first keys. Idempotent: an account that has some keeps them."""
    wrapped = [await kek.wrap(random(KEY_BYTES), ring_aad(account_id, purpose, 1)) for purpose in _PURPOSES]
    await pool.execute(SQL["create_ring"], account_id, list(_PURPOSES), wrapped, kek.fingerprint)


def ring_aad(account_id: UUID, purpose: str, version: int) -> bytes:
    """Return what binds a wrapped key of a ring to its place."""
    return b"ring" + account_id.bytes + purpose.encode() + version.to_bytes(4, "big")


def _derive(key: bytes, place: bytes) -> bytes:
    # One key a table and column: equal inputs in two places must not meet (HKDF, RFC 5869).
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=place).derive(key)
