"""Links whose target ends with something of the reader: sealed behind the link's token once a mail is rendered.

A template prints such a link as the token's address, MARK, what is computed, MARK. The constant beginning, host and
all, is kept with the content (links.py), so nothing that a member's value says can change where a link leads to.
"""

from collections.abc import Sequence
from html import unescape

from core.tokens import RunTokens
from delivery.compose.errors import RenderFailed

MARK = "\ufdd2"
"""A noncharacter of Unicode. Where a member's value holds one, that member's mail fails, and no other."""

MAX_PERSONAL = 1_024
"""Characters."""

_MARK = MARK.encode()
_TOKEN_CHARS = 48


def seal(html: bytes, run: RunTokens, tokens: Sequence[bytes]) -> bytes:
    """Return rendered HTML with the marked parts sealed, each behind the token in front of it.

    `tokens` are this mail's. Raises RenderFailed for a part that is too long, or a mark out of place.
    """
    pieces = html.split(_MARK)
    if len(pieces) % 2 == 0:
        raise _OUT_OF_PLACE
    for at in range(1, len(pieces), 2):
        token = pieces[at - 1][-_TOKEN_CHARS:]
        if token not in tokens:
            raise _OUT_OF_PLACE
        personal = unescape(pieces[at].decode()).rstrip()
        if len(personal) > MAX_PERSONAL:
            raise RenderFailed(f"a link has more than {MAX_PERSONAL} computed characters", reason="out_of_bounds")
        pieces[at] = run.seal(token, personal)
    return b"".join(pieces)


_OUT_OF_PLACE = RenderFailed("a value has a character that no text has", reason="wrong_type")
