import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Tampered
from members.aead import Decrypter, PlainDecrypter, SodiumDecrypter
from members.opener import Opener
from members.profile import Profile, load, seal, wrap_member_key

WAYS: list[Decrypter] = [SodiumDecrypter(), PlainDecrypter()]
ACCOUNT, MEMBER, RING_KEY, KEY = bytes(16), b"m" * 16, b"r" * 32, b"k" * 32
PROFILE = Profile("taro@example.jp", {"name": "山田 太郎"})
SEALED = seal(PROFILE, key=KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=bytes(12))
WRAPPED = wrap_member_key(AESGCM(RING_KEY), KEY, ring_version=1, account_id=ACCOUNT, member_id=MEMBER, nonce=bytes(12))


@pytest.mark.parametrize("way", WAYS)
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=12, max_size=12),
    plain=st.binary(max_size=300) | st.just(bytes(20_000)),
    aad=st.binary(max_size=60),
)
def test_both_ways_open_what_was_sealed_and_nothing_that_was_altered(
    way: Decrypter, key: bytes, nonce: bytes, plain: bytes, aad: bytes
) -> None:
    sealed = AESGCM(key).encrypt(nonce, plain, aad)
    assert way.open(key, nonce, sealed, aad) == plain
    altered = bytes([sealed[0] ^ 1]) + sealed[1:]
    for wrong in ((key, nonce, altered, aad), (key, nonce, sealed, aad + b"x"), (key, b"x" * 12, sealed, aad)):
        if wrong != (key, nonce, sealed, aad):
            with pytest.raises(InvalidTag):
                way.open(*wrong)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_too_short_is_refused_and_read_no_further(way: Decrypter) -> None:
    for key, nonce, sealed in ((b"k" * 31, bytes(12), bytes(40)), (KEY, b"", bytes(40)), (KEY, bytes(12), bytes(15))):
        with pytest.raises((InvalidTag, ValueError)):
            way.open(key, nonce, sealed, b"")


@pytest.mark.parametrize("way", WAYS)
def test_a_member_opens_in_its_own_place_alone(way: Decrypter) -> None:
    opener = Opener(ACCOUNT, {1: RING_KEY}, way)
    assert load(opener.open_bytes(MEMBER, SEALED, 1, WRAPPED)) == PROFILE
    for place in ((b"x" * 16, SEALED, 1, WRAPPED), (MEMBER, SEALED, 2, WRAPPED)):
        with pytest.raises(Tampered):
            opener.open_bytes(*place)
    with pytest.raises(Tampered):
        Opener(b"x" * 16, {1: RING_KEY}, way).open_bytes(MEMBER, SEALED, 1, WRAPPED)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0, 1, 5_000, 20_000, 40_000])
def test_an_envelope_opens_whatever_its_size_and_one_after_the_other(way: Decrypter, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    wrapped = bytes(12) + AESGCM(RING_KEY).encrypt(bytes(12), KEY, b"key")
    sealed = b"head" + bytes(12) + AESGCM(KEY).encrypt(bytes(12), content, b"place")
    for _ in range(2):
        assert way.open_envelope(RING_KEY, wrapped, b"key", sealed, 4, b"place") == content
        with pytest.raises(InvalidTag):
            way.open_envelope(RING_KEY, wrapped, b"key", sealed, 4, b"elsewhere")
        with pytest.raises(InvalidTag):
            way.open_envelope(RING_KEY, wrapped, b"another", sealed, 4, b"place")


@pytest.mark.parametrize("way", WAYS)
def test_every_altered_byte_and_every_cut_is_refused(way: Decrypter) -> None:
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
