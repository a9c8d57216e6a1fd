"""Bodies: what a reader sees, how it travels, what is tracked in it."""

import re
from html import unescape

import pytest

from core.tokens import SLOT_LINK, SLOT_OPEN, SLOT_PREFERENCES, SLOT_UNSUBSCRIBE
from delivery.compose.content import Content
from delivery.compose.mime import Body
from delivery.compose.plaintext import plain_text
from delivery.compose.render import ENVIRONMENTS
from tests.support.mails import RUN, SIGNER, compiled, compose, content, part, read

PAGE = "<html><body>{}</body></html>"


def _slots(text: str, kind: str) -> list[int]:
    return [SIGNER.open(token).slot for token in re.findall(rf"https://t\.example\.jp/{kind}/([\w-]{{48}})", text)]


def test_text_and_html_read_as_they_were_written() -> None:
    envelope = compose(
        html=PAGE.format("<p>髙 ① ㈱ 😀 {{ name }}</p>{{ unsubscribe_url }}"),
        text="髙 ① ㈱ 😀 {{ name }}\n{{ unsubscribe_url }}",
        values={"name": "<b>太郎 & 花子"},
        track_opens=False,
    )
    url = f"https://t.example.jp/u/{SIGNER.mint(RUN, 7, [1])[0]}"
    assert part(envelope, "html") == PAGE.format(f"<p>髙 ① ㈱ 😀 &lt;b&gt;太郎 &amp; 花子</p>{url}")
    assert part(envelope, "plain") == f"髙 ① ㈱ 😀 <b>太郎 & 花子\n{url}"
    assert read(envelope).get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in read(envelope).iter_parts()] == ["text/plain", "text/html"]


def test_a_content_without_html_is_a_plain_text_mail() -> None:
    message = read(compose(html="", text="Hello {{ name }}\n{{ unsubscribe_url }}\n", values={"name": "Taro"}))
    assert message.get_content_type() == "text/plain"
    assert message["Content-Transfer-Encoding"] == "7bit"
    assert message.get_content().startswith("Hello Taro\r\n")


@pytest.mark.parametrize(
    ("value", "encoding"), [("Taro", "7bit"), ("太郎", "base64"), ("x" * 2000, "base64"), ("\0", "base64")]
)
def test_ascii_in_short_lines_travels_as_7bit_and_all_else_as_base64(value: str, encoding: str) -> None:
    envelope = compose(
        text="{{ note }}\n{{ unsubscribe_url }}\n", html="<p>a</p>{{ unsubscribe_url }}", values={"note": value}
    )
    plain = next(iter(read(envelope).iter_parts()))
    assert plain["Content-Transfer-Encoding"] == encoding
    assert part(envelope, "plain").splitlines()[0] == value


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb"])
def test_no_bare_line_end_of_a_value_gets_into_a_message(value: str) -> None:
    for html in (PAGE.format("{{ note }}"), PAGE.format("{% if note %}{{ note }}{% endif %}")):
        message = compose(html=html, text="{{ note }}", values={"note": value}).message
        bare = message.replace(b"\r\n", b"")
        assert b"\r" not in bare
        assert b"\n" not in bare


def test_a_boundary_that_a_value_holds_makes_that_part_base64() -> None:
    body = Body(b"seed", has_html=True)
    content_type = body.content_type()
    assert content_type
    boundary = content_type.partition(b'"')[2][:-1]
    assert body.encode(b"a\r\n--" + boundary + b"\r\n")[0] == b"base64"
    assert body.encode(b"a\r\n")[0] == b"7bit"


def test_the_boundary_is_one_for_all_messages_of_a_content() -> None:
    kinds = {read(compose(values={"name": name}))["Content-Type"] for name in "ab"}
    assert len(kinds) == 1
    assert read(compose(subject="another"))["Content-Type"] not in kinds


