import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from members.addresses import mask, parse, parse_plain, parse_plain_all
from members.errors import BadAddress


@pytest.mark.parametrize(
    ("text", "mailbox", "key"),
    [
        ("Taro.Yamada+x@Example.CO.jp", "Taro.Yamada+x@example.co.jp", "taro.yamada+x@example.co.jp"),
        (" taro@example.jp ", "taro@example.jp", "taro@example.jp"),
        (
            "\uff34\uff41\uff52\uff4f\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff4a\uff50\u3000",
            "Taro@example.jp",
            "taro@example.jp",
        ),
        ("taro@日本語.jp", "taro@xn--wgv71a119e.jp", "taro@xn--wgv71a119e.jp"),
        ("山田@example.jp", "山田@example.jp", "山田@example.jp"),
        ("taro.@docomo.ne.jp", "taro.@docomo.ne.jp", "taro.@docomo.ne.jp"),
        ("ta..ro@ezweb.ne.jp", "ta..ro@ezweb.ne.jp", "ta..ro@ezweb.ne.jp"),
        ('"ta..ro."@DOCOMO.ne.jp', "ta..ro.@docomo.ne.jp", "ta..ro.@docomo.ne.jp"),
        ("a-.b@t.vodafone.ne.jp", "a-.b@t.vodafone.ne.jp", "a-.b@t.vodafone.ne.jp"),
    ],
)
def test_an_address_is_taken_in_the_form_it_is_sent_to_and_indexed_in_one_form(
    text: str, mailbox: str, key: str
) -> None:
    address = parse(text)
    assert (address.mailbox, address.key.decode()) == (mailbox, key)


@pytest.mark.parametrize(
    "text",
    [
        "", "taro", "@example.jp", "taro@", "taro@localhost", "ta..ro@example.jp", "taro.@example.jp",
        ".taro@docomo.ne.jp", "taro@example.jp\r\nBcc: x@example.jp", "taro\n@example.jp", "ta\x00ro@example.jp",
        "taro@example..jp", "taro@-example.jp", "a@b@example.jp", "taro hanako@example.jp", "taro@example.test",
        f"{'x' * 65}@example.jp", f"x@{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * 63}.jp", "taro@[127.0.0.1]",
        "taro\u202e@example.jp", f"{'山' * 30}@example.jp", "taro,hanako@docomo.ne.jp", "taro <taro@example.jp>",
    ],
)  # fmt: skip
def test_what_no_mail_can_be_sent_to_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        parse(text)
    assert not text.strip() or text not in str(caught.value)


LABEL = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,5}[A-Za-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
LONG = st.sampled_from(["a" * 65 + "@x.jp", "a" * 64 + "@x.jp", "a@" + "b." * 126 + "jp", "a@" + "b." * 125 + "jp"])
LOCAL = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-\"\\ ", max_size=12)


@given(local=LOCAL, domain=DOMAIN)
def test_the_fast_path_takes_nothing_that_email_validator_refuses(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    address = parse_plain(text)
    if address is None:
        return
    try:
        valid = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        pytest.fail("email-validator refuses it")
    assert address.mailbox == f"{valid.local_part}@{domain.lower()}"


@given(st.lists(st.builds("{}@{}".format, LOCAL, DOMAIN) | st.text("a.@\n\r b", max_size=9) | LONG, max_size=5))
def test_many_are_judged_as_each_by_itself(texts: list[str]) -> None:
    assert parse_plain_all(texts) == [parse_plain(text) for text in texts]


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_bad_address(text: str) -> None:
    try:
        address = parse(text)
    except BadAddress:
        return
    assert len(address.mailbox.encode()) <= 254
    assert parse(address.mailbox) == address


def test_masking_shows_one_letter_and_the_domain() -> None:
    assert mask("taro@example.jp") == "t***@example.jp"


def test_a_repr_shows_nothing() -> None:
    assert "taro" not in repr(parse("taro@example.jp"))
