"""One content version ready to be filled: constant header fields and parts once, per message only what differs.

A message depends on nothing but its content, run, recipient and date: composed again, it is the same to the byte (as
long as the same link-signing key is primary).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import lru_cache, partial
from hashlib import blake2b
from types import MappingProxyType
from uuid import UUID

import orjson

from core.errors import ConfigurationError
from core.tokens import (
    SLOT_HONEYPOT,
    SLOT_LETTER,
    SLOT_LINK,
    SLOT_OPEN,
    SLOT_PREFERENCES,
    SLOT_UNSUBSCRIBE,
    SLOT_WEB,
    LinkSigner,
)
from delivery import return_addresses
from delivery.compose import headers
from delivery.compose.addresses import written
from delivery.compose.assemble import FIRST_LINK, PREFERENCES, UNSUBSCRIBE, WEB, Assembled, assemble
from delivery.compose.consented import NOBODY, Consented, without_tracking
from delivery.compose.content import LETTER_URL, Content
from delivery.compose.enclosed import enclose
from delivery.compose.errors import RenderFailed
from delivery.compose.language import PREFERENCES_URL, UNSUBSCRIBE_URL, WEB_URL
from delivery.compose.mime import Body
from delivery.compose.personal import seal
from delivery.compose.render import one_line
from delivery.dkim import DkimSigner
from delivery.envelope import Envelope
from members.member import Tracking

__all__ = ["CompiledContent", "Envelope", "Recipient", "compile_content"]

MAX_NAME = 200
"""Characters of a display name; what is over is cut."""

_MAX_FIELD = 900
_SLOTS = (SLOT_OPEN, SLOT_UNSUBSCRIBE, SLOT_PREFERENCES, SLOT_HONEYPOT, SLOT_WEB)
"""In the order of their positions OPEN, UNSUBSCRIBE, PREFERENCES, HONEYPOT, WEB."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One member as a message needs it. `values` are by attribute key; `name`, if there, is shown in To.

    `tracking` is what the member lets be noted.
    """

    seq: int
    member_id: UUID
    address: str
    values: Mapping[str, object]
    tracking: Tracking = "full"


class CompiledContent:
    """Made by `compile_content`; `links` are the tracked targets, link n under the token slot SLOT_LINK + n."""

    def __init__(
        self,
        content: Content,
        parts: Assembled,
        *,
        run_id: UUID,
        tracker_url: str,
        return_path_domain: str,
        forward_replies: bool,
        signer: LinkSigner,
        dkim: DkimSigner | None,
        fixed: list[tuple[bytes, bytes]],
        files: Mapping[UUID, bytes],
        impersonal: Callable[[], Assembled],
        untracked: Callable[[], Assembled],
    ) -> None:
        self.links = parts.links
        self.enclosed = sum(len(file) for file in files.values())
        """Bytes of its files."""
        self._parts = parts
        self._run_hash = blake2b(run_id.bytes, digest_size=18, person=b"message-id")
        self.letter = content.letter
        """What makes it a letter, None for a campaign's mail."""
        self._domain = _sender_address(f"postmaster@{content.sender.domain}").partition("@")[2]
        self._tracker_url = tracker_url
        self._return_path_domain = return_path_domain
        self._forward_replies = forward_replies
        self._signature = dkim.prepare(fixed) if dkim else None
        self._fixed_block = b"".join(name + b": " + value + b"\r\n" for name, value in fixed)
        slots = [0] * (FIRST_LINK + len(self.links))
        slots[:FIRST_LINK] = _SLOTS
        if content.letter:
            # A letter has one link that is its reader's own, in the place of the one to leave by.
            slots[UNSUBSCRIBE] = SLOT_LETTER
        slots[FIRST_LINK:] = [SLOT_LINK + number for number in range(len(self.links))]
        self._tokens = signer.for_run(run_id, slots)
        self._consented = Consented(
            content.tracking, parts, impersonal, untracked, lambda: self._tokens.mint(NOBODY)[0]
        )
        seed = run_id.bytes + orjson.dumps(content.to_json())
        enclosed = enclose(content, parts.shown, files)
        self._body = Body(seed, has_html=parts.html is not None, enclosed=enclosed)
        constant = parts.subject.constant
        self._subject = None if constant is None else _subject(constant.decode())

    def compose(self, recipient: Recipient, *, date: datetime) -> Envelope:
        """Return the finished, signed message for one recipient. `date` is aware: the time of the first attempt.

        Raises RenderFailed when this member's values or address don't allow it; no other message is touched.
        """
        address = written(recipient.address)
        tokens, (returns, complaint, reply) = self._tokens.mint(recipient.seq)
        own = {
            UNSUBSCRIBE_URL: f"{self._tracker_url}/u/{tokens[UNSUBSCRIBE].decode()}",
            PREFERENCES_URL: f"{self._tracker_url}/p/{tokens[PREFERENCES].decode()}",
            WEB_URL: f"{self._tracker_url}/w/{tokens[WEB].decode()}",
        }
        name = one_line(str(recipient.values.get("name") or "")[:MAX_NAME])
        if self.letter is not None:
            # What a member is called is not a letter's business: somebody else may have typed it into a form.
            link = f"{self.letter.url}/{tokens[UNSUBSCRIBE].decode()}"
            name, recipient = "", replace(recipient, values={LETTER_URL: link})
        parts, tokens = self._consented.of(recipient.tracking, tokens)
        fields, body = self._body_of(parts, recipient, tokens, own)
        subject = self._subject
        if subject is None:
            subject = _subject(self._parts.subject.render(recipient.values, tokens, own).decode())
        varying = [
            (b"To", headers.mailbox(name, address, name="To")),
            (b"Subject", subject),
            (b"Date", _date(date)),
            (b"Message-ID", self._message_id(recipient.seq)),
            *self._ways_to_leave(own[UNSUBSCRIBE_URL], returns, complaint),
            *fields,
        ]
        if self._forward_replies:
            varying.append((b"Reply-To", self._address("reply", reply).encode("ascii")))
        head = self._fixed_block + b"".join([name + b": " + value + b"\r\n" for name, value in varying])
        signature = self._signature.sign(varying, body) if self._signature else b""
        return Envelope(
            return_path=self._address("bounce", returns),
            recipient=address,
            message=b"".join((signature, head, b"\r\n", body)),
            smtputf8=not address.isascii(),
        )

    def _ways_to_leave(self, unsubscribe_url: str, returns: str, complaint: str) -> list[tuple[bytes, bytes]]:
        if self.letter is not None:
            return []
        mailto = f"<mailto:{self._address('unsubscribe', returns)}>"
        return [
            (b"List-Unsubscribe", f"<{unsubscribe_url}>,\r\n {mailto}".encode("ascii")),
            (b"CFBL-Address", f"{self._address('complaint', complaint)};\r\n report=arf".encode("ascii")),
        ]

    def _address(self, purpose: return_addresses.Purpose, token: str) -> str:
        return f"{return_addresses.local_part(purpose, token)}@{self._return_path_domain}"

    def _body_of(
        self, parts: Assembled, recipient: Recipient, tokens: Sequence[bytes], own: Mapping[str, str]
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return the header fields that describe the body, and the body."""
        text = parts.text.render(recipient.values, tokens, own)
        multipart = self._body.content_type()
        if multipart is not None:
            html = None
            if parts.html is not None:
                html = parts.html.render(recipient.values, tokens, own)
                if parts.personal:
                    html = seal(html, self._tokens, tokens)
            return [(b"Content-Type", multipart)], self._body.multipart(text, html)
        encoding, _, encoded = self._body.encode(text)
        described = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Transfer-Encoding", encoding)]
        return described, encoded

    def _message_id(self, seq: int) -> bytes:
        # Not a signed token: those change with the key, and this must not between two attempts. The run's id,
        # which is no part of the mail, keeps it from being guessed.
        opaque = self._run_hash.copy()
        opaque.update(seq.to_bytes(8, "big"))
        return f"<{opaque.hexdigest()}@{self._domain}>".encode("ascii")


def compile_content(
    content: Content,
    *,
    run_id: UUID,
    tracker_url: str,
    return_path_domain: str,
    signer: LinkSigner,
    dkim: DkimSigner | None,
    list_id: str,
    feedback_id: str,
    forward_replies: bool = False,
    files: Mapping[UUID, bytes] = MappingProxyType({}),
    direct: bool = True,
) -> CompiledContent:
    """Return `content` compiled for a run.

    `tracker_url` has no slash at its end; `list_id` is a domain-like name (`news.example.jp`, RFC 2919);
    `feedback_id` is Google's `a:b:c:SenderId`, nothing personal in it. `files` are the bytes
    of the content's attachments. `forward_replies`: Reply-To is an address of ours, from where replies go on to the
    sender's. `direct=False` is for tests.
    Raises InvalidTemplate, and ConfigurationError for a setting that no header field can hold.
    """
    for setting in (tracker_url, return_path_domain, list_id, feedback_id):
        if not setting.isascii() or not setting.isprintable() or " " in setting or len(setting) > _MAX_FIELD:
            raise ConfigurationError("A tracker URL, domain, list id or feedback id can't stand in a header field")
    tracker_url = content.tracker_url or tracker_url
    return CompiledContent(
        content,
        assemble(content, tracker_url=tracker_url, direct=direct),
        run_id=run_id,
        tracker_url=tracker_url,
        return_path_domain=return_path_domain,
        forward_replies=forward_replies,
        signer=signer,
        dkim=dkim,
        fixed=_fixed_fields(content, list_id=list_id, feedback_id=feedback_id, forward_replies=forward_replies),
        files=files,
        impersonal=partial(assemble, content, tracker_url=tracker_url, personal=False, direct=direct),
        untracked=partial(assemble, without_tracking(content), tracker_url=tracker_url, direct=direct),
    )


def _fixed_fields(
    content: Content, *, list_id: str, feedback_id: str, forward_replies: bool
) -> list[tuple[bytes, bytes]]:
    sender = content.sender
    address, reply_to = _sender_address(sender.address), sender.reply_to and _sender_address(sender.reply_to)
    fields = [
        (b"From", headers.mailbox(one_line(sender.name), address, name="From")),
        (b"MIME-Version", b"1.0"),
    ]
    if content.letter is None:
        fields += [
            (b"List-Id", f"<{list_id}>".encode()),
            (b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click"),
            (b"Feedback-ID", feedback_id.encode()),
            (b"Precedence", b"bulk"),
        ]
    else:
        # An answer to what somebody did, by a program (RFC 3834 section 5): no out-of-office reply comes back to it.
        fields += [(b"Feedback-ID", feedback_id.encode()), (b"Auto-Submitted", b"auto-generated")]
    if reply_to and not forward_replies:
        fields.append((b"Reply-To", reply_to.encode()))
    return fields


def _sender_address(address: str) -> str:
    try:
        spec = written(address)
    except RenderFailed:
        spec = ""
    # One beyond ASCII would ask for SMTPUTF8 on the way to every recipient.
    if not spec or not spec.isascii():
        raise ConfigurationError("The sender's address can't be written in a mail")
    return spec


def _subject(text: str) -> bytes:
    return headers.unstructured(text.strip(), name="Subject")


def _date(at: datetime) -> bytes:
    # A date has whole seconds, and a second has hundreds of messages.
    return _date_of_second(int(at.timestamp()), at.tzinfo)


@lru_cache(maxsize=8)
def _date_of_second(at: int, zone: tzinfo | None) -> bytes:
    return headers.date(datetime.fromtimestamp(at, zone))
