"""Mail addresses: which are taken, how they are sent to, and what makes two of them the same.

Plain addresses pass one regular expression; anything else is judged by email-validator (IDN, UTF-8 local parts). The
carriers of Japan once gave out local parts with dots where RFC 5321 has none (`taro.@`, `ta..ro@`): for their domains
alone such addresses are taken, quoted or not.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from members.errors import BadAddress

MAX_BYTES = 254
MAX_LOCAL_BYTES = 64

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_PLAIN_LOCAL = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*", re.ASCII)
# A line an address, so that one search takes many apart; of one whose local part is not plain both groups are empty.
_PLAIN_LINE = re.compile(rf"^(?:({_ATEXT}++(?:\.{_ATEXT}++)*+)@(.++)|.*+)$", re.ASCII | re.MULTILINE)
_PLAIN_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}", re.ASCII)
_CARRIER_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_CARRIERS = frozenset(
    (
        "docomo.ne.jp",
        "mopera.net",
        "dwmail.jp",
        "ezweb.ne.jp",
        "au.com",
        "uqmobile.jp",
        "softbank.ne.jp",
        "i.softbank.jp",
        "disney.ne.jp",
        "disneymobile.ne.jp",
        "jp-t.ne.jp",
        "willcom.com",
        "willcom.ne.jp",
        "wcm.ne.jp",
        "pdx.ne.jp",
        "y-mobile.ne.jp",
        "ymobile.ne.jp",
        "ymobile1.ne.jp",
        "emobile.ne.jp",
        "emobile-s.ne.jp",
    )
)
_CARRIER_SUFFIXES = (".vodafone.ne.jp", ".ezweb.ne.jp", ".pdx.ne.jp", ".biz.ezweb.ne.jp")


class Address(NamedTuple):
    """`mailbox`: as mail is sent to it, domain in ASCII and lower case; `key`: what the index is made of."""

    mailbox: str
    key: bytes
    domain: str

    def __repr__(self) -> str:
        """Say nothing: a repr ends up in logs."""
        return "Address(…)"


def parse(text: str) -> Address:
    """Judge an address and return its forms; raise BadAddress, whose text never shows it.

    Full-width input is folded (NFKC), the domain lower-cased. The local part keeps its case for sending; in the index
    it is lower-cased too, though RFC 5321 section 2.4 lets a host tell `Taro` from `taro`: no provider does, and a
    member who types it differently is the same member.
    """
    address = parse_plain(text)
    return address if address is not None else _parse_other(text)


def parse_plain(text: str) -> Address | None:
    """Judge by the fast path: a dot-atom address in ASCII, or None where more must be known."""
    if len(text) > MAX_BYTES:
        return None
    local, _, domain = text.partition("@")
    host = _plain_domain(domain)
    if host is None or len(local) > MAX_LOCAL_BYTES or not _PLAIN_LOCAL.fullmatch(local):
        return None
    mailbox = text if host == domain else f"{local}@{host}"
    return Address(mailbox, index_key(mailbox), host)


def parse_plain_all(texts: Sequence[str]) -> list[Address | None]:
    """Judge many as `parse_plain` does, at half the cost."""
    parts = _PLAIN_LINE.findall("\n".join(texts))
    if len(parts) != len(texts):
        # One of them has a line break in it.
        return list(map(parse_plain, texts))
    new = tuple.__new__  # a third of what a NamedTuple's own takes
    made: list[Address | None] = []
    for text, (local, domain) in zip(texts, parts, strict=True):
        host = _plain_domain(domain)
        if host is None or len(local) > MAX_LOCAL_BYTES or len(text) > MAX_BYTES:
            made.append(None)
        else:
            mailbox = text if host == domain else f"{local}@{host}"
            made.append(new(Address, (mailbox, index_key(mailbox), host)))
    return made


def index_key(mailbox: str) -> bytes:
    """Return what the index is made of for an address as `parse` gives it out."""
    return mailbox.lower().encode()


@lru_cache(maxsize=65_536)
def _plain_domain(domain: str) -> str | None:
    # Domains are few: what email-validator knows of names that never receive mail is asked once for each.
    if not _PLAIN_DOMAIN.fullmatch(domain):
        return None
    try:
        host = validate_email(f"a@{domain}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None
    return host.lower() if host is not None and host.lower() == domain.lower() else None


def _parse_other(text: str) -> Address:
    folded = unicodedata.normalize("NFKC", text).strip(" \t")
    if _CONTROL.search(folded):
        raise BadAddress("The address has a control character in it")
    if len(folded.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadAddress(f"The address is longer than {MAX_BYTES} bytes")
    plain = parse_plain(folded)
    if plain is not None:
        return plain
    local, at, domain = folded.rpartition("@")
    if not at or not local or not domain:
        raise BadAddress("The address needs a local part, one @ and a domain")
    carrier = _parse_carrier(local, domain.lower())
    if carrier is not None:
        return carrier
    try:
        valid = validate_email(folded, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        raise BadAddress("The address breaks the rules for mail addresses") from None
    host = valid.ascii_domain.lower() if valid.ascii_domain is not None else ""
    mailbox = f"{valid.local_part}@{host}"
    if not host or len(mailbox.encode()) > MAX_BYTES or len(valid.local_part.encode()) > MAX_LOCAL_BYTES:
        raise BadAddress(f"At most {MAX_BYTES} bytes, {MAX_LOCAL_BYTES} of them before the @")
    return Address(mailbox, index_key(mailbox), host)


def _parse_carrier(local: str, domain: str) -> Address | None:
    if domain not in _CARRIERS and not domain.endswith(_CARRIER_SUFFIXES):
        return None
    bare = local[1:-1] if len(local) > 2 and local[0] == local[-1] == '"' else local  # noqa: PLR2004 - two quotes
    if len(bare) > MAX_LOCAL_BYTES or not _CARRIER_LOCAL.fullmatch(bare):
        return None
    mailbox = f"{bare}@{domain}"
    return Address(mailbox, index_key(mailbox), domain)


def parse_domain(text: str) -> str:
    """Return a domain as addresses have it, in ASCII and lower case; raise BadAddress if no address can be in it."""
    folded = text.strip().removeprefix("@")
    if "@" in folded:
        raise BadAddress("A domain alone, without a local part")
    return parse(f"a@{folded}").domain


def mask(mailbox: str) -> str:
    """Show an address to someone who may not read it: `t***@example.jp`."""
    local, _, domain = mailbox.rpartition("@")
    return f"{local[:1]}***@{domain}"
