"""From content to compiled parts: parsed, links numbered, pixel, preheader and footer put in.

The one place where `check` and `compiled` meet, so that what was checked is what is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import nodes

from core.errors import Fault
from delivery.compose import footer
from delivery.compose.content import Content
from delivery.compose.errors import InvalidTemplate
from delivery.compose.inline import content_ids, embed
from delivery.compose.language import MAX_FAULTS, UNSUBSCRIBE_URL, parse
from delivery.compose.links import Links, link_hole, track_html, track_text
from delivery.compose.markup import Unclosed
from delivery.compose.plaintext import plain_text
from delivery.compose.render import ENVIRONMENTS, Kind, PartTemplate
from delivery.compose.tree import Skeleton, prints

OPEN, UNSUBSCRIBE, PREFERENCES, HONEYPOT, WEB, FIRST_LINK = 0, 1, 2, 3, 4, 5
"""Positions in the list of tokens that templates are rendered with; link n stands at FIRST_LINK + n."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """Compiled parts; `html` is None for a plain text mail. `links` are the tracked targets by number.

    `shown` are the names of the attachments that the HTML shows. `personal`: some links end with something of the
    reader, to be sealed once it is rendered.
    """

    subject: PartTemplate
    html: PartTemplate | None
    text: PartTemplate
    links: tuple[str, ...]
    shown: frozenset[str]
    personal: bool


def assemble(content: Content, *, tracker_url: str, personal: bool = True, direct: bool = True) -> Assembled:
    """Return the content's compiled parts; raise InvalidTemplate with every fault that shows without rendering.

    `personal=False` leaves links that end with something of the reader as they are.
    `direct=False` has all parts rendered by the sandbox, to the same outcome.
    """
    links = Links()
    trees = _Trees(content, links.faults)
    subject = trees.parsed("subject", content.subject, "/subject")
    if "\r" in content.subject or "\n" in content.subject:
        links.faults.append(Fault("/subject", "line_break", "a subject is one line"))
    html, shown = None, frozenset[str]()
    if content.html.strip():
        html, shown = _html(content, trees, links, tracker_url, personal=personal)
    text = _text(content, trees, links, tracker_url)
    names = {
        footer.OPEN_TOKEN: OPEN,
        footer.UNSUBSCRIBE_TOKEN: UNSUBSCRIBE,
        footer.PREFERENCES_TOKEN: PREFERENCES,
        footer.HONEYPOT_TOKEN: HONEYPOT,
    }
    names |= {link_hole(number): FIRST_LINK + number for number in links.urls.values()}
    if links.faults:
        raise InvalidTemplate(faults=links.faults[:MAX_FAULTS])
    return Assembled(
        subject=_compiled("subject", subject, names, content.keys, direct=direct),
        html=_compiled("html", html, names, content.keys, direct=direct) if html else None,
        text=_compiled("text", text, names, content.keys, direct=direct),
        links=tuple(links.urls),
        shown=shown,
        personal=links.personal and personal,
    )


class _Trees:
    """Parses templates, gathering faults: one that can't be parsed stands in as an empty one."""

    def __init__(self, content: Content, faults: list[Fault]) -> None:
        self._names = frozenset(content.attributes)
        self._faults = faults

    def parsed(self, kind: Kind, source: str, pointer: str) -> nodes.Template:
        try:
            return parse(ENVIRONMENTS[kind], source, self._names, pointer)
        except InvalidTemplate as error:
            self._faults.extend(error.faults)
            return nodes.Template([], lineno=1)

    def derived(self, html: str) -> nodes.Template:
        try:
            return parse(ENVIRONMENTS["text"], plain_text(html, ENVIRONMENTS["html"]), self._names, "/text")
        except (InvalidTemplate, Unclosed):
            detail = "no plain text can be made of this HTML: its conditions cut through the markup. Please write one"
            self._faults.append(Fault("/text", "not_derivable", detail))
            return nodes.Template([], lineno=1)


def _html(
    content: Content, trees: _Trees, links: Links, tracker_url: str, *, personal: bool
) -> tuple[nodes.Template, frozenset[str]]:
    preheader = trees.parsed("html", content.preheader, "/preheader")
    if any(not isinstance(statement, nodes.Output) for statement in preheader.body):
        links.faults.append(Fault("/preheader", "not_allowed", "a preheader prints values, without conditions"))
    tree = trees.parsed("html", content.html, "/html")
    skeleton = Skeleton(tree)
    track_html(skeleton, links, f"{tracker_url}/c/", track=content.track_clicks, personal=personal)
    if links.faults:
        return tree, frozenset()
    shown = embed(skeleton, content_ids(content), links.faults)
    if content.preheader.strip():
        at = footer.body_start(skeleton)
        skeleton.replace(at, at, footer.preheader(preheader))
    at = footer.body_end(skeleton)
    leaves = content.letter is not None or prints(tree, UNSUBSCRIBE_URL)
    links_out = [] if leaves else footer.html_footer(content.sender, tracker_url)
    opened = footer.pixel(f"{tracker_url}/o/") if content.track_opens else []
    hidden = footer.honeypot(f"{tracker_url}/c/") if content.honeypot else []
    skeleton.replace(at, at, [*links_out, *opened, *hidden])
    return skeleton.apply(), shown


def _text(content: Content, trees: _Trees, links: Links, tracker_url: str) -> nodes.Template:
    if content.text.strip() or not content.html.strip():
        tree = trees.parsed("text", content.text, "/text")
    elif links.faults:
        return nodes.Template([], lineno=1)
    else:
        tree = trees.derived(content.html)
    skeleton = Skeleton(tree)
    if content.track_clicks:
        track_text(skeleton, links, f"{tracker_url}/c/")
    if content.letter is None and not prints(tree, UNSUBSCRIBE_URL):
        at = len(skeleton.text)
        skeleton.replace(at, at, footer.text_footer(content.sender, tracker_url))
    return skeleton.apply()


def _compiled(
    kind: Kind, tree: nodes.Template, tokens: Mapping[str, int], keys: Mapping[str, str], *, direct: bool
) -> PartTemplate:
    try:
        return PartTemplate(kind, tree, tokens, keys, direct=direct)
    except (SyntaxError, RecursionError, MemoryError):
        # Python's own limits on nesting, met by the code that Jinja2 makes of a template.
        raise InvalidTemplate(faults=[Fault(f"/{kind}", "too_complex", "nested too deep")]) from None
