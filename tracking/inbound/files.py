"""Mail that arrived elsewhere, out of files: messages (RFC 5322), mbox (RFC 4155) and Maildir.

Read as often as one likes: what was taken in before counts nothing. Replies and mail for the operator were delivered
where they arrived and are passed over; so is a mail over the bound. What can't be read goes to a person as any other.
"""

import mailbox
from collections import Counter
from collections.abc import Iterator, Sequence
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import parseaddr
from pathlib import Path
from typing import TypeAlias

from core.errors import Fault, InvalidInput, NotFound
from core.tokens import LinkSigner
from delivery import return_addresses
from delivery.return_addresses import ReturnAddress
from tracking.inbound.reception import Reception

Tally: TypeAlias = Counter[str]
"""How many mails came to what; `too_large` are those over the bound."""

_MBOX = b"From "
_HEAD = 65_536
_RECIPIENT_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")


async def take_files(reception: Reception, signer: LinkSigner, paths: Sequence[Path], *, most: int) -> Tally:
    """Take in all mails of `paths`, of at most `most` bytes each. Raises InvalidInput for paths that can't be read."""
    faults = [
        Fault(f"/{number}", "unreadable", "There is no such file, or it can't be read")
        for number, path in enumerate(paths)
        if not path.exists()
    ]
    if faults:
        raise InvalidInput("Not all of the paths can be read", faults)
    tally: Tally = Counter()
    for path in paths:
        for raw in _mails(path):
            if len(raw) > most:
                tally["too_large"] += 1
                continue
            sender, address, came_to = _envelope(raw, signer)
            tally[await reception.take(raw, address, came_to=came_to, sender=sender)] += 1
    return tally


def _mails(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        if (path / "cur").is_dir() and (path / "new").is_dir():
            maildir = mailbox.Maildir(path, create=False)
            yield from (maildir.get_bytes(key) for key in sorted(maildir.keys()))
            return
        for one in sorted(path.iterdir()):
            if one.is_file():
                yield from _mails(one)
        return
    with path.open("rb") as file:
        begins = file.read(len(_MBOX))
    if begins != _MBOX:
        yield path.read_bytes()
        return
    box = mailbox.mbox(path, create=False)
    try:
        yield from (box.get_bytes(key) for key in box.keys())  # noqa: SIM118 - a mailbox gives out messages
    finally:
        box.close()


def _envelope(raw: bytes, signer: LinkSigner) -> tuple[str, ReturnAddress | None, str]:
    """Read sender and recipient off the fields that a server left: the sender, what the recipient says, the recipient.

    Without a Return-Path the sender is whom From names: a null reverse-path is to be seen, not guessed.
    """
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:_HEAD])
    returns = head.get("Return-Path")
    sender = parseaddr(str(head.get("From", "") if returns is None else returns))[1]
    for name in _RECIPIENT_FIELDS:
        for value in head.get_all(name, [])[:10]:
            address = parseaddr(str(value)[:1_000])[1]
            try:
                return sender, return_addresses.read(address.partition("@")[0], signer), address
            except NotFound:
                continue
    return sender, None, ""
