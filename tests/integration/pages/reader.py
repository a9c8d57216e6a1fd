"""A member who got a mail, and what they do on their pages: fill in the forms that are there, and send them."""

import re
from dataclasses import dataclass
from html import unescape
from uuid import UUID

import httpx

from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, LinkSigner
from members.member import Member


@dataclass(frozen=True)
class Reader:
    """`seq`: which mail of the run theirs is."""

    account_id: UUID
    member: Member
    run_id: UUID
    seq: int
    topic_id: UUID
    signer: LinkSigner

    @property
    def leaving(self) -> str:
        """The path of the page about leaving, as the mail has it."""
        return f"/u/{self.signer.mint(self.run_id, self.seq, [SLOT_UNSUBSCRIBE])[0]}"

    @property
    def choices(self) -> str:
        """The path of the page of choices."""
        return f"/p/{self.signer.mint(self.run_id, self.seq, [SLOT_PREFERENCES])[0]}"


def form_of(page: httpx.Response, path: str, **fields: str) -> dict[str, str]:
    """Return the hidden fields of the first form on a page that is sent to `path` and has these hidden `fields`."""
    for action, body in re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', page.text, re.DOTALL):
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', body))
        if unescape(action) == path and fields.items() <= hidden.items():
            return {name: unescape(value) for name, value in hidden.items()}
    raise AssertionError(f"no form to {path} with {fields}")
