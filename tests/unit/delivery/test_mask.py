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


@pytest.mark.parametrize(
    ("recipient", "text"),
    [
        ("hanako.s@example.jp", "no mailbox hanako.s here"),
        ("hanako.s@example.jp", "no mailbox box_hanako.s_1 here"),
        ("hanako.s@example.jp", "see https://x.example/?u=HANAKO.S&c=1"),
        ("hanako.s@example.jp", "see https://x.example/?u=hanako%2Es"),
        ("hanako.s@example.jp", "see https://x.example/?u=hanako%252Es"),
        ("hanako.s@example.jp", "orcpt=hanako+2Es"),
        ("hanako.s@example.jp", "user hanako&#46;s is unknown"),
        ("hanako.s@example.jp", "利用者hanako.sさんは"),
        ("hanako+news@example.jp", "user hanako is unknown"),
        ('"hanako yama"@example.jp', "user Hanako  Yama is unknown"),
        ('"hanako\\.yama"@example.jp', "user hanako.yama is unknown"),
        ("ＨＡＮＡＫＯ@example.jp", "user hanako is unknown"),  # noqa: RUF001
        ("hana@example.jp", "user (hana) is unknown"),
        ("h.n@example.jp", "user h.n is unknown"),
        ("花子@example.jp", "花子さんはいません"),
        ("花子@example.jp", "see https://x.example/%E8%8A%B1%E5%AD%90"),
    ],
)
def test_the_recipients_local_part_survives_in_no_form(recipient: str, text: str) -> None:
    masked = mask(text, recipient=recipient).casefold()
    assert "[address]" in masked
    assert not any(trace in masked for trace in ("hana", "h.n", "花子", "e8%8a"))


def test_the_recipients_domain_is_taken_out_and_the_receivers_hosts_stay() -> None:
    masked = mask("Name service error for name=example.jp by mx1.example.jp.", recipient="taro@example.jp")
    assert masked == "Name service error for [address] by mx1.example.jp."
    assert mask("Domain example.jp. unknown", recipient="taro@example.jp") == "Domain [address] unknown"


def test_a_short_local_part_takes_no_other_words_with_it() -> None:
    assert mask("The user does not exist", recipient="us@example.jp") == "The user does not exist"


def test_what_matters_stays_readable() -> None:
    assert mask("4.7.0 Try again later, see https://support.google.com/mail/?p=UnsolicitedRateLimitError") == (
        "4.7.0 Try again later, see https://support.google.com/mail/?p=UnsolicitedRateLimitError"
    )


def test_control_characters_become_spaces_and_what_is_not_seen_goes() -> None:
    assert mask("a\r\nb\x00c\x1b[31m\u202ed") == "a b c [31md"
    assert mask("hana\u00adko.s\u200b@example.jp") == "[address]"


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
