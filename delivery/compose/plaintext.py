"""A plain text made from HTML, for content that comes without one. Template tags pass through in their places.

Works on the source: each tag of the template stands in for itself as one private character sequence while the HTML
around it is read, so that a condition around a paragraph stays around that paragraph's text.
"""

import re
from collections.abc import Iterator
from html import unescape

from jinja2 import Environment

from delivery.compose.markup import Tag, scan

_STAND_IN = re.compile("[\ufdd2\ufdd4]([0-9]+)\ufdd3")
_SILENT = re.compile("\ufdd4[0-9]+\ufdd3")
"""What stands in for a tag that prints nothing itself: the lines around it close up as if it weren't there."""

_PRINTED, _CONTROL = "\ufdd2", "\ufdd4"
_OPENER = re.compile("\\{(?=[{%#\ufdd2])")
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre"})
_BLOCKS = _SPACED | frozenset(
    {"address", "article", "aside", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form", "header"}
    | {"hr", "li", "main", "nav", "section", "tbody", "thead", "tr"}
)
_OPENED_BY = {"li": "- ", "hr": "-" * 40}


def plain_text(html: str, environment: Environment) -> str:
    """Return a text template that says what the HTML template says; links stand in angle brackets (RFC 3986 app. C).

    `html` is a template that `environment` can parse. Raises markup.Unclosed.
    """
    tags: list[str] = []
    text = _read("".join(_stood_in_for(html, environment, tags)))
    # Braces that were entities in the HTML would become template tags here.
    text = _OPENER.sub("{{ '{' }}", text)
    return _STAND_IN.sub(lambda found: tags[int(found[1])], text)


def _stood_in_for(html: str, environment: Environment, tags: list[str]) -> Iterator[str]:
    """Yield the HTML with a stand-in for each tag of the template, which is put into `tags`."""
    tag: list[str] = []
    for _, kind, value in environment.lex(html):
        if kind == "data":
            yield value
        elif not kind.startswith(("comment", "raw")):
            tag.append(value)
        if kind in {"variable_end", "block_end"}:
            tags.append("".join(tag))
            tag.clear()
            yield f"{_PRINTED if kind == 'variable_end' else _CONTROL}{len(tags) - 1}\ufdd3"


def _read(html: str) -> str:
    out = _Lines()
    links: list[tuple[str, int]] = []
    for part in scan(html):
        if isinstance(part, Tag):
            _read_tag(html, part, out, links)
        elif not part.raw:
            out.write(unescape(html[part.start : part.end]))
    return out.text()


def _read_tag(html: str, tag: Tag, out: "_Lines", links: list[tuple[str, int]]) -> None:
    if tag.name == "a" and not tag.closing:
        href = _value(html, tag, "href")
        # Links don't nest: one that opens ends the one before.
        links[:] = [("" if href.startswith(("#", "mailto:", "tel:")) else href, out.mark())]
    elif tag.name == "a" and links:
        href, mark = links.pop()
        if href and out.since(mark).strip() != href:
            out.write(f" <{href}>")
    elif tag.name == "img":
        out.write(_value(html, tag, "alt"))
    elif tag.name in {"td", "th"}:
        out.write("" if tag.closing else " ")
    elif tag.name == "br":
        out.hard_line()
    elif tag.name in _BLOCKS:
        out.line(blank=tag.name in _SPACED)
        out.write(_OPENED_BY.get(tag.name, "") if not tag.closing else "")


def _value(html: str, tag: Tag, name: str) -> str:
    attribute = tag.get(name)
    return unescape(html[attribute.start : attribute.end]).strip() if attribute else ""


class _Lines:
    """Text as a browser would flow it: runs of ASCII white space are one space, blocks begin on new lines."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._due = 0
        self._begun = False

    def write(self, text: str) -> None:
        at = 0
        for silent in _SILENT.finditer(text):
            self._write(text[at : silent.start()])
            self._parts.append(silent[0])
            at = silent.end()
        self._write(text[at:])

    def line(self, *, blank: bool = False) -> None:
        """Begin a new line before what comes next, after an empty one if `blank`."""
        self._due = max(self._due, 1 + blank)

    def hard_line(self) -> None:
        self._due = min(self._due + 1, 2)

    def mark(self) -> int:
        return len(self._parts)

    def since(self, mark: int) -> str:
        return "".join(self._parts[mark:])

    def text(self) -> str:
        text = re.sub(r" *\n *", "\n", "".join(self._parts))
        return re.sub(r" {2,}", " ", text).strip() + "\n"

    def _write(self, text: str) -> None:
        flowed = re.sub(r"[ \t\r\n\f]+", " ", text)
        if flowed.strip(" "):
            self._parts.append("\n" * (self._due if self._begun else 0) + flowed)
            self._begun, self._due = True, 0
        elif flowed and not self._due and not (self._parts and self._parts[-1].endswith(" ")):
            self._parts.append(flowed)
