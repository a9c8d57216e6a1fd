"""Which delivery of ours a mail speaks of, by the signed tokens in it: addresses and links of the mail that it returns.

Only a token tells; an address or a Message-ID, which anybody can write, never does.
"""

import re

from core.errors import NotFound, Tampered
from core.tokens import LinkSigner, TokenContent
from delivery import return_addresses

MOST_CANDIDATES = 50

_SOFT_BREAK = re.compile(rb"=\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]")
_ADDRESS = re.compile(rb"\b([bucr]\+[0-9a-f]{60})@", re.IGNORECASE)
_LINK = re.compile(rb"/[ocu]/([A-Za-z0-9_-]{48})(?![A-Za-z0-9_-])")


def delivery_within(raw: bytes, signer: LinkSigner) -> TokenContent | None:
    """Return the one delivery that tokens in a mail name; None if there is none, or if they name several."""
    text = _FOLD.sub(b"", _SOFT_BREAK.sub(b"", raw))
    found: dict[tuple[object, int], TokenContent] = {}
    for number, match in enumerate(_ADDRESS.finditer(text)):
        if number == MOST_CANDIDATES:
            break
        try:
            delivery = return_addresses.read(match[1].decode("ascii"), signer).delivery
        except NotFound:
            continue
        found[delivery.run_id, delivery.seq] = delivery
    for number, match in enumerate(_LINK.finditer(text)):
        if number == MOST_CANDIDATES:
            break
        try:
            delivery = signer.open(match[1].decode("ascii"))
        except Tampered:
            continue
        found[delivery.run_id, delivery.seq] = delivery
    return next(iter(found.values())) if len(found) == 1 else None
