"""Which links of a template are tracked: found at compile time, numbered, replaced by a hole for a token.

Tracked are constant http(s) links: `<a href>` and `<area href>` in HTML, plain addresses in text. They are numbered
from 0 in the order in which they first appear, HTML before text; the same address has one number.

A link of HTML whose address is constant as far as its path, and computed from there on, is tracked as well: its number
leads to the constant part, and the rest is sealed behind the token of each mail (personal.py). In text such a link
stays as it is, for lines of text must not grow so long; so does one whose host is computed, for what it leads to isn't
known, and links inside comments (Outlook's conditional ones too) and `mailto:`, `tel:` and `#anchor`.
"""

import re
from collections.abc import Iterator
from html import unescape

from core.errors import Fault
from core.tokens import MAX_LINKS, PERSONAL
from delivery.compose.markup import Run, Tag, Unclosed, scan
from delivery.compose.personal import MARK
from delivery.compose.tree import HOLE, SEAM, Skeleton, constant, hole

_SCHEMES = ("http://", "https://", "mailto:", "tel:")
_TRACKED = ("http://", "https://")
_FIXED = re.compile(rf"https?://[^/?#\s{HOLE}{SEAM}]+[/?#][^{HOLE}{SEAM}]*", re.IGNORECASE)
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_IN_TEXT = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{1,2048}", re.IGNORECASE)
_CONTINUES = re.compile(rf"{SEAM}*[{HOLE}A-Za-z0-9\-_~/?#@$&*+=%]")
_OPENED = re.compile(f"</?{SEAM}*{HOLE}")
_CLOSERS = {")": "(", "]": "["}
MAX_URL = 2_048


class Links:
    """The tracked links of one content, numbered as they are met."""

    def __init__(self) -> None:
        self.urls: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.personal = False
        """Whether there are some with a part of the reader's own."""

    def number(self, url: str, pointer: str) -> int:
        """Return the number of this link, a new one if it wasn't met before."""
        if url not in self.urls and len(self.urls) == MAX_LINKS:
            self.faults.append(Fault(pointer, "too_many_links", f"more than {MAX_LINKS} different links"))
        return self.urls.setdefault(url, len(self.urls))


def link_hole(number: int) -> str:
    """Return the name by which a render knows the token of link `number`."""
    return f"_link{number}"


def track_html(skeleton: Skeleton, links: Links, prefix: str, *, track: bool, personal: bool = True) -> None:
    """Replace the links of an HTML template by `prefix` and a hole; note every fault of links and markup.

    `personal=False` only numbers the links with something computed in them, and leaves them as they are.
    """
    try:
        for tag in scan(skeleton.text):
            _refuse_unsafe_holes(skeleton, tag, links.faults)
            if isinstance(tag, Run) or tag.closing:
                continue
            href = tag.get("href") if tag.name in {"a", "area"} else None
            if href is None:
                continue
            url = unescape(skeleton.text[href.start : href.end]).strip()
            _judge(url, skeleton.line(href.start), "/html", links.faults)
            if not track or not url.lower().startswith(_TRACKED):
                continue
            computed = min((at for at in (url.find(HOLE), url.find(SEAM)) if at >= 0), default=-1)
            if computed < 0:
                name = link_hole(links.number(url, "/html"))
                skeleton.replace(href.start, href.end, [constant(prefix), hole(name)])
            elif (fixed := _FIXED.match(url)) is not None:
                links.personal = True
                name = link_hole(links.number(fixed[0] + PERSONAL, "/html"))
                if personal:
                    source = skeleton.text[href.start : href.end]
                    ends = href.start + min(at for at in (source.find(HOLE), source.find(SEAM)) if at >= 0)
                    skeleton.replace(href.start, ends, [constant(prefix), hole(name), constant(MARK)])
                    skeleton.replace(href.end, href.end, [constant(MARK)])
    except Unclosed as unclosed:
        line = skeleton.line(unclosed.start)
        links.faults.append(Fault("/html", "markup", f"line {line}: a tag is not closed"))


def track_text(skeleton: Skeleton, links: Links, prefix: str) -> None:
    """Replace the addresses in a text template by `prefix` and a hole."""
    for start, end in addresses(skeleton.text):
        before = start - 1
        while before >= 0 and skeleton.text[before] == SEAM:
            before -= 1
        if _CONTINUES.match(skeleton.text, end) or (before >= 0 and skeleton.text[before] == HOLE):
            continue
        name = link_hole(links.number(skeleton.text[start:end], "/text"))
        skeleton.replace(start, end, [constant(prefix), hole(name)])


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where http(s) addresses stand in plain text, without the punctuation that ends a sentence."""
    for found in _IN_TEXT.finditer(text):
        url = found[0]
        while url[-1] in ".,;:!?'" or (url[-1] in _CLOSERS and url.count(url[-1]) > url.count(_CLOSERS[url[-1]])):
            url = url[:-1]
        yield found.start(), found.start() + len(url)


def unsafe_links(html: str) -> Iterator[str]:
    """Yield what is wrong with the links of finished HTML: their schemes, never their text."""
    found: list[Fault] = []
    for tag in scan(html):
        if isinstance(tag, Tag) and tag.name in {"a", "area"} and (href := tag.get("href")):
            _judge(unescape(html[href.start : href.end]).strip(), 0, "/html", found)
    yield from {fault.code for fault in found}


def _judge(url: str, line: int, pointer: str, faults: list[Fault]) -> None:
    if len(url) > MAX_URL:
        faults.append(Fault(pointer, "link_too_long", f"line {line}: a link has more than {MAX_URL} characters"))
    if url.startswith((HOLE, SEAM, "#")) or url.lower().startswith(_SCHEMES) or not url:
        return
    if HOLE in url.partition(":")[0] and not _HAS_SCHEME.match(url):
        return
    faults.append(Fault(pointer, "link_scheme", f"line {line}: a link must be http, https, mailto or tel"))


def _refuse_unsafe_holes(skeleton: Skeleton, part: Tag | Run, faults: list[Fault]) -> None:
    """Escaping protects text and quoted values; a member's value elsewhere could add markup of its own."""
    if skeleton.text.find(HOLE, part.start, part.end) < 0:
        return
    if isinstance(part, Run):
        unsafe = part.raw == "script" or _OPENED.search(skeleton.text, part.start, part.end) is not None
    else:
        quoted = sum(skeleton.text.count(HOLE, a.start, a.end) for a in part.attributes if a.quoted)
        unsafe = skeleton.text.count(HOLE, part.start, part.end) > quoted
    if unsafe:
        line = skeleton.line(part.start)
        faults.append(Fault("/html", "unsafe_hole", f"line {line}: a value may stand in text or in quotes only"))