def test_links_are_numbered_as_they_first_appear_and_one_address_has_one_number() -> None:
    html = (
        '<a href="https://a.jp/?x=1&amp;y=2">1</a><A class="c" HREF = \'https://b.jp/\'>2</A>'
        '<a href=https://c.jp/>3</a><a title="href=\'https://no.jp\'" href="https://a.jp/?x=1&amp;y=2">1 again</a>'
    )
    made = compiled(html=PAGE.format(html), text="https://b.jp/ と https://d.jp/x。(https://e.jp/y)")
    assert made.links == ("https://a.jp/?x=1&y=2", "https://b.jp/", "https://c.jp/", "https://d.jp/x", "https://e.jp/y")
    envelope = compose(html=PAGE.format(html), text="https://b.jp/ と https://d.jp/x。(https://e.jp/y)")
    assert _slots(part(envelope, "html"), "c") == [SLOT_LINK + n for n in (0, 1, 2, 0)]
    assert _slots(part(envelope, "plain"), "c") == [SLOT_LINK + n for n in (1, 3, 4)]
    assert re.search(r"/c/[\w-]{48}。\(https://t\.example\.jp/c/[\w-]{48}\)", part(envelope, "plain"))


def test_nothing_but_links_is_touched() -> None:
    untouched = (
        '<!-- <a href="https://in.comment/"> --><!--[if mso]><v:rect href="https://vml.jp/"/><![endif]-->'
        '<link href="https://css.jp/x.css"><img src="https://img.jp/a.png"><a name="https://name.jp/">x</a>'
        '<a href="mailto:a@b.jp">m</a><a href="tel:0312345678">t</a><a href="#top">#</a>'
        '<a href="https://x{{ points }}.jp/?n=1">hole</a><style>a[href="https://style.jp/"]{color:red}</style> 1 < 2'
    )
    source = untouched + "{{ unsubscribe_url }}"
    envelope = compose(html=source, track_opens=False, values={"points": 5})
    shown = part(envelope, "html")
    assert shown.partition("https://t.example.jp")[0] == untouched.replace("{{ points }}", "5")


def test_links_stay_as_they_are_where_clicks_are_not_tracked() -> None:
    envelope = compose(html='<a href="https://a.jp/">1</a>', text="https://a.jp/", track_clicks=False)
    assert 'href="https://a.jp/"' in part(envelope, "html")
    assert "https://a.jp/" in part(envelope, "plain")


def test_links_within_conditions_and_loops_are_tracked_too() -> None:
    html = (
        "{% if points %}<a href='https://a.jp/'>a</a>{% else %}<a href='https://b.jp/'>b</a>{% endif %}"
        "{% for t in tags %}<a href='https://c.jp/'>{{ t }}</a>{% endfor %}"
        "{% raw %}<a href='https://d.jp/'>{{ raw }}</a>{% endraw %}"
    )
    envelope = compose(html=html, text="x", values={"points": 1, "tags": ["p", "q"]})
    assert _slots(part(envelope, "html"), "c") == [SLOT_LINK, SLOT_LINK + 2, SLOT_LINK + 2, SLOT_LINK + 3]
    assert "{{ raw }}" in part(envelope, "html")


def test_an_address_in_text_that_goes_on_with_a_value_stays_direct() -> None:
    made = compiled(text="https://a.jp/{{ points }} {{ note }}https://b.jp/ https://c.jp/{% if points %} x{% endif %}")
    assert made.links == ("https://c.jp/",)


@pytest.mark.parametrize(
    ("html", "place"),
    [
        (PAGE.format("<p>x</p>"), r"</div><img [^>]*></body></html>"),
        ("<p>x</p>", r"</div><img [^>]*>$"),
        ("{{ name }}", r"</div><img [^>]*>$"),
        ("<p>x</p>{% if points %}a{% endif %}", r"</div><img [^>]*>$"),
    ],
)
def test_the_pixel_stands_at_the_end_of_the_body(html: str, place: str) -> None:
    shown = part(compose(html=html), "html")
    assert re.search(place, shown)
    assert _slots(shown, "o") == [SLOT_OPEN]


def test_there_is_no_pixel_unless_opens_are_tracked() -> None:
    assert "<img" not in part(compose(track_opens=False), "html")


