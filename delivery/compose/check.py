"""Everything that is wrong with content, found before anything is scheduled, all at once.

What shows in the source is found by `assemble`; what shows only with values, by rendering samples and a member
without any value. Missing legal particulars of the sender are faults too: without them the law allows no sending.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.errors import Fault
from delivery.compose.addresses import written
from delivery.compose.assemble import FIRST_LINK, Assembled, assemble
from delivery.compose.bounds import MAX_ATTACHED, MAX_ATTACHMENTS
from delivery.compose.content import Content
from delivery.compose.errors import InvalidTemplate, RenderFailed
from delivery.compose.language import PREFERENCES_URL, UNSUBSCRIBE_URL, WEB_URL
from delivery.compose.links import unsafe_links
from delivery.compose.markup import Unclosed

MAX_SAMPLES = 20
_TRACKER = "https://tracker.invalid"
_TOKEN = "0" * 48
_LEGAL = {
    "name": "the sender's name",
    "postal_address": "the sender's postal address",
    "contact": "a contact for complaints",
}
_LINE_BREAKS = "\r\n\0"


@dataclass(frozen=True, slots=True)
class Preview:
    """What one sample's mail says; links lead to a tracker that doesn't exist."""

    subject: str
    html: str | None
    text: str


@dataclass(frozen=True, slots=True)
class CheckedContent:
    """Content without fault: its tracked `links` by number, and a preview for each sample."""

    links: tuple[str, ...]
    previews: tuple[Preview, ...]


def check(content: Content, *, samples: Sequence[Mapping[str, object]]) -> CheckedContent:
    """Return what `content` comes to; raise InvalidTemplate with every fault found in it.

    `samples` are values of members, by attribute key; a member with none is always tried besides.
    """
    faults = list(_sender_faults(content))
    if not content.subject.strip():
        faults.append(Fault("/subject", "empty", "a mail needs a subject"))
    if not content.html.strip() and not content.text.strip():
        faults.append(Fault("/html", "empty", "a mail needs an HTML or a text part"))
    faults += _attachment_faults(content)
    try:
        assembled = assemble(content, tracker_url=_TRACKER, personal=False)
    except InvalidTemplate as error:
        raise InvalidTemplate(faults=[*faults, *error.faults]) from None
    previews = [_preview(assembled, sample, faults) for sample in (*samples[:MAX_SAMPLES], {})]
    if faults:
        raise InvalidTemplate(faults=list(dict.fromkeys(faults)))
    return CheckedContent(assembled.links, tuple(previews[:-1]))


def _attachment_faults(content: Content) -> Iterator[Fault]:
    files = content.attachments
    if len(files) > MAX_ATTACHMENTS:
        yield Fault("/attachments", "too_many", f"at most {MAX_ATTACHMENTS} files")
    if sum(one.size for one in files) > MAX_ATTACHED:
        yield Fault("/attachments", "too_large", f"at most {MAX_ATTACHED:,} bytes together")
    names = [one.name for one in files]
    for at, name in enumerate(names):
        if name in names[:at]:
            yield Fault(f"/attachments/{at}", "twice", "another attachment has this name")


def _sender_faults(content: Content) -> Iterator[Fault]:
    sender = content.sender
    for field, meaning in _LEGAL.items():
        text = getattr(sender, field)
        if not text.strip():
            yield Fault(f"/sender/{field}", "missing", f"the law asks for {meaning}")
        if any(char in text for char in _LINE_BREAKS):
            yield Fault(f"/sender/{field}", "line_break", "this is one line")
    addresses = {
        "address": sender.address,
        "reply_to": sender.reply_to,
        "domain": f"postmaster@{sender.domain}",
    }
    for field, address in addresses.items():
        try:
            if address is not None and not written(address).isascii():
                yield Fault(f"/sender/{field}", "address", "a sender's address is ASCII")
        except RenderFailed:
            yield Fault(f"/sender/{field}", "address", "this can't stand in a mail address")


def _preview(assembled: Assembled, sample: Mapping[str, object], faults: list[Fault]) -> Preview:
    tokens = [_TOKEN.encode()] * (FIRST_LINK + len(assembled.links))
    url = f"{_TRACKER}/u/{_TOKEN}"
    own = {UNSUBSCRIBE_URL: url, PREFERENCES_URL: f"{_TRACKER}/p/{_TOKEN}", WEB_URL: f"{_TRACKER}/w/{_TOKEN}"}
    rendered: dict[str, str] = {}
    whose = "a sample" if sample else "a member without values"
    for kind, part in (("subject", assembled.subject), ("html", assembled.html), ("text", assembled.text)):
        try:
            rendered[kind] = part.render(sample, tokens, own).decode() if part else ""
            if part and kind != "subject" and url not in rendered[kind]:
                faults.append(Fault(f"/{kind}", "no_unsubscribe_link", f"no way to leave is shown (with {whose})"))
        except RenderFailed as error:
            faults.append(Fault(f"/{kind}", error.reason, f"{error.detail} (with {whose})"))
            rendered[kind] = ""
    if any(char in rendered["subject"] for char in _LINE_BREAKS):
        faults.append(Fault("/subject", "line_break", f"it is more than one line (with {whose})"))
    faults += _link_faults(rendered["html"], whose)
    return Preview(rendered["subject"], rendered["html"] if assembled.html else None, rendered["text"])


def _link_faults(html: str, whose: str) -> Iterator[Fault]:
    try:
        for code in unsafe_links(html):
            yield Fault("/html", code, f"a link must be http, https, mailto or tel (with {whose})")
    except Unclosed:
        yield Fault("/html", "markup", f"a tag is not closed (with {whose})")
