"""One mail as its member reads it on a page: what was frozen for all, with what is held on the member now."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from api.pages.services import PageServices
from core import ids
from core.tokens import SLOT_WEB
from delivery.compose.again import Delivered, ReadAgain, read_again, read_subject
from delivery.compose.content import Content
from delivery.compose.errors import InvalidTemplate, RenderFailed
from delivery.contents import COMPILED_IN_PLACE
from members.member import Member
from members.proven import Proof, Proven
from tracking.mails import Mail, Sent


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail and its member. `shown`: None for a mail that the member's values no longer fit.

    `changed`: something about the member is not as it was when the mail's run began, so its values may not be either.
    `path`: the mail's own, which a link of the mail leads to.
    """

    mail: Sent
    member: Member
    shown: ReadAgain | None
    changed: bool
    path: str


async def read_mail(services: PageServices, proof: Proof, run_id: UUID) -> Reading:
    """Read a proven member's mail; raise NotFound for one that was not sent to them."""
    account_id, member_id = proof.account_id, proof.member_id
    mail = await services.mails.sent_to(account_id, member_id, run_id)
    async with services.proven.opened(proof) as mine:
        member = await mine.members.get(account_id, member_id)
        [opened] = await mine.vault.open_members(account_id, [member_id])
    content = Content.from_json(mail.body)
    reading = partial(read_again, content, opened.values, Delivered(run_id, mail.seq, services.url, services.signer))
    try:
        small = len(content.html) + len(content.text) <= COMPILED_IN_PLACE
        shown: ReadAgain | None = reading() if small else await asyncio.to_thread(reading)
    except (InvalidTemplate, RenderFailed):
        shown = None
    [token] = services.signer.mint(run_id, mail.seq, [SLOT_WEB])
    return Reading(mail, member, shown, member.updated_at > mail.starts_at, f"/w/{token}")


async def titled(services: PageServices, mine: Proven, mails: Sequence[Mail]) -> list[tuple[str, str | None, Mail]]:
    """Return a member's mails, letters left out, each with its run's shown id and its subject.

    The subject is None where the member's values no longer fit it. What a campaign is called is its account's affair.
    """
    account_id, member_id = mine.proof.account_id, mine.proof.member_id
    [opened] = await mine.vault.open_members(account_id, [member_id])
    found = await services.mails.called(account_id, member_id, [mail.run_id for mail in mails])
    return [
        (ids.encode("run", mail.run_id), _subject(found[mail.run_id], opened.values), mail)
        for mail in mails
        if mail.run_id in found
    ]


def _subject(body: Mapping[str, Any], values: Mapping[str, object]) -> str | None:
    try:
        return read_subject(Content.from_json(body), values)
    except (InvalidTemplate, RenderFailed):
        return None
