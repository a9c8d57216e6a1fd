import pytest

from tracking.links import location


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example/p?a=1&b=%20c#d", "https://a.example/p?a=1&b=%20c#d"),
        ("https://a.example/?", "https://a.example/?"),
        ("https://a.example/夏 の日?q=é", "https://a.example/%E5%A4%8F%20%E3%81%AE%E6%97%A5?q=%C3%A9"),
        ("https://日本語.example:8443/x", "https://xn--wgv71a119e.example:8443/x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("http://a.example/\r\nSet-Cookie: x=1", "http://a.example/%0D%0ASet-Cookie:%20x=1"),
    ],
)
def test_a_stored_link_is_sent_as_a_plain_ascii_location(url: str, sent: str) -> None:
    assert location(url) == sent


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "//a.example", "/path", "https://", "mailto:a", "https://[::1", "https://.日本/"]
)
def test_what_is_no_http_address_leads_nowhere(url: str) -> None:
    assert location(url) == ""
