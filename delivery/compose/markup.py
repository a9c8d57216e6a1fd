"""A scanner of HTML that says where things stand: tags, attributes' values and the text between them.

Follows the tokenisation of WHATWG HTML section 13.2.5 as far as mail needs it, in one pass over the text whatever it
holds: html.parser of the standard library takes quadratic time on unclosed markup (CVE-2025-6069) and doesn't say
where an attribute's value begins. Nothing is changed or judged here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Any other "<" is text.
_MARKUP = re.compile(r"<(?:([!?])|/?[A-Za-z])")
_NAME = re.compile(r"[^\s/>]*")
_SPACE = re.compile(r"[\s/]*")
_ATTRIBUTE = re.compile(r"([^\s/>=]+|=[^\s/>=]*)(\s*=\s*)?")
_BARE = re.compile(r"[^\s>]*")
_RAW_TEXT = frozenset({"script", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe"})


class Unclosed(ValueError):  # noqa: N818 - named by meaning
    """The text ends inside a tag; a browser would drop all from there on."""

    def __init__(self, start: int) -> None:
        super().__init__("a tag is not closed")
        self.start = start


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a tag; its value is `text[start:end]`, without quotes."""

    name: str
    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag `text[start:end]`; `closing` for `</a>`. Names are in lower case."""

    name: str
    closing: bool
    start: int
    end: int
    attributes: tuple[Attribute, ...]

    def get(self, name: str) -> Attribute | None:
        """Return the first attribute of that name: later ones do not count in HTML."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


@dataclass(frozen=True, slots=True)
class Run:
    """Character data `text[start:end]`; `raw` inside style, script and their like, where no entity counts."""

    start: int
    end: int
    raw: str = ""


def scan(text: str) -> Iterator[Tag | Run]:
    """Yield tags and runs of text in order. Comments and declarations are left out. Raises Unclosed."""
    at = 0
    while at < len(text):
        found = _MARKUP.search(text, at)
        opened = found.start() if found else len(text)
        if opened > at:
            yield Run(at, opened)
        if not found:
            return
        if found[1]:
            at = _end_of_comment(text, opened)
            continue
        tag = _tag(text, opened)
        yield tag
        at = tag.end
        if tag.name in _RAW_TEXT and not tag.closing:
            at = _end_of_raw(text, tag.name, tag.end)
            if at > tag.end:
                yield Run(tag.end, at, tag.name)


def _end_of_comment(text: str, opened: int) -> int:
    closer = "-->" if text.startswith("<!--", opened) else ">"
    end = text.find(closer, opened + (2 if closer == "-->" else 1))
    return len(text) if end < 0 else end + len(closer)


def _end_of_raw(text: str, name: str, at: int) -> int:
    found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, at)
    return found.start() if found else len(text)


def _tag(text: str, opened: int) -> Tag:
    """Return the tag that begins at `opened`; raise Unclosed where the text ends inside it."""
    closing = text[opened + 1] == "/"
    name = _NAME.match(text, opened + 1 + closing)
    assert name  # noqa: S101 - the pattern matches the empty text too
    attributes: list[Attribute] = []
    at = name.end()
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text):
            raise Unclosed(opened)
        if text[at] == ">":
            return Tag(name[0].lower(), closing, opened, at + 1, tuple(attributes))
        found = _ATTRIBUTE.match(text, at)
        assert found  # noqa: S101 - whatever is no space, slash or ">" begins an attribute
        at = found.end()
        start, quoted = at, False
        if found[2]:
            if text[at : at + 1] in {'"', "'"}:
                quoted, start = True, at + 1
                end = text.find(text[at], start)
                if end < 0:
                    raise Unclosed(opened)
                at = end + 1
            else:
                bare = _BARE.match(text, at)
                end = at = bare.end() if bare else at
        else:
            end = start
        attributes.append(Attribute(found[1].lower(), start, end, quoted))
