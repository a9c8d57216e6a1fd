"""A ciphertext opens in the one place that it was sealed for, and nowhere else, whatever is tried."""

from itertools import permutations
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Tampered
from members.imports.file import key_aad, open_block, seal_block
from members.profile import FORMAT, Profile, Value, seal, unseal, unwrap_member_key, wrap_member_key
from members.sealing import KEY_BYTES, NONCE_BYTES, unwrap, wrap

ids = st.binary(min_size=16, max_size=16)
keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
nonces = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
versions = st.integers(1, 2**31 - 1)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
values: st.SearchStrategy[Value] = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(texts, max_size=5),
)
profiles = st.builds(Profile, texts, st.dictionaries(texts, values, max_size=8))


@given(profiles, keys, versions, ids, ids, nonces)
def test_any_profile_opens_to_what_it_was(
    profile: Profile, key: bytes, version: int, account: bytes, member: bytes, nonce: bytes
) -> None:
    sealed = seal(profile, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce)
    assert unseal(sealed, key=key, account_id=account, member_id=member) == profile


@given(keys, keys, versions, ids, ids, nonces)
def test_any_member_key_opens_to_what_it_was(
    ring: bytes, key: bytes, version: int, account: bytes, member: bytes, nonce: bytes
) -> None:
    place = {"ring_version": version, "account_id": account, "member_id": member}
    wrapped = wrap_member_key(AESGCM(ring), key, nonce=nonce, **place)  # type: ignore[arg-type]
    assert unwrap_member_key(AESGCM(ring), wrapped, **place) == key  # type: ignore[arg-type]


@given(profiles, keys, st.lists(ids, min_size=4, max_size=4, unique=True), versions, versions, nonces)
def test_each_part_of_a_place_counts(
    profile: Profile, key: bytes, four: list[bytes], version: int, other: int, nonce: bytes
) -> None:
    account, member, foreign, stranger = four
    sealed = seal(profile, key=key, ring_version=version, account_id=account, member_id=member, nonce=nonce)
    for place in ((foreign, member), (account, stranger), (member, account), (foreign, stranger)):
        with pytest.raises(Tampered):
            unseal(sealed, key=key, account_id=place[0], member_id=place[1])
    if other != version:
        with pytest.raises(Tampered):
            unseal(sealed[:1] + other.to_bytes(4, "big") + sealed[5:], key=key, account_id=account, member_id=member)
    for form in range(256):
        if form != FORMAT:
            with pytest.raises(Tampered):
                unseal(bytes([form]) + sealed[1:], key=key, account_id=account, member_id=member)


@given(keys, keys, st.lists(ids, min_size=3, max_size=3, unique=True), versions, versions, nonces)
def test_a_member_key_opens_for_its_member_its_account_and_its_version_alone(
    ring: bytes, key: bytes, three: list[bytes], version: int, other: int, nonce: bytes
) -> None:
    account, member, stranger = three
    wrapped = wrap_member_key(
        AESGCM(ring), key, ring_version=version, account_id=account, member_id=member, nonce=nonce
    )
    wrong = [(version, stranger, member), (version, account, stranger), (version, member, account)]
    for ring_version, account_id, member_id in [*wrong, *([(other, account, member)] if other != version else [])]:
        with pytest.raises(Tampered):
            unwrap_member_key(
                AESGCM(ring), wrapped, ring_version=ring_version, account_id=account_id, member_id=member_id
            )


KEY, OTHER_KEY, ACCOUNT, MEMBER, NONCE = bytes(range(32)), bytes(32), b"a" * 16, b"m" * 16, b"n" * 12
WRAPPED = wrap_member_key(AESGCM(KEY), OTHER_KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=NONCE)


def unwrapped(wrapped: bytes, *, ring_version: int = 1) -> bytes:
    return unwrap_member_key(AESGCM(KEY), wrapped, ring_version=ring_version, account_id=ACCOUNT, member_id=MEMBER)


def test_no_bit_of_a_wrapped_key_can_be_altered() -> None:
    for place in range(len(WRAPPED)):
        for bit in range(8):
            altered = bytearray(WRAPPED)
            altered[place] ^= 1 << bit
            with pytest.raises(Tampered):
                unwrapped(bytes(altered))


def test_no_wrapped_key_can_be_cut_or_lengthened() -> None:
    for length in range(len(WRAPPED)):
        with pytest.raises(Tampered):
            unwrapped(WRAPPED[:length])
    for tail in (b"\0", b"x" * 16):
        with pytest.raises(Tampered):
            unwrapped(WRAPPED + tail)


@given(st.binary(max_size=200))
def test_what_was_never_sealed_never_opens(noise: bytes) -> None:
    with pytest.raises(Tampered):
        unseal(noise, key=KEY, account_id=ACCOUNT, member_id=MEMBER)
    with pytest.raises(Tampered):
        unwrapped(noise)


@given(st.lists(st.tuples(keys, versions), min_size=2, max_size=4, unique_by=lambda pair: pair), keys, nonces)
def test_of_a_mix_of_key_versions_only_the_right_one_opens(
    ring: list[tuple[bytes, int]], key: bytes, nonce: bytes
) -> None:
    place = {"account_id": ACCOUNT, "member_id": MEMBER}
    wrapped = [wrap_member_key(AESGCM(kek), key, ring_version=version, nonce=nonce, **place) for kek, version in ring]
    for (kek, version), own in zip(ring, wrapped, strict=True):
        assert unwrap_member_key(AESGCM(kek), own, ring_version=version, **place) == key
    for (one, other), stranger in zip(permutations(ring, 2), _seconds(wrapped), strict=True):
        assert one != other
        with pytest.raises(Tampered):
            unwrap_member_key(AESGCM(one[0]), stranger, ring_version=one[1], **place)


def _seconds(wrapped: list[bytes]) -> list[bytes]:
    """The second of each pair of `permutations`."""
    return [other for _, other in permutations(wrapped, 2)]


def test_a_ciphertext_of_one_table_opens_in_no_other() -> None:
    """The same key everywhere, the worst case: the place alone keeps them apart."""
    one = UUID(bytes=MEMBER)
    cipher = AESGCM(KEY)
    place = {"account_id": ACCOUNT, "member_id": MEMBER}
    sealed = seal(Profile("a@example.jp", {}), key=KEY, ring_version=1, nonce=NONCE, **place)
    block = seal_block(cipher, one, "file", 1, b"x" * 40, NONCE)
    import_key = wrap(cipher, OTHER_KEY, key_aad(UUID(bytes=ACCOUNT), one), NONCE)
    for stranger in (block, import_key, sealed, sealed[5:]):
        with pytest.raises(Tampered):
            unwrapped(stranger)
    for stranger in (block, import_key, WRAPPED, sealed[:5] + WRAPPED, sealed[:5] + block):
        with pytest.raises(Tampered):
            unseal(stranger, key=KEY, **place)
    for stranger in (WRAPPED, sealed, sealed[5:], import_key):
        with pytest.raises(Tampered):
            open_block(cipher, one, "file", 1, stranger)
    for kind, no in (("reject", 1), ("file", 2)):
        with pytest.raises(Tampered):
            open_block(cipher, one, kind, no, block)
    with pytest.raises(Tampered):
        unwrap(cipher, WRAPPED, key_aad(UUID(bytes=ACCOUNT), one))
