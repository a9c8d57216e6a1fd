"""What a mail can tell of its reader: as much as its account and the member both allow.

With `full` each token names the delivery. With `aggregate` pixel and links are those of nobody, the same in every mail
of the run, so that sums can be counted and no reader be told from another; a link with something of its reader in it
leads straight to its target. With `none` there is no pixel, and links lead straight to their targets. The ways to
leave and to choose are the member's own in any case: they are no tracking.
"""

from collections.abc import Callable
from dataclasses import replace

from delivery.compose.assemble import FIRST_LINK, HONEYPOT, OPEN, Assembled
from delivery.compose.content import Content
from members.member import Tracking

NOBODY = 0
"""A sequence number that no recipient has."""

_STRICTNESS: dict[Tracking, int] = {"full": 0, "aggregate": 1, "none": 2}


class Consented:
    """One content's parts and tokens by what may be noted; those that are rarely asked for are made when they are.

    `most` is what the account allows; `impersonal` assembles the content with links of their readers' own left as they
    are, `untracked` without any tracking; `of_nobody` mints the tokens of nobody.
    """

    def __init__(
        self,
        most: Tracking,
        parts: Assembled,
        impersonal: Callable[[], Assembled],
        untracked: Callable[[], Assembled],
        of_nobody: Callable[[], tuple[bytes, ...]],
    ) -> None:
        self._most = most
        self._parts = parts
        self._make_impersonal = impersonal if parts.personal else lambda: parts
        self._make_untracked = untracked
        self._mint_of_nobody = of_nobody
        self._impersonal: Assembled | None = None
        self._untracked: Assembled | None = None
        self._of_nobody: tuple[bytes, ...] | None = None

    def of(self, allowed: Tracking, tokens: tuple[bytes, ...]) -> tuple[Assembled, tuple[bytes, ...]]:
        """Return the parts of a mail to a member who allows so much, and its tokens, made of the member's own."""
        level = max(allowed, self._most, key=_STRICTNESS.__getitem__)
        if level == "full":
            return self._parts, tokens
        if level == "aggregate":
            if self._of_nobody is None:
                self._of_nobody = self._mint_of_nobody()
            if self._impersonal is None:
                self._impersonal = self._make_impersonal()
            return self._impersonal, _mixed(tokens, self._of_nobody)
        if self._untracked is None:
            self._untracked = self._make_untracked()
        return self._untracked, tokens


def without_tracking(content: Content) -> Content:
    """Return a content whose mails tell nothing of their readers."""
    return replace(content, track_opens=False, track_clicks=False, honeypot=False)


def _mixed(own: tuple[bytes, ...], of_nobody: tuple[bytes, ...]) -> tuple[bytes, ...]:
    mixed = [*own[:FIRST_LINK], *of_nobody[FIRST_LINK:]]
    mixed[OPEN], mixed[HONEYPOT] = of_nobody[OPEN], of_nobody[HONEYPOT]
    return tuple(mixed)
