"""The compiled content of the runs at work and of those due soon: loaded and compiled once, then kept in memory."""

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Protocol
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from core.tokens import LinkSigner
from delivery import attachments
from delivery.compose.compiled import CompiledContent, compile_content
from delivery.compose.content import Content
from delivery.dkim import DkimSigner

SQL = sql.load(__package__ or "", "contents.sql")

KEPT = 256
KEPT_BYTES = 64 * 1024 * 1024
"""Contents kept compiled, and of their files together; the one used longest ago goes first."""

COMPILED_IN_PLACE = 50_000
"""Characters, and bytes of files, up to which a content is compiled in the event loop, in some milliseconds. One at the
bounds takes a good part of a second, so that mail goes on beside it; but beside a busy loop a thread needs thirty times
as long.
"""


class Signers(Protocol):
    """Where a domain's DKIM keys come from."""

    async def signer_for(self, account_id: UUID, domain: str) -> DkimSigner:
        """Return the signer with the domain's keys opened."""


class ContentCache:
    """Compiles each run's frozen content once."""

    def __init__(
        self,
        main: asyncpg.Pool,
        *,
        signers: Signers,
        link_signer: LinkSigner,
        tracker_url: str,
        return_path_domain: str,
        forward_replies: bool = False,
    ) -> None:
        self._main = main
        self._signers = signers
        self._link_signer = link_signer
        self._tracker_url = tracker_url
        self._return_path_domain = return_path_domain
        self._forward_replies = forward_replies
        self._kept: OrderedDict[UUID, asyncio.Future[CompiledContent]] = OrderedDict()

    async def of(self, run_id: UUID) -> CompiledContent:
        """Return the compiled content of a run; raises TodokuError if it can't be made."""
        kept = self._kept.get(run_id)
        if kept is None:
            kept = self._kept[run_id] = asyncio.ensure_future(self._compile(run_id))
        self._kept.move_to_end(run_id)
        try:
            # Shielded: several may wait for it, and one that is cancelled takes it from nobody.
            content = await asyncio.shield(kept)
        except Exception:
            if self._kept.get(run_id) is kept:
                del self._kept[run_id]
            raise
        self._forget()
        return content

    def _forget(self) -> None:
        made = [one for one in self._kept.values() if one.done() and not one.cancelled() and one.exception() is None]
        files = sum(one.result().enclosed for one in made)
        while len(self._kept) > 1 and (len(self._kept) > KEPT or files > KEPT_BYTES):
            _, oldest = self._kept.popitem(last=False)
            files -= oldest.result().enclosed if oldest in made else 0

    async def _compile(self, run_id: UUID) -> CompiledContent:
        row = await self._main.fetchrow(SQL["content_of_run"], run_id)
        if row is None:
            raise NotFound("The run has no content")
        content = Content.from_json(row["body"])
        account_id: UUID = row["account_id"]
        files = await attachments.contents(self._main, {one.attachment_id for one in content.attachments})
        compiling = partial(
            compile_content,
            content,
            files=files,
            run_id=run_id,
            tracker_url=self._tracker_url,
            return_path_domain=self._return_path_domain,
            forward_replies=self._forward_replies,
            signer=self._link_signer,
            dkim=await self._signers.signer_for(account_id, content.sender.domain),
            list_id=f"{account_id.hex}.{content.sender.domain}",
            feedback_id=f"{_subject(row)}:{account_id.hex}:{row['kind']}:todoku",
        )
        size = len(content.html) + len(content.text) + sum(one.size for one in content.attachments)
        if size <= COMPILED_IN_PLACE:
            return compiling()
        return await asyncio.to_thread(compiling)


def _subject(row: asyncpg.Record) -> str:
    """Return the campaign that a run belongs to; a letter belongs to none."""
    campaign_id: UUID | None = row["campaign_id"]
    return campaign_id.hex if campaign_id else "letter"
