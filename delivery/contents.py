"""The compiled content of the runs at work: loaded when a run's first chunk is claimed, then kept in memory."""

from collections import OrderedDict
from typing import Protocol
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from core.tokens import LinkSigner
from delivery.compose.compiled import CompiledContent, compile_content
from delivery.compose.content import Content
from delivery.dkim import DkimSigner
from delivery.queue import Claim

SQL = sql.load(__package__ or "", "contents.sql")

KEPT = 256
"""Contents kept compiled; the one used longest ago goes first."""


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
    ) -> None:
        self._main = main
        self._signers = signers
        self._link_signer = link_signer
        self._tracker_url = tracker_url
        self._return_path_domain = return_path_domain
        self._kept: OrderedDict[UUID, CompiledContent] = OrderedDict()

    async def of(self, claim: Claim) -> CompiledContent:
        """Return the compiled content of the claim's run."""
        kept = self._kept.get(claim.run_id)
        if kept is None:
            kept = self._kept[claim.run_id] = await self._compile(claim)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(claim.run_id)
        return kept

    async def _compile(self, claim: Claim) -> CompiledContent:
        row = await self._main.fetchrow(SQL["content_of_run"], claim.run_id)
        if row is None:
            raise NotFound("The run has no content")
        content = Content.from_json(row["body"])
        return compile_content(
            content,
            run_id=claim.run_id,
            tracker_url=self._tracker_url,
            return_path_domain=self._return_path_domain,
            signer=self._link_signer,
            dkim=await self._signers.signer_for(claim.account_id, content.sender.domain),
            list_id=f"{claim.account_id.hex}.{content.sender.domain}",
            feedback_id=f"{row['campaign_id'].hex}:{claim.account_id.hex}:{claim.kind}:todoku",
        )
