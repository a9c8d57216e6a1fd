import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.replies.mask import mask


@pytest.mark.parametrize(
    "text",
    [
        "550 <hanako.s@example.jp>: unknown",
        "hanako.s@example.jp unknown",
        'no "hanako.s yamada"@example.jp here',
        "no hanako.s @ example.jp here",
        "see https://x.example/?a=hanako.s%40example.jp",
        "orcpt=rfc822;hanako.s+40example.jp",
        "bounce hanako.s=example.jp at us",
        "hanako.s%example.jp is refused",
        "hanako.s＠example.jp",  # noqa: RUF001
        "hanako.s(at)example.jp",
        "<hanako.s",
        "hanako.s&#64;example.jp",
    ],
)
def test_no_form_of_an_address_survives(text: str) -> None:
    assert "hanako" not in mask(text)
    assert "[address]" in mask(text)


def test_the_recipients_bare_local_part_is_taken_out_too() -> None:
    assert mask("User hanako.s not found", recipient="Hanako.S@example.jp") == "User [address] not found"


def test_what_matters_stays_readable() -> None:
    assert mask("4.7.0 Try again later, see https://support.google.com/mail/?p=UnsolicitedRateLimitError") == (
        "4.7.0 Try again later, see https://support.google.com/mail/?p=UnsolicitedRateLimitError"
    )


def test_control_characters_become_spaces() -> None:
    assert mask("a\r\nb\x00c\x1b[31m\u202ed") == "a b c [31m d"


def test_a_long_text_is_cut_to_200_characters_without_uncovering_an_address() -> None:
    assert len(mask("word " * 1000)) == 200
    cut = mask("<" + "x" * 3990 + "> hanako.s@example.jp")
    assert "hanako" not in cut


@settings(max_examples=200, deadline=None)
@given(
    before=st.text(max_size=40),
    after=st.text(max_size=40),
    address=st.from_regex(r"q7z[a-z.+_-]{0,10}@[a-z]{1,8}\.jp", fullmatch=True),
)
def test_whatever_stands_around_it_an_address_is_masked(before: str, after: str, address: str) -> None:
    masked = mask(f"{before}{address}{after}")
    assert "q7z" not in masked
    assert "@" not in masked
    assert len(masked) <= 200


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_a_masked_text_is_printable_and_bounded(text: str) -> None:
    masked = mask(text)
    assert masked.isprintable()
    assert "@" not in masked
    assert len(masked) <= 200
