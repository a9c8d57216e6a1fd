"""Content with everything filled in, compiled and composed, for tests that care about one thing of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from typing import Any
from uuid import UUID

from core.tokens import LinkSigner
from delivery.compose.compiled import CompiledContent, Recipient, compile_content
from delivery.compose.content import Content, Sender
from delivery.dkim import DkimKey, DkimSigner, generate_keys
from delivery.envelope import Envelope

RUN = UUID("0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5f6")
MEMBER = UUID("0192f0c1-0000-7000-8000-000000000001")
DATE = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
TRACKER = "https://t.example.jp"
SIGNER = LinkSigner({1: b"k" * 32}, 1)
ATTRIBUTES = ("name", "points", "tags", "birthday", "note")


def content(**changes: Any) -> Content:
    """Return content that is without fault but for `changes`; those of the sender are named `sender_…`."""
    sender = {
        "name": "届く商店",
        "address": "news@example.jp",
        "reply_to": "help@example.jp",
        "postal_address": "東京都千代田区1-1",
        "contact": "03-0000-0000",
        "domain": "example.jp",
    }
    fields: dict[str, Any] = {
        "subject": "お知らせ",
        "preheader": "",
        "html": "<html><body><p>こんにちは</p></body></html>",
        "text": "こんにちは\n",
        "track_opens": True,
        "track_clicks": True,
        "attributes": ATTRIBUTES,
    }
    for name, value in changes.items():
        if name.startswith("sender_"):
            sender[name.removeprefix("sender_")] = value
        else:
            fields[name] = value
    return Content(sender=Sender(**sender), **fields)


@cache
def dkim_keys() -> tuple[DkimKey, DkimKey]:
    """Return an RSA and an Ed25519 key, made once a session."""
    return generate_keys()


def dkim_signer() -> DkimSigner:
    """Return a signer with both keys for example.jp."""
    return DkimSigner("example.jp", [(key.selector, key.private) for key in dkim_keys()])


def compiled(
    *,
    signed: bool = False,
    direct: bool = True,
    tracker: str = TRACKER,
    forward_replies: bool = False,
    files: Mapping[UUID, bytes] | None = None,
    **changes: Any,
) -> CompiledContent:
    """Return `content(**changes)` compiled."""
    return compile_content(
        content(**changes),
        run_id=RUN,
        tracker_url=tracker,
        return_path_domain="bounce.example.jp",
        signer=SIGNER,
        dkim=dkim_signer() if signed else None,
        list_id="news.example.jp",
        feedback_id="run1:default:campaign:todoku",
        forward_replies=forward_replies,
        files=files or {},
        direct=direct,
    )


def compose(address: str = "taro@example.jp", values: dict[str, Any] | None = None, **changes: Any) -> Envelope:
    """Return one message of `compiled(**changes)`."""
    return compiled(**changes).compose(Recipient(7, MEMBER, address, values or {}), date=DATE)


def read(envelope: Envelope) -> EmailMessage:
    """Return the message as the standard library reads it."""
    message = message_from_bytes(envelope.message, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(envelope: Envelope, subtype: str) -> str:
    """Return the text of the part `text/<subtype>`, its lines ended by LF."""
    body = read(envelope).get_body((subtype,))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")
