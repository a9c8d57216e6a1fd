"""What is wrong with content is said before it is scheduled: all of it, with lines, in bounded time and memory."""

import tracemalloc
from typing import Any

import pytest

from delivery.compose.check import CheckedContent, check
from delivery.compose.errors import InvalidTemplate, RenderFailed
from tests.support.mails import compose, content


def _codes_of_text(text: str) -> set[tuple[str, str]]:
    return _codes(text=text, subject=" ")


def _codes(samples: list[dict[str, Any]] | None = None, **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(InvalidTemplate) as refused:
        check(content(**changes), samples=samples or [])
    return {(fault.pointer, fault.code) for fault in refused.value.faults}


def _details(**changes: Any) -> str:
    with pytest.raises(InvalidTemplate) as refused:
        check(content(**changes), samples=[])
    return " ".join(fault.detail for fault in refused.value.faults)


def test_good_content_gives_its_links_and_a_preview_of_each_sample() -> None:
    checked = check(
        content(subject="{{ name }}様", html='<a href="https://a.jp/">{{ name }}</a>', text=""),
        samples=[{"name": "太郎"}, {"name": "花子"}],
    )
    assert isinstance(checked, CheckedContent)
    assert checked.links == ("https://a.jp/",)
    assert [preview.subject for preview in checked.previews] == ["太郎様", "花子様"]
    assert "花子 <https://" in checked.previews[1].text


def test_a_syntax_error_names_its_line() -> None:
    assert "line 3" in _details(html="a\nb\n{% if %}")
    assert _codes(html="{{ name") == {("/html", "syntax")}


def test_every_fault_is_named_at_once() -> None:
    assert _codes(
        subject="{{ nmae }}",
        html="{{ points.real }}{{ unknown }}{{ name|pprint }}<a href='javascript:x'>",
        text="{% for %}",
        preheader="{% if name %}x{% endif %}",
        sender_postal_address=" ",
        sender_contact="",
        sender_address="nobody",
    ) == {
        ("/subject", "unknown_name"),
        ("/html", "unknown_attribute"),
        ("/html", "unknown_name"),
        ("/html", "unknown_filter"),
        ("/text", "syntax"),
        ("/preheader", "not_allowed"),
        ("/sender/postal_address", "missing"),
        ("/sender/contact", "missing"),
        ("/sender/address", "address"),
    }


def test_an_unknown_name_is_named() -> None:
    assert "'nmae'" in _details(html="{% if nmae is defined %}x{% endif %}")
    assert "'t'" in _details(html="{% for t in tags %}{% endfor %}{{ t }}")


@pytest.mark.parametrize("subject", ["a\r\nBcc: x", "a\nb", "a\rb"])
def test_a_line_break_in_a_subject_is_refused(subject: str) -> None:
    assert _codes(subject=subject) == {("/subject", "line_break")}


def test_an_empty_subject_or_mail_is_refused() -> None:
    assert _codes(subject=" ", html="", text="") == {("/subject", "empty"), ("/html", "empty")}


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "JavaScript:x",
        "data:text/html,x",
        "ftp://a.jp",
        "/relative",
        "www.a.jp",
        "&#106;avascript:x",
    ],
)
def test_links_of_other_schemes_are_refused(href: str) -> None:
    assert _codes(html=f'<a href="{href}">x</a>') == {("/html", "link_scheme")}


def test_a_value_that_makes_an_unsafe_link_is_refused() -> None:
    assert _codes([{"note": "javascript:x"}], html='<a href="{{ note }}">x</a>') == {("/html", "link_scheme")}


@pytest.mark.parametrize(
    "html", ["<p class={{ name }}>x</p>", "<p {{ name }}>x</p>", "<{{ name }}>", "<script>{{ name }}</script>"]
)
def test_a_value_where_escaping_does_not_protect_is_refused(html: str) -> None:
    assert _codes(html=html) == {("/html", "unsafe_hole")}


