"""Mail addresses as SMTP and header fields want them written.

Japanese carriers gave out local parts that no dot-atom allows (`taro.@docomo.ne.jp`, `ta..ro@ezweb.ne.jp`): these are
quoted, and only these. A domain in another script is written in its ASCII form (IDNA 2008).
"""

import re
from functools import lru_cache

import idna

from delivery.compose.errors import RenderFailed

_DOT_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+)*"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
MAX_LOCAL = 64
MAX_DOMAIN = 255


def written(address: str) -> str:
    """Return an address as it stands in MAIL, RCPT and header fields (RFC 5321 section 4.1.2).

    Raises RenderFailed for what can be no address, with nothing of it in the text.
    """
    local, at, domain = address.rpartition("@")
    if not at or not local or not address.isprintable() or len(local.encode()) > MAX_LOCAL:
        raise RenderFailed("the recipient's address can't be written in a mail", reason="address")
    if not _DOT_ATOM.fullmatch(local) and not _QUOTED.fullmatch(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{ascii_domain(domain)}"


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """Return a domain in ASCII (A-labels, RFC 5891). Raises RenderFailed."""
    try:
        # idna's time grows faster than the length of what it is given.
        name = domain if domain.isascii() or len(domain) > MAX_DOMAIN else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        name = ""
    if len(name) > MAX_DOMAIN or not _DOMAIN.fullmatch(name):
        raise RenderFailed("the domain of an address can't be written in a mail", reason="address")
    return name
