"""Members open in their own place alone, by libsodium and by `cryptography` alike, one by one and by the block."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Tampered
from members.aead import NONE, Decrypt, memory, plain_decrypt, sodium_decrypt, view
from members.binary_copy import HEADER, TRAILER, field, fields, integer
from members.opener import Opener
from members.profile import Profile, load, seal, wrap_member_key

WAYS: list[Decrypt] = [sodium_decrypt, plain_decrypt]
ACCOUNT, MEMBER, RING_KEY, KEY = bytes(16), b"m" * 16, b"r" * 32, b"k" * 32
PROFILE = Profile("taro@example.jp", {"name": "山田 太郎"})
SEALED = seal(PROFILE, key=KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=bytes(12))
WRAPPED = wrap_member_key(AESGCM(RING_KEY), KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=bytes(12))
ALTERED = st.sampled_from(["nothing", "wrapped", "sealed", "version", "member_id"])


def row(member_id: bytes, version: int, wrapped: bytes, sealed: bytes) -> bytes:
    return fields(4) + field(member_id) + integer(version) + field(wrapped) + field(sealed)


@pytest.mark.parametrize("way", WAYS)
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=12, max_size=12),
    text=st.binary(max_size=300) | st.just(bytes(20_000)),
    aad=st.binary(max_size=60),
)
def test_both_ways_open_what_was_sealed_and_nothing_that_was_altered(
    way: Decrypt, key: bytes, nonce: bytes, text: bytes, aad: bytes
) -> None:
    sealed, plain = AESGCM(key).encrypt(nonce, text, aad), memory(len(text))

    def failed(nonce: bytes, sealed: bytes, aad: bytes) -> int:
        return way(plain, NONE, NONE, sealed, len(sealed), aad, len(aad), nonce, key)

    assert not failed(nonce, sealed, aad)
    assert view(plain)[: len(text)] == text
    assert failed(nonce, bytes([sealed[0] ^ 1]) + sealed[1:], aad)
    assert failed(nonce, sealed, aad + b"x")
    assert failed(bytes([nonce[0] ^ 1]) + nonce[1:], sealed, aad)


def test_a_seal_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        Opener(ACCOUNT, {1: b"k" * 31})


@pytest.mark.parametrize("way", WAYS)
def test_a_member_opens_in_its_own_place_alone(way: Decrypt) -> None:
    opener = Opener(ACCOUNT, {1: RING_KEY}, way)
    assert load(opener.open_bytes(MEMBER, SEALED, 1, WRAPPED)) == PROFILE
    assert opener.open_key(MEMBER, 1, WRAPPED) == KEY
    for place in ((b"x" * 16, SEALED, 1, WRAPPED), (MEMBER, SEALED, 2, WRAPPED)):
        with pytest.raises(Tampered):
            opener.open_bytes(*place)
    with pytest.raises(Tampered):
        Opener(b"x" * 16, {1: RING_KEY}, way).open_bytes(MEMBER, SEALED, 1, WRAPPED)


@pytest.mark.parametrize("way", WAYS)
def test_members_open_whatever_their_size_and_one_after_the_other(way: Decrypt) -> None:
    opener, rows, made = Opener(ACCOUNT, {1: RING_KEY}, way), [], []
    for size in (0, 1, 5_000, 20_000, 40_000, 7):
        profile = Profile("a@example.jp", {"note": "x" * size})
        sealed = seal(profile, key=KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=bytes(12))
        assert load(opener.open_bytes(MEMBER, sealed, 1, WRAPPED)) == profile
        made.append(profile)
        rows.append(row(MEMBER, 1, WRAPPED, sealed))
    opened = list(Opener(ACCOUNT, {1: RING_KEY}, way).open_rows(b"".join(rows) + TRAILER, 0, None))
    assert [load(profile or b"") for _, _, profile in opened] == made


@pytest.mark.parametrize("way", WAYS)
@given(altered=st.lists(st.tuples(ALTERED, st.integers(0, 500), st.booleans()), max_size=4), first=st.booleans())
def test_a_block_opens_as_its_rows_one_by_one_whatever_was_altered_or_cut(
    way: Decrypt, altered: list[tuple[str, int, bool]], first: bool
) -> None:
    opener, rows, expected = Opener(ACCOUNT, {1: RING_KEY}, way), [], []
    for part, place, cut in altered:
        one = {"member_id": MEMBER, "wrapped": WRAPPED, "sealed": SEALED}
        version = 2 if part == "version" else 1
        if part in one:
            content = one[part]
            at = place % len(content)
            whole = part == "member_id" or not cut
            one[part] = content[:at] + (bytes([content[at] ^ 1]) + content[at + 1 :] if whole else b"")
        rows.append(row(one["member_id"], version, one["wrapped"], one["sealed"]))
        try:
            opened = opener.open_bytes(one["member_id"], one["sealed"], version, one["wrapped"])
        except Tampered:
            expected.append((one["member_id"], version, None))
        else:
            expected.append((one["member_id"], version, opened))
    block = (HEADER if first else b"") + b"".join(rows) + TRAILER
    assert list(opener.open_rows(block, len(HEADER) if first else 0, None)) == expected
    assert [profile is None for _, _, profile in expected] == [part != "nothing" for part, _, _ in altered]


@pytest.mark.parametrize("way", WAYS)
def test_a_block_gives_out_those_with_one_of_the_traces_and_those_that_do_not_open(way: Decrypt) -> None:
    opener, profile = Opener(ACCOUNT, {1: RING_KEY}, way), Opener(ACCOUNT, {1: RING_KEY}).open_bytes
    block = row(MEMBER, 1, WRAPPED, SEALED) + row(b"x" * 16, 1, WRAPPED, SEALED) + TRAILER
    opened, unreadable = (MEMBER, 1, profile(MEMBER, SEALED, 1, WRAPPED)), (b"x" * 16, 1, None)
    for traces in (["山".encode()], ["川".encode(), "山".encode()], ["山".encode(), "川".encode()], None):
        assert list(opener.open_rows(block, 0, traces)) == [opened, unreadable]
    for traces in (["川".encode()], [b"1", b"2"]):
        assert list(opener.open_rows(block, 0, traces)) == [unreadable]


@pytest.mark.parametrize("way", WAYS)
def test_every_altered_byte_and_every_cut_is_refused(way: Decrypt) -> None:
    opener = Opener(ACCOUNT, {1: RING_KEY}, way)
    for at in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[at] ^= 1
        for wrong in (bytes(altered), SEALED[:at]):
            with pytest.raises(Tampered):
                opener.open_bytes(MEMBER, wrong, 1, WRAPPED)
    for at in range(len(WRAPPED)):
        altered = bytearray(WRAPPED)
        altered[at] ^= 1
        for wrong in (bytes(altered), WRAPPED[:at]):
            with pytest.raises(Tampered):
                opener.open_bytes(MEMBER, SEALED, 1, wrong)


@pytest.mark.parametrize("way", WAYS)
def test_a_profile_of_a_format_that_is_not_known_is_not_read(way: Decrypt) -> None:
    opener, header = Opener(ACCOUNT, {1: RING_KEY}, way), b"\2" + SEALED[1:5]
    sealed = header + bytes(12) + AESGCM(KEY).encrypt(bytes(12), b"{}", header + ACCOUNT + b"member" + MEMBER)
    with pytest.raises(Tampered):
        opener.open_bytes(MEMBER, sealed, 1, WRAPPED)
    assert list(opener.open_rows(row(MEMBER, 1, WRAPPED, sealed) + TRAILER, 0, None)) == [(MEMBER, 1, None)]
