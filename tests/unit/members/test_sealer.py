import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from members.aead import Encrypter, PlainEncrypter, SodiumEncrypter
from members.profile import Profile, dump, seal, wrap_member_key
from members.sealer import RANDOM_BYTES, Sealer

WAYS: list[Encrypter] = [SodiumEncrypter(), PlainEncrypter()]
ACCOUNT, MEMBER, RING_KEY = bytes(16), b"m" * 16, b"r" * 32


@pytest.mark.parametrize("way", WAYS)
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=12, max_size=12),
    plain=st.binary(max_size=300) | st.just(bytes(20_000)),
    aad=st.binary(max_size=60),
)
def test_both_ways_make_the_same_ciphertext(way: Encrypter, key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> None:
    assert way.seal(key, nonce, plain, aad) == AESGCM(key).encrypt(nonce, plain, aad)


@pytest.mark.parametrize("way", WAYS)
def test_keys_and_nonces_of_another_length_are_refused(way: Encrypter) -> None:
    for key, nonce in ((b"k" * 31, bytes(12)), (b"k" * 33, bytes(12)), (b"k" * 32, b"")):
        with pytest.raises(ValueError):  # noqa: PT011 - cryptography's own words
            way.seal(key, nonce, b"text", b"")


@pytest.mark.parametrize("way", WAYS)
def test_a_new_member_is_sealed_as_one_by_one(way: Encrypter) -> None:
    profile, random = Profile("taro@example.jp", {"name": "山田"}), bytes(range(RANDOM_BYTES))
    key, nonce, key_nonce = random[:32], random[32:44], random[44:]
    place = {"ring_version": 3, "account_id": ACCOUNT, "member_id": MEMBER}
    sealed = seal(profile, key=key, nonce=nonce, **place)  # type: ignore[arg-type]
    wrapped = wrap_member_key(AESGCM(RING_KEY), key, nonce=key_nonce, **place)  # type: ignore[arg-type]
    assert Sealer(ACCOUNT, 3, RING_KEY, way).seal_new(MEMBER, dump(profile), random) == (sealed, wrapped)
