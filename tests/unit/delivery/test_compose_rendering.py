"""Templates: the direct path and the sandbox agree; values are plain, missing ones empty, too much fails."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.compose.errors import RenderFailed
from tests.support.mails import ATTRIBUTES, compiled, compose, part

VALUES: dict[str, Any] = {
    "name": " 髙橋 <太郎> & 'x' ",
    "points": 1234567,
    "tags": ["a<", "b"],
    "birthday": date(1990, 4, 5),
    "note": "line\r\nline\rline\nend",
}
SIMPLE = [
    *(f"{{{{ {name} }}}}" for name in ATTRIBUTES),
    "{{ name|upper|truncate(4) }}",
    "{{ name | trim | replace('太', '<b>') }}",
    "{{ points|number }}",
    "{{ tags|join('、') }} {{ tags|first }} {{ tags|last }} {{ tags|length }}",
    "{{ birthday|date('%Y年%-m月%-d日') }}",
    "{{ note|default('なし') }}",
    "{{ name|urlencode }}",
    "{{ 'a<' }}{{ 5 }}",
    "{{ points|round }} {{ points|abs }} {{ '3'|int }}",
    "<p>{{ unsubscribe_url }}</p>",
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*SIMPLE, "<b>x</b>\n", "text {% raw %}{{ }}{% endraw %}", "{#- c -#} "]), max_size=8),
    st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in VALUES.items()}),
)
def test_the_direct_path_and_the_sandbox_give_the_same_message(pieces: list[str], values: dict[str, Any]) -> None:
    values = {"points": 1, **values}
    source = "".join(pieces)
    changes = {"html": f"<p>{source}</p>", "text": f"t {source}", "subject": f"s {source}".replace("\n", "")}
    outcomes = [compose(values=values, direct=direct, **changes).message for direct in (True, False)]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("html", "values"),
    [
        ("{{ points|round }}", {"points": "x"}),
        ("{{ name|truncate('x') }}", {"name": "y"}),
        ("{{ note }}", {"note": "x" * 20_000}),
        ("{{ note|replace('a', 'aaaaaaaa') }}", {"note": "a" * 9_000}),
        ("{{ note }}" * 40, {"note": "x" * 16_000}),
        ("{{ birthday|date('%99999999d') }}", {"birthday": date(2020, 1, 1)}),
    ],
)
def test_both_paths_fail_alike(html: str, values: dict[str, Any]) -> None:
    failures = []
    for direct in (True, False):
        with pytest.raises(RenderFailed) as failed:
            compose(html=html, values=values, direct=direct)
        failures.append((failed.value.reason, str(failed.value)))
    assert failures[0] == failures[1]


def test_simple_templates_take_the_direct_path_and_others_do_not() -> None:
    parts = compiled(html="{{ name|upper }}", text="{% if name %}x{% endif %}")._parts
    assert parts.html is not None
    assert parts.html.direct
    assert not parts.text.direct


def test_a_missing_value_prints_as_nothing() -> None:
    for direct in (True, False):
        shown = part(compose(html="<p>[{{ name }}{{ tags }}{{ points }}]</p>", direct=direct), "html")
        assert shown.startswith("<p>[]</p>")
        shown = part(compose(html="<p>[{{ name }}]</p>", values={"name": None}, direct=direct), "html")
        assert shown.startswith("<p>[]</p>")


def test_conditions_loops_and_arithmetic_work() -> None:
    html = (
        "{% if points > 1000 and name is defined %}gold{% elif points %}silver{% else %}none{% endif %}"
        "{% set total = points * 2 + 1 %} {{ total }} {{ 'A' ~ name ~ 5 }} {{ 'x' if note else 'y' }}"
        "{% for tag in tags if tag != 'b' %}{{ loop.index }}{{ tag.upper() }}{% else %}-{% endfor %}"
        " {{ -points // 7 % 3 }}"
        " {{ 'a' in tags }} {{ tags[0] }}"
    )
    shown = part(compose(html=html, values={"name": "T", "points": 1500, "tags": ["a", "b"]}), "html")
    assert shown.startswith("gold 3001 AT5 y1A " + str(-1500 // 7 % 3) + " True a")


@pytest.mark.parametrize(
    "value", [object(), {"a": 1}, {1, 2}, b"bytes", type("S", (str,), {"__html__": lambda _: "<x>"})("v")]
)
def test_a_value_of_an_odd_type_is_plain_text_to_a_template(value: object) -> None:
    for direct in (True, False):
        shown = part(compose(html="<p>{{ note }}</p>", values={"note": value}, direct=direct), "html")
        assert "<x>" not in shown


def test_a_failure_names_its_line_and_never_a_value() -> None:
    secret = "secret-taro@example.jp"
    for html in ("<p>\n\n{{ note|round }}</p>", "\n\n{% if note %}{{ note + 1 }}{% endif %}", "a\nb\n{{ -note }}"):
        with pytest.raises(RenderFailed, match=r"^line 3: ") as failed:
            compose(html=html, values={"note": secret})
        assert secret not in str(failed.value)
        assert failed.value.__cause__ is None
        assert failed.value.__suppress_context__


def test_a_name_of_any_length_or_type_is_cut_to_a_header_field() -> None:
    for name in ("太" * 50_000, ["a"] * 5_000, 5):
        assert len(compose(values={"name": name}).message) < 10_000


def test_half_a_surrogate_pair_in_a_value_does_no_harm() -> None:
    envelope = compose(values={"name": "\ud83d"}, html="{{ name }}", subject="{{ name }}")
    assert envelope.message.isascii()


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("words", ["{{ rank }}", "{% if rank %}{{ rank }}{% endif %}"])
def test_a_name_prints_the_value_of_the_key_behind_it(words: str, direct: bool) -> None:
    changes: dict[str, Any] = {"attributes": (*ATTRIBUTES, "rank"), "keys": {"rank": "note"}, "direct": direct}
    assert part(compose(values={"note": "gold", "rank": "lead"}, text=f"now {words}", **changes), "plain").startswith(
        "now gold"
    )
