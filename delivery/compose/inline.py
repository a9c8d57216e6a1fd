"""Images within the text: `cid:NAME` in an HTML part names an attachment, which is then shown there (RFC 2392)."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from html import unescape

from core.errors import Fault
from delivery.compose.content import Content
from delivery.compose.markup import Run, scan
from delivery.compose.tree import HOLE, SEAM, Skeleton, constant

_CID = re.compile(r"(?<![\w.+-])cid:([^\s\"'()<>]*)", re.IGNORECASE)
_PLACES = frozenset({"src", "background", "style"})


def content_ids(content: Content) -> dict[str, str]:
    """Return the Content-ID of each attachment by its name, without angle brackets (RFC 2045 section 7)."""
    return {
        one.name: f"{blake2b(one.attachment_id.bytes, digest_size=12, person=b'content-id').hexdigest()}"
        f"@{content.sender.domain}"
        for one in content.attachments
    }


def embed(skeleton: Skeleton, ids: Mapping[str, str], faults: list[Fault]) -> frozenset[str]:
    """Put Content-IDs in the place of names; return the names of what is shown in the text.

    The markup is known to be closed.
    """
    shown = set()
    for tag in scan(skeleton.text):
        if isinstance(tag, Run):
            continue
        for attribute in tag.attributes:
            if attribute.name not in _PLACES:
                continue
            for found in _CID.finditer(skeleton.text, attribute.start, attribute.end):
                name = unescape(found[1])
                if name in ids:
                    shown.add(name)
                    skeleton.replace(found.start(), found.end(), [constant(f"cid:{ids[name]}")])
                else:
                    what = "can't be computed" if HOLE in name or SEAM in name else "is not that of an attachment"
                    line = skeleton.line(found.start())
                    faults.append(Fault("/html", "unknown_attachment", f"line {line}: the name behind cid: {what}"))
    return frozenset(shown)
