"""A member's profile, sealed: address and all values in one ciphertext under the member's own key.

    sealed  = format version (1) | ring version (4) | nonce (12) | ciphertext
    AAD     = format version | ring version | account id | "member" | member id
    wrapped = nonce (12) | ciphertext of the member key under the ring's seal key
    AAD     = account id | "member_key" | ring version | member id

A ciphertext that was altered, or moved to another row or account, does not open.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Tampered
from members.sealing import unwrap, wrap

FORMAT = 1
HEADER = struct.Struct(">BI")

Value: TypeAlias = str | int | float | bool | list[str]


class Profile(NamedTuple):
    """What is sealed: the address as mail is sent to it, and the values by attribute key."""

    address: str
    values: dict[str, Value]

    def __repr__(self) -> str:
        """Say nothing: a repr ends up in logs."""
        return "Profile(…)"


def seal(
    profile: Profile, *, key: bytes, ring_version: int, account_id: bytes, member_id: bytes, nonce: bytes
) -> bytes:
    """Seal a profile under a member key (32 bytes). `nonce`: 12 random bytes."""
    return seal_bytes(
        dump(profile), key=key, ring_version=ring_version, account_id=account_id, member_id=member_id, nonce=nonce
    )


def seal_bytes(
    content: bytes, *, key: bytes, ring_version: int, account_id: bytes, member_id: bytes, nonce: bytes
) -> bytes:
    """Seal a profile's bytes as `open_bytes` gave them out."""
    header = HEADER.pack(FORMAT, ring_version)
    return header + wrap(AESGCM(key), content, header + account_id + b"member" + member_id, nonce)


def unseal(sealed: bytes, *, key: bytes, account_id: bytes, member_id: bytes) -> Profile:
    """Open a sealed profile; raise Tampered unless it is exactly what was sealed for this member."""
    return load(open_bytes(sealed, key=key, account_id=account_id, member_id=member_id))


def open_bytes(sealed: bytes, *, key: bytes, account_id: bytes, member_id: bytes) -> bytes:
    """Open a sealed profile without reading it; raise Tampered as `unseal`."""
    header = sealed[: HEADER.size]
    if not sealed or sealed[0] != FORMAT:
        raise Tampered("A sealed profile has an unknown format")
    return unwrap(AESGCM(key), sealed[HEADER.size :], header + account_id + b"member" + member_id)


def dump(profile: Profile) -> bytes:
    """Return a profile's bytes."""
    return dump_parts(profile.address, profile.values)


def dump_parts(address: str, values: Mapping[str, Value]) -> bytes:
    """Return the bytes of the profile that has these parts."""
    return orjson.dumps({"address": address, "values": values})


def load(content: bytes) -> Profile:
    """Read a profile's bytes."""
    read = orjson.loads(content)
    return Profile(read["address"], read["values"])


def wrap_member_key(
    cipher: AESGCM, key: bytes, *, ring_version: int, account_id: bytes, member_id: bytes, nonce: bytes
) -> bytes:
    """Wrap a member key under the ring's seal key of `ring_version`."""
    return wrap(cipher, key, key_aad(ring_version, account_id, member_id), nonce)


def unwrap_member_key(
    cipher: AESGCM, wrapped: bytes, *, ring_version: int, account_id: bytes, member_id: bytes
) -> bytes:
    """Open a member key; raise Tampered if it was altered or belongs to another member."""
    return unwrap(cipher, wrapped, key_aad(ring_version, account_id, member_id))


def key_aad(ring_version: int, account_id: bytes, member_id: bytes) -> bytes:
    """Return what binds a wrapped member key to its place."""
    return account_id + b"member_key" + ring_version.to_bytes(4, "big") + member_id


def same_values(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """Whether two sets of values are equal, types included (1 and True are not)."""
    return one == other and all(type(value) is type(other[name]) for name, value in one.items())
