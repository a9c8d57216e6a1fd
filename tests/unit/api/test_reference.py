"""The reference page: by resource, without a script, and nothing of a description is taken for HTML."""

from api.reference import page

DOCUMENT = {
    "paths": {
        "/v1/members": {
            "get": {"tags": ["members"], "summary": "List; masked without `members:read`", "x-scopes": ["a:b", "c:d"]},
            "post": {"tags": ["members"], "summary": "Create <one>", "x-scopes": ["a:b"]},
        },
        "/v1/account": {"get": {"tags": ["account"], "summary": "Read it"}},
    }
}


def test_requests_stand_under_their_resource_and_each_resource_in_the_contents() -> None:
    # A path may break before each of its parts; its text is one.
    shown = page(DOCUMENT).replace("<wbr>", "")
    members, account = shown.index('<h3 id="of-members">'), shown.index('<h3 id="of-account">')
    assert members < shown.index("GET /v1/members<") < shown.index("POST /v1/members<") < account
    assert account < shown.index("GET /v1/account<")
    assert [f'<a href="#of-{tag}">' in shown for tag in ("members", "account")] == [True, True]


def test_what_is_quoted_is_set_as_code_and_nothing_becomes_html() -> None:
    shown = page(DOCUMENT)
    assert "masked without <code>members:read</code>" in shown
    assert "<code>a:b</code> or <code>c:d</code>" in shown
    assert "Create &lt;one&gt;" in shown
    assert ("`" in shown, "<script" in shown) == (False, False)
