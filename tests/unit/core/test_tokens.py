from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, Tampered
from core.tokens import (
    ADDRESSED,
    MAX_LINKS,
    SLOT_COMPLAINT,
    SLOT_LINK,
    SLOT_REPLY,
    SLOT_RETURN_PATH,
    LinkSigner,
    TokenContent,
)

RUN = UUID("01900000-0000-7000-8000-000000000001")
KEYS = {1: b"a" * 32, 2: b"b" * 32}
SIGNER = LinkSigner(KEYS, 1)
SLOTS = [0, 1, *range(SLOT_LINK, SLOT_LINK + 20)]


@given(st.uuids(), st.integers(0, 2**32 - 1))
def test_what_was_minted_is_opened(run_id: UUID, seq: int) -> None:
    tokens = SIGNER.mint(run_id, seq, SLOTS)
    assert {len(token) for token in tokens} == {48}
    assert [SIGNER.open(token) for token in tokens] == [TokenContent(run_id, seq, slot) for slot in SLOTS]


def test_a_token_is_the_same_whatever_else_is_minted_with_it() -> None:
    assert SIGNER.mint(RUN, 7, [SLOT_LINK + 3]) == [SIGNER.mint(RUN, 7, SLOTS)[5]]


def test_a_run_mints_message_after_message_what_is_minted_one_by_one() -> None:
    tokens = SIGNER.for_run(RUN, SLOTS)
    for seq in (7, 0, 2**32 - 1, 7):
        minted, addressed = tokens.mint(seq)
        assert [token.decode() for token in minted] == [SIGNER.mint(RUN, seq, [slot])[0] for slot in SLOTS]
        assert list(addressed) == [SIGNER.mint_for_address(RUN, seq, slot) for slot in ADDRESSED]


def test_tokens_that_are_out_are_opened_for_ever() -> None:
    (token,) = SIGNER.mint(RUN, 7, [SLOT_LINK + 1])
    assert token == "AQGQAAAAAHAAgAAAAAAAAAEAAAAHABGUhqO1FL4fHkOItXQq"
    local = SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)
    assert local == "010190000000007000800000000000000100000007c860c5d61102ac2ca9"


def test_every_flipped_bit_fails() -> None:
    (token,) = SIGNER.mint(RUN, 7, [SLOT_LINK])
    for place in range(len(token)):
        for bit in range(7):
            changed = token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]
            with pytest.raises(Tampered):
                SIGNER.open(changed)


@given(st.text(max_size=60))
def test_foreign_text_fails(text: str) -> None:
    with pytest.raises(Tampered):
        SIGNER.open(text)
    with pytest.raises(Tampered):
        SIGNER.open_from_address(text, SLOT_RETURN_PATH)


def test_characters_that_a_lax_decoder_would_skip_fail() -> None:
    (token,) = SIGNER.mint(RUN, 7, [0])
    with pytest.raises(Tampered):
        SIGNER.open(token[:20] + "\n" + token[20:-1])


def test_a_new_primary_key_leaves_old_tokens_valid() -> None:
    (old,) = SIGNER.mint(RUN, 7, [0])
    rotated = LinkSigner(KEYS, 2)
    assert rotated.open(old) == TokenContent(RUN, 7, 0)
    assert rotated.mint(RUN, 7, [0]) != [old]
    with pytest.raises(Tampered):
        LinkSigner({2: b"b" * 32}, 2).open(old)


def test_a_return_path_survives_the_loss_of_case() -> None:
    local = SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)
    assert len(local) <= 60
    assert SIGNER.open_from_address(local.upper(), SLOT_RETURN_PATH).seq == 7
    with pytest.raises(Tampered):
        SIGNER.open_from_address("b" + local[1:] if local[0] != "b" else "c" + local[1:], SLOT_RETURN_PATH)


@pytest.mark.parametrize("slot", ADDRESSED)
def test_the_token_of_one_address_is_no_good_for_another(slot: int) -> None:
    local = SIGNER.mint_for_address(RUN, 7, slot)
    assert SIGNER.open_from_address(local, slot) == TokenContent(RUN, 7, slot)
    for other in {SLOT_RETURN_PATH, SLOT_COMPLAINT, SLOT_REPLY} - {slot}:
        with pytest.raises(Tampered):
            SIGNER.open_from_address(local, other)


def test_the_largest_link_number_is_bounded() -> None:
    with pytest.raises(Tampered):
        SIGNER.open(SIGNER.mint(RUN, 7, [SLOT_LINK + MAX_LINKS])[0])


@pytest.mark.parametrize(("keys", "primary"), [({}, 1), ({1: b"short"}, 1), ({1: b"a" * 32}, 2)])
def test_unusable_keys_stop_the_start(keys: dict[int, bytes], primary: int) -> None:
    with pytest.raises(ConfigurationError):
        LinkSigner(keys, primary)


@given(st.integers(0, 2**32 - 1), st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_what_is_sealed_behind_a_link_opens_behind_it(seq: int, personal: str) -> None:
    tokens = SIGNER.for_run(RUN, SLOTS)
    token = tokens.mint(seq)[0][2]
    sealed = tokens.seal(token, personal)
    assert SIGNER.open_link((token + sealed).decode()) == (TokenContent(RUN, seq, SLOT_LINK), personal)
    assert tokens.seal(token, personal) == sealed
    rotated = LinkSigner(KEYS, 2)
    assert rotated.open_link((token + sealed).decode())[1] == personal


def test_nothing_else_opens_behind_a_link() -> None:
    tokens = SIGNER.for_run(RUN, SLOTS)
    minted = tokens.mint(7)[0]
    token, other = minted[2].decode(), minted[3].decode()
    sealed = tokens.seal(minted[2], "number=12").decode()
    assert "12" not in sealed
    wrong = [other + sealed, token + sealed + "=", token + sealed + "A", token + sealed[:-1], token + "A", token + "é"]
    wrong += [
        token + sealed[:place] + chr(ord(sealed[place]) ^ (1 << bit)) + sealed[place + 1 :]
        for place in range(len(sealed))
        for bit in range(7)
    ]
    foreign = LinkSigner({1: b"c" * 32}, 1).for_run(RUN, SLOTS)
    wrong.append(token + foreign.seal(minted[2], "number=12").decode())
    for text in wrong:
        with pytest.raises(Tampered):
            SIGNER.open_link(text)
