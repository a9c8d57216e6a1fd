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
    random=st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES),
    text=st.binary(max_size=300) | st.just(bytes(20_000)),
    key_aad=st.binary(max_size=60),
    aad=st.binary(max_size=60),
)
def test_both_ways_make_the_same_envelope(
    way: Encrypter, key: bytes, random: bytes, text: bytes, key_aad: bytes, aad: bytes
) -> None:
    own, nonce, key_nonce = random[:32], random[32:44], random[44:]
    sealed, wrapped = AESGCM(own).encrypt(nonce, text, aad), AESGCM(key).encrypt(key_nonce, own, key_aad)
    assert way.seal_envelope(key, key_aad, text, aad, random) == (nonce + sealed, key_nonce + wrapped)


@pytest.mark.parametrize("way", WAYS)
def test_keys_and_randomness_of_another_length_are_refused(way: Encrypter) -> None:
    for key, size in ((b"k" * 31, RANDOM_BYTES), (b"k" * 33, RANDOM_BYTES), (b"k" * 32, RANDOM_BYTES - 1)):
        with pytest.raises(ValueError):  # noqa: PT011 - cryptography's own words
            way.seal_envelope(key, b"", b"text", b"", bytes(size))


@pytest.mark.parametrize("way", WAYS)
def test_a_new_member_is_sealed_as_one_by_one(way: Encrypter) -> None:
    profile, random = Profile("taro@example.jp", {"name": "山田"}), bytes(range(RANDOM_BYTES))
    key, nonce, key_nonce = random[:32], random[32:44], random[44:]
    place = {"ring_version": 3, "account_id": ACCOUNT, "member_id": MEMBER}
    sealed = seal(profile, key=key, nonce=nonce, **place)  # type: ignore[arg-type]
    wrapped = wrap_member_key(AESGCM(RING_KEY), key, nonce=key_nonce, **place)  # type: ignore[arg-type]
    assert Sealer(ACCOUNT, 3, RING_KEY, way).seal_new(MEMBER, dump(profile), random) == (sealed, wrapped)


@pytest.mark.parametrize("way", WAYS)
def test_many_are_sealed_as_each_by_itself(way: Encrypter) -> None:
    sealer, random = Sealer(ACCOUNT, 3, RING_KEY, way), bytes(range(2 * RANDOM_BYTES))
    one = sealer.seal_new(MEMBER, b"one", random[:RANDOM_BYTES])
    other = sealer.seal_new(b"n" * 16, b"other", random[RANDOM_BYTES:])
    made = sealer.seal_all([MEMBER, b"n" * 16], [b"one", b"other"], random)
    assert made == ([one[0], other[0]], [one[1], other[1]])
