import hashlib
import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, Tampered
from members.kek import Kek
from members.keyed_hash import KeyedHash
from members.profile import Profile, same_values, seal, unseal, unwrap_member_key, wrap_member_key

KEY, ACCOUNT, MEMBER, NONCE = bytes(range(32)), b"a" * 16, b"m" * 16, b"n" * 12
SEALED = seal(
    Profile("t@example.jp", {"name": "太"}), key=KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=NONCE
)


def test_a_sealed_profile_opens_to_what_it_was() -> None:
    opened = unseal(SEALED, key=KEY, account_id=ACCOUNT, member_id=MEMBER)
    assert opened == Profile("t@example.jp", {"name": "太"})
    assert "example" not in repr(opened)


@pytest.mark.parametrize("place", range(len(SEALED)))
def test_no_byte_of_a_sealed_profile_can_be_altered(place: int) -> None:
    for flip in (1, 0x80):
        altered = bytearray(SEALED)
        altered[place] ^= flip
        with pytest.raises(Tampered):
            unseal(bytes(altered), key=KEY, account_id=ACCOUNT, member_id=MEMBER)


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_no_sealed_profile_can_be_cut_short(length: int) -> None:
    with pytest.raises(Tampered):
        unseal(SEALED[:length], key=KEY, account_id=ACCOUNT, member_id=MEMBER)


def test_a_sealed_profile_opens_in_its_own_place_only() -> None:
    for place in ({"account_id": b"b" * 16, "member_id": MEMBER}, {"account_id": ACCOUNT, "member_id": b"x" * 16}):
        with pytest.raises(Tampered):
            unseal(SEALED, key=KEY, **place)


def test_a_member_key_is_bound_to_member_and_ring_version() -> None:
    cipher = AESGCM(bytes(32))
    place = {"account_id": ACCOUNT, "member_id": MEMBER}
    wrapped = wrap_member_key(cipher, KEY, ring_version=1, nonce=NONCE, **place)
    assert unwrap_member_key(cipher, wrapped, ring_version=1, **place) == KEY
    with pytest.raises(Tampered):
        unwrap_member_key(cipher, wrapped, ring_version=2, **place)
    with pytest.raises(Tampered):
        unwrap_member_key(cipher, wrapped, ring_version=1, account_id=ACCOUNT, member_id=b"x" * 16)


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_the_keyed_hash_is_hmac_sha256(key: bytes, message: bytes) -> None:
    assert KeyedHash(key).digest(message) == hmac.digest(key, message, hashlib.sha256)


def test_values_are_the_same_only_with_their_types() -> None:
    assert same_values({"a": 1}, {"a": 1})
    assert not same_values({"a": 1}, {"a": True})
    assert not same_values({"a": 1}, {})


async def test_the_first_start_makes_a_key_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "kek"
    made = Kek.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    again = Kek.load_or_create(path)
    assert made.fingerprint == again.fingerprint
    assert await again.unwrap(await made.wrap(KEY, b"x"), b"x") == KEY
    assert [entry.name for entry in path.parent.iterdir()] == ["kek"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    Kek.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError):
        Kek.load(path)


@pytest.mark.parametrize("content", [b"", b"todoku-kek-1:", b"todoku-kek-1:AAAA", b"\xff\xfe", b"todoku-kek-1:!!!!"])
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kek"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError):
        Kek.load(path)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        Kek.load(tmp_path / "nowhere")


async def test_a_key_wrapped_for_one_purpose_does_not_open_for_another() -> None:
    kek = Kek(KEY)
    with pytest.raises(Tampered):
        await kek.unwrap(await kek.wrap(KEY, b"one"), b"other")