def test_a_mail_without_an_unsubscribe_link_gets_the_footer_in_both_parts() -> None:
    envelope = compose(sender_name="A & B")
    for kind in ("plain", "html"):
        shown = part(envelope, kind)
        assert _slots(shown, "u") == [SLOT_UNSUBSCRIBE]
        assert _slots(shown, "p") == [SLOT_PREFERENCES]
        for said in ("A & B", "東京都千代田区1-1", "03-0000-0000", "配信停止", "Unsubscribe"):
            assert said in unescape(shown)


def test_a_template_puts_the_link_to_the_choices_where_it_likes() -> None:
    own = "{{ preferences_url }} {{ unsubscribe_url }}"
    envelope = compose(html=f"<p>{own}</p>", text=own)
    for kind in ("plain", "html"):
        assert _slots(part(envelope, kind), "p") == [SLOT_PREFERENCES]


def test_a_mail_with_an_unsubscribe_link_gets_no_footer() -> None:
    envelope = compose(html='<a href="{{ unsubscribe_url }}">bye</a>', text="bye: {{ unsubscribe_url }}")
    for kind in ("plain", "html"):
        assert _slots(part(envelope, kind), "u") == [SLOT_UNSUBSCRIBE]
        assert "東京都" not in part(envelope, kind)


@pytest.mark.parametrize(
    "html",
    [
        PAGE.format("<p>x</p>"),
        "<p>x</p>",
        "{{ note }}<p>x</p>",
        "<!doctype html><html><head><title>t</title></head><p>x</p>",
    ],
)
def test_the_preheader_is_the_first_thing_in_the_body_and_hidden(html: str) -> None:
    shown = part(compose(html=html, preheader="{{ name }} 様だけに <3", values={"name": "太郎"}), "html")
    assert re.search(r'(^|<body>|</head>)<div style="display:none[^>]*>太郎 様だけに <3</div>', shown)


def test_a_missing_text_is_made_from_the_html() -> None:
    html = PAGE.format(
        "<style>p{}</style><h1>冬の&amp;セール</h1><p>{{ name }} 様<br>こんにちは</p><ul><li>一</li><li>二</li></ul>"
        '{% if points %}<p>ポイント: {{ points }}</p>{% endif %}<a href="https://a.jp/">見る</a>'
        '<img src="x" alt="絵"><hr>&#123;&#123; 5 }} <a href="{{ unsubscribe_url }}">解除</a>'
    )
    envelope = compose(html=html, text="", values={"name": "太郎", "points": 3})
    shown = part(envelope, "plain")
    assert shown.startswith(
        "冬の&セール\n\n太郎 様\nこんにちは\n\n- 一\n- 二\n\nポイント: 3\n\n見る <https://t.example.jp/c/"
    )
    assert "{{ 5 }}" in shown
    assert _slots(shown, "c") == [SLOT_LINK]
    assert _slots(shown, "u") == [SLOT_UNSUBSCRIBE]
    assert "ポイント" not in part(compose(html=html, text=""), "plain")


def test_a_link_whose_text_is_its_address_is_said_once() -> None:
    assert plain_text('<a href="https://a.jp/">https://a.jp/</a>', ENVIRONMENTS["html"]) == "https://a.jp/\n"


def test_tags_of_the_template_stay_around_what_they_stood_around() -> None:
    html = (
        "<p>{% if name == 'N' %}a}}{% endif %}</p>{# no #}{% raw %}{{ x }} <b>{% b %}</b>{% endraw %}"
        "<table><tr>{% for t in tags %}<td>{{ t }}</td>{% endfor %}</tr></table>{ {{- name -}} }"
    )
    envelope = compose(html=html, text="", values={"name": "N", "tags": ["p", "q"]})
    assert part(envelope, "plain").startswith("a}}\n\n{{ x }} {% b %}\n\np\n\nq\n\n{N}")


def test_content_survives_its_json() -> None:
    frozen = content(html="<p>髙</p>")
    assert Content.from_json(frozen.to_json()) == frozen
