"""One mail in, one outcome, by whichever way it came.

`take` returns once what the mail means is in the tables, forwarded, or on disk for a person: so a 250 can be given for
it. What can't be done just now raises Unavailable and leaves nothing done that a second try would do twice, but for one
thing: a mail that was forwarded, and whose sender did not hear of it, is forwarded again.
"""

from typing import Literal, Protocol, TypeAlias

from core import logs
from core.errors import NotFound
from core.tokens import LinkSigner, TokenContent
from delivery.return_addresses import ReturnAddress
from tracking.inbound import meters
from tracking.inbound.kept import Kept
from tracking.inbound.records import Records, digest_of
from tracking.inbound.sorting import Answered, ForOperator, Ignored, Report, Unclear, sort

log = logs.get()

Outcome: TypeAlias = Literal["bounce", "complaint", "unsubscribe", "repeated", "forwarded", "ignored", "kept", "gone"]


class Forwarder(Protocol):
    """Sends a mail on."""

    async def forward(self, raw: bytes, to: str, *, came_to: str, sender: str) -> None:
        """Return once a server has taken it. Raises Unavailable; InvalidInput for a mail that no one will take."""


class Reception:
    """Takes mails in. Without a `forwarder` (mail out of files, which arrived elsewhere) nothing is sent on."""

    def __init__(
        self, records: Records, signer: LinkSigner, kept: Kept, forwarder: Forwarder | None, operator: str
    ) -> None:
        self._records = records
        self._signer = signer
        self._kept = kept
        self._forwarder = forwarder
        self._operator = operator

    async def take(self, raw: bytes, address: ReturnAddress | None, *, came_to: str, sender: str) -> Outcome:
        """Take in a mail from the envelope's `sender` ("" for the null reverse-path).

        `address` is what its recipient says, None for the operator's addresses and for mail out of files; `came_to`
        that recipient as text. Raises Unavailable, InvalidInput.
        """
        finding = sort(raw, address, self._signer, null_sender=not sender)
        match finding:
            case Report():
                return await self._record(finding, raw)
            case Answered(delivery):
                return await self._send_on(raw, delivery, came_to=came_to, sender=sender)
            case ForOperator():
                return await self._tell_operator(raw, came_to=came_to, sender=sender)
            case Ignored():
                return "ignored"
            case Unclear(why):
                return self._keep(raw, why)
        raise AssertionError

    async def _record(self, report: Report, raw: bytes) -> Outcome:
        try:
            fresh = await self._records.add(report, digest_of(raw))
        except NotFound:
            # Its months were dropped: there is nobody to tell, and no use in the sender's keeping it.
            return "gone"
        return report.kind if fresh else "repeated"

    async def _send_on(self, raw: bytes, delivery: TokenContent, *, came_to: str, sender: str) -> Outcome:
        if self._forwarder is None:
            return "ignored"
        try:
            to = await self._records.reply_address(delivery.run_id)
        except NotFound:
            return "gone"
        await self._forwarder.forward(raw, to, came_to=came_to, sender=sender)
        return "forwarded"

    async def _tell_operator(self, raw: bytes, *, came_to: str, sender: str) -> Outcome:
        if self._forwarder is None:
            return "ignored"
        if not self._operator:
            return self._keep(raw, "for_operator")
        await self._forwarder.forward(raw, self._operator, came_to=came_to, sender=sender)
        return "forwarded"

    def _keep(self, raw: bytes, why: str) -> Outcome:
        self._kept.keep(raw, digest_of(raw), why=why)
        meters.KEPT_BYTES.set(self._kept.size)
        log.warning("mail_kept_for_a_person", why=why)
        return "kept"
