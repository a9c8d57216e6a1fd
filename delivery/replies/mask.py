"""Takes everything that may be an address out of a receiver's text, before it is logged, stored or shown."""

import html
import re
import unicodedata
from urllib.parse import unquote

from delivery.replies.reply import shortened

MASKED_LIMIT = 200
_READ_LIMIT = 4_000
_MASK = "[address]"

_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,256}" ?@')
_ANGLED = re.compile(r"<[^<>]*>?")
_SPACED_AT = re.compile(r" ?(?:@|\(at\)|\[at\]) ?", re.IGNORECASE)
# "@" as percent-encoding, xtext (RFC 3461 section 4), quoted-printable, HTML entity; then the percent hack and VERP,
# which hold a local part and a domain without any "@".
_MARK = re.compile(
    r"@|%(?:25)*40|[+=]40|&#0*64;|&#x0*40;|&commat;|[^\s%]%[^\s%]*\.[^\s%]|[^\s=/?&]=[^\s=/?&]+\.[a-z0-9-]{2,}",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"[+=](?=[0-9a-f]{2})", re.IGNORECASE)
_NOT_IN_WORDS = re.compile(r"[^a-z0-9]+")
_NOT_IN_HOSTS = re.compile(r"[^\w.-]+")
_SHORT = 4
"""Up to this length a local part counts only as a word of its own: it is in too many others."""


def scrub(text: str) -> str:
    """`text` with control characters as spaces and every word that may hold an address as `[address]`.

    Eager on purpose: quoted local parts, anything in angle brackets, encoded forms of "@", VERP. At most 4,000
    characters are read; a word that this cut in two is dropped, since its tell-tale part may be what is missing.
    """
    text = _plain(text)
    text = _ANGLED.sub(f" {_MASK} ", _QUOTED_LOCAL.sub("@", text))
    text = _SPACED_AT.sub("@", text)
    return " ".join(_MASK if _MARK.search(word) else word for word in text.split())


def mask(text: str, *, recipient: str = "") -> str:
    """`scrub`, and where `recipient` is given its local part and its domain on their own too, encoded or not.

    At most 200 characters, one line.
    """
    clean = scrub(text)
    if recipient:
        clean = _without(_Traces(recipient), clean)
    return clean[:MASKED_LIMIT]


def _without(traces: "_Traces", text: str) -> str:
    if traces.spaced is not None:
        text = traces.spaced.sub(_MASK, text)
    words: list[str] = []
    length = 0
    for word in text.split():
        if length > MASKED_LIMIT:
            break
        words.append(_MASK if traces.show_in(word) else word)
        length += len(words[-1]) + 1
    return " ".join(words)


class _Traces:
    """What in a text would point at a recipient; all of it in the plain form, casefolded."""

    def __init__(self, recipient: str) -> None:
        local, _, domain = _plain(recipient).casefold().rpartition("@")
        bare = re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local
        # The second one is without its subaddress (RFC 5233), as receivers look it up.
        forms = {form for form in (bare, bare.partition("+")[0]) if form}
        self._alone = {form for form in forms if len(form) <= _SHORT and form.isascii() and form.isalnum()}
        self._anywhere = forms - self._alone
        self._domain = domain
        self.spaced = re.compile(re.escape(bare), re.IGNORECASE) if " " in bare else None

    def show_in(self, word: str) -> bool:
        """Say whether a word has one of them, as it stands or under up to two layers of encoding."""
        for _ in range(3):
            if self._show_in(word.casefold()):
                return True
            decoded = unquote(_ESCAPE.sub("%", html.unescape(word)))
            if decoded == word:
                return False
            word = _plain(decoded)
        return False

    def _show_in(self, word: str) -> bool:
        return (
            any(form in word for form in self._anywhere)
            or not self._alone.isdisjoint(_NOT_IN_WORDS.split(word))
            or any(host.strip(".") == self._domain for host in _NOT_IN_HOSTS.split(word) if host)
        )


def _plain(text: str) -> str:
    # NFKC turns full-width and small forms of "@" and "." into the plain ones, and may make a text many times as long.
    text = shortened(unicodedata.normalize("NFKC", shortened(text, _READ_LIMIT)), _READ_LIMIT)
    if not text.isprintable():
        # What is not even seen, such as a soft hyphen, parts no words.
        text = "".join(one if one.isprintable() else "" if unicodedata.category(one) == "Cf" else " " for one in text)
    return " ".join(text.split())