def test_a_tag_that_is_not_closed_is_refused() -> None:
    assert _codes(html='<p>x</p>\n<a href="https://a.jp>x</a>') == {("/html", "markup")}


def test_what_fails_for_a_member_without_values_is_found() -> None:
    assert _codes(html="{% if points > 5 %}x{% endif %}") == {("/html", "wrong_type")}
    check(content(html="{% if points and points > 5 %}x{% endif %}"), samples=[{"points": 6}])


def test_what_fails_for_a_sample_is_found() -> None:
    assert _codes([{"points": 0}], html="{% if points is number %}{{ 1 / points }}{% endif %}") == {
        ("/html", "division_by_zero")
    }


def test_an_unsubscribe_link_that_not_everyone_is_shown_is_refused() -> None:
    html = "{% if points %}{{ unsubscribe_url }}{% endif %}"
    assert _codes([{"points": 1}], html=html) == {("/html", "no_unsubscribe_link")}


@pytest.mark.parametrize("domain", ["", "a b", "a\r\nb", "-"])
def test_a_sender_domain_that_is_none_is_refused(domain: str) -> None:
    assert _codes(sender_domain=domain) == {("/sender/domain", "address")}


def test_html_whose_conditions_cut_through_markup_needs_a_text() -> None:
    html = "<p>{% if points %}<style>{% endif %}p{}</style>x</p>"
    assert ("/text", "not_derivable") in _codes(html=html, text="")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__class__ }}",
        "{{ name['__class__'] }}",
        "{{ name|attr('__class__') }}",
        "{{ self }}",
        "{{ self.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ '{0}'.format_map({}) }}",
        "{{ '%s'|format(name) }}",
        "{{ name|map('upper')|list }}",
        "{{ name|safe }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ range(3) }}",
        "{{ dict(a=1) }}",
        "{{ joiner() }}",
        "{{ namespace() }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% macro m() %}{% endmacro %}",
        "{% call m() %}{% endcall %}",
        "{% filter upper %}{% endfilter %}",
        "{% with a=1 %}{% endwith %}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{% set ns.x = 1 %}",
        "{% set x %}a{% endset %}",
        "{% set _budget = 1 %}",
        "{{ _budget }}",
        "{{ _open }}",
        "{{ name|_iterate(1) }}",
        "{{ loop }}",
        "{% for x in tags %}{{ loop }}{% endfor %}",
        "{% for x in tags recursive %}{{ loop(x) }}{% endfor %}",
        "{% for x in tags %}{{ loop.cycle('a') }}{% endfor %}",
        "{% set unsubscribe_url = 'https://evil.jp' %}",
        "{{ name[1:5] }}",
        "{{ {'a': 1} }}",
        "{{ 2 ** 5 }}",
        "{{ name.upper }}",
        "{{ (name.upper)() }}{{ name.encode() }}",
        "{{ name.upper(*tags) }}",
        "{% for a, b in tags %}{% endfor %}",
    ],
)
def test_what_is_not_part_of_the_language_is_refused(source: str) -> None:
    codes = _codes(html=source)
    assert {pointer for pointer, _ in codes} == {"/html"}
    with pytest.raises(InvalidTemplate):
        compose(html=source)


BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 1000000000 * 'a' }}",
    "{{ [1] * 1000000000 }}",
    "{{ 9**9**9 }}",
    "{{ 999999999999999 * 999999999999999 }}",
    "{% set a = 999999999 * 999999 %}{{ a * a * a }}",
    "{{ 1" + "0" * 5000 + " }}",
    "{{ 1e308 * 10 }}",
    "{{ '%1000000000d' % 5 }}",
    "{{ '{:1000000000}'.format('x') }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ 'x'|indent(1000000000) }}",
    "{{ 'x'.replace('', 'y' * 100000000) }}",
    "{{ birthday.strftime('%1000000000d') }}",
    "{% set a = 'aaaaaaaaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaaaaaaaa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaaaaaaaa' %}" + "{% set a = a|replace('a', 'aa') %}" * 40 + "{{ a }}",
    "{% set a = ['a'] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaaaaaaaa' %}" + "{% set a = [a, a, a, a]|join %}" * 20 + "{{ a }}",
    "{% set l = '"
    + "a" * 1000
    + "' %}{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% set l = '" + "a" * 16000 + "' %}{% for a in l %}{{ l }}{% endfor %}",
    "{% for a in name.upper() %}" * 30 + "{% endfor %}" * 30,
    "{% if name %}" * 200 + "{% endif %}" * 200,
    "{{ " + "(" * 5000 + "name" + ")" * 5000 + " }}",
    "{{ " + "not " * 5000 + "name }}",
    "{{ " + "-" * 5000 + "5 }}",
    "{{ name" + "|upper" * 5000 + " }}",
    "{{ 1" + " + 1" * 5000 + " }}",
    "{{ 'a'" + " ~ 'a'" * 10_500 + " }}",
    "{{ name" + "[0]" * 5000 + " }}",
    "{% if name %}a" + "{% elif name %}b" * 3500 + "{% endif %}",
    "{{ name }}" * 11_000,
    "x" * 600_000,
    "<a " * 50_000,
    "<!--" * 100_000 + "{{ nmae }}",
    "<a href='" * 20_000,
    "{{ '" * 50_000,
    "{#" * 100_000,
    "\ud800",
    "\0",
    "{% raw %}" + "{{ " * 50_000 + "{% endraw %}<a href='x:y'>",
    "<a href='x:y'>" + "<td>" * 50_000,
    "<a href='x:y'>" * 5_000 + "</a>" * 5_000,
    "https://a.jp/" + ")" * 400_000 + "<a href='x:y'>",
    "<" * 100_000 + "<a href='x:y'>",
]


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_in_a_typed_fault_without_memory(source: str) -> None:
    tracemalloc.start()
    try:
        codes = _codes(html=source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert {pointer for pointer, _ in codes} <= {"/html", "/text"}
    # No bound on time is asserted: a bomb that went off would take minutes or the machine's memory.
    assert peak < 100 * 2**20


@pytest.mark.parametrize(
    "html",
    [
        "{% raw %}" + "{{ " * 3_000 + "{% endraw %}",
        "<td>" * 20_000,
        "<a href='https://a.jp'>" * 5_000 + "</a>" * 5_000,
    ],
)
def test_a_text_is_made_from_odd_html_in_one_pass(html: str) -> None:
    check(content(html=html, text=""), samples=[])


@pytest.mark.parametrize("text", ["https://a.jp/" + ")" * 400_000, "https://a.jp " * 20_000, "https://" * 20_000])
def test_odd_addresses_in_a_text_are_read_in_one_pass(text: str) -> None:
    assert _codes_of_text(text) == {("/subject", "empty")}


@pytest.mark.parametrize(
    ("html", "values"),
    [
        ("{% for a in note %}{% for b in note %}x{% endfor %}{% endfor %}", {"note": "a" * 16_000}),
        ("{% for a in tags %}{{ note }}{% endfor %}", {"tags": ["x"] * 100, "note": "a" * 16_000}),
        ("{% for a in tags %}{{ a }}{% endfor %}", {"tags": ["x"] * 100_000}),
        ("{{ points * points }}", {"points": 10**14}),
        ("{% if note %}{{ note ~ note }}{% endif %}", {"note": "a" * 16_000}),
    ],
)
def test_values_that_make_a_template_explode_fail_that_message_alone(html: str, values: dict[str, Any]) -> None:
    with pytest.raises(RenderFailed):
        compose(
            html=html.replace("{{ points * points }}", "{% if points %}{{ points * points }}{% endif %}"), values=values
        )
    compose(html="{{ name }}", values={"name": "next"})
