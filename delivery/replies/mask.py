"""Takes everything that may be an address out of a receiver's text, before it is logged, stored or shown."""

import re
import unicodedata

MASKED_LIMIT = 200
_READ_LIMIT = 4_000
_MASK = "[address]"

_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,256}"\s?@')
_ANGLED = re.compile(r"<[^<>]*>?")
_SPACED_AT = re.compile(r"\s*(?:@|\(at\)|\[at\])\s*", re.IGNORECASE)
# "@" as percent-encoding, xtext (RFC 3461 section 4), quoted-printable, HTML entity; then the percent hack and VERP,
# which hold a local part and a domain without any "@".
_MARK = re.compile(
    r"@|%(?:25)*40|[+=]40|&#0*64;|&#x0*40;|&commat;|[^\s%]%[^\s%]*\.[^\s%]|[^\s=/?&]=[^\s=/?&]+\.[a-z0-9-]{2,}",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """`text` with control characters as spaces and every word that may hold an address as `[address]`.

    Eager on purpose: quoted local parts, anything in angle brackets, encoded forms of "@", VERP. At most 4,000
    characters are read; a word that this cut in two is dropped, since its tell-tale part may be what is missing.
    """
    if len(text) > _READ_LIMIT:
        text = text[:_READ_LIMIT].rpartition(" ")[0]
    # NFKC turns full-width and small forms of "@" and "." into the plain ones.
    text = unicodedata.normalize("NFKC", text)
    text = "".join(char if char.isprintable() else " " for char in text)
    text = _ANGLED.sub(f" {_MASK} ", _QUOTED_LOCAL.sub("@", text))
    text = _SPACED_AT.sub("@", text)
    return " ".join(_MASK if _MARK.search(word) else word for word in text.split())


def mask(text: str, *, recipient: str = "") -> str:
    """`scrub`, and where `recipient` is given its local part on its own too; at most 200 characters, one line."""
    clean = scrub(text)
    local = recipient.rpartition("@")[0]
    if local:
        clean = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", _MASK, clean, flags=re.IGNORECASE)
    return clean[:MASKED_LIMIT]
