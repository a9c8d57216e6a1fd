import pytest

from tracking.endpoint.wording import language


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-US,en;q=0.9,ja;q=0.5", "en"),
        ("fr,ja;q=0.3", "ja"),
        ("fr", "en"),
        ("", "en"),
        ("ja;q=0", "en"),
        ("JA ; q=1.0", "ja"),
        ("ja;q=oops,en", "en"),
        (";,;=,q=", "en"),
        ("x" * 100_000 + ",ja", "en"),
    ],
)
def test_a_reader_gets_the_language_that_the_browser_asks_for(header: str, chosen: str) -> None:
    assert language(header) == chosen
