"""What is added to a mail beside its own content: the law's footer, the pixel, the preheader.

The footer names the sender, the postal address, whom to complain to and how to leave (Japan's Specified Electronic
Mail Act, CAN-SPAM), and where to choose what comes: in Japanese and in English, for who reads it isn't known.
"""

import re
from html import escape

from jinja2 import nodes

from delivery.compose.content import Sender
from delivery.compose.markup import Tag, scan
from delivery.compose.tree import Pieces, Skeleton, constant, hole

HONEYPOT_TOKEN = "_honeypot"  # noqa: S105 - as below
OPEN_TOKEN = "_open"  # noqa: S105 - the name of a hole
UNSUBSCRIBE_TOKEN = "_unsubscribe"  # noqa: S105
PREFERENCES_TOKEN = "_preferences"  # noqa: S105

_HIDDEN = "display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;color:transparent"


def html_footer(sender: Sender, tracker_url: str) -> Pieces:
    """Return the footer of an HTML part."""
    name, postal, contact = (escape(text) for text in (sender.name, sender.postal_address, sender.contact))
    return [
        constant(
            '<div style="margin-top:24px;padding-top:12px;border-top:1px solid #ccc;font-size:12px;color:#555">'
            f'<p>{name}<br>{postal}<br>お問い合わせ / Contact: {contact}</p><p><a href="{tracker_url}/u/'
        ),
        hole(UNSUBSCRIBE_TOKEN),
        constant(f'">配信停止はこちら / Unsubscribe</a><br><a href="{tracker_url}/p/'),
        hole(PREFERENCES_TOKEN),
        constant('">配信設定 / Preferences</a></p></div>'),
    ]


def text_footer(sender: Sender, tracker_url: str) -> Pieces:
    """Return the footer of a text part."""
    return [
        constant(
            f"\r\n\r\n--------------------\r\n{sender.name}\r\n{sender.postal_address}\r\n"
            f"お問い合わせ / Contact: {sender.contact}\r\n配信停止 / Unsubscribe: {tracker_url}/u/"
        ),
        hole(UNSUBSCRIBE_TOKEN),
        constant(f"\r\n配信設定 / Preferences: {tracker_url}/p/"),
        hole(PREFERENCES_TOKEN),
        constant("\r\n"),
    ]


def pixel(prefix: str) -> Pieces:
    """Return the image that reports an open."""
    return [constant(f'<img src="{prefix}'), hole(OPEN_TOKEN), constant('" width="1" height="1" alt="">')]


def honeypot(prefix: str) -> Pieces:
    """Return the link that no reader sees or is read out: who follows it is a machine."""
    hidden = f'" style="{_HIDDEN}" tabindex="-1" aria-hidden="true" rel="nofollow"></a>'
    return [constant(f'<a href="{prefix}'), hole(HONEYPOT_TOKEN), constant(hidden)]


def preheader(tree: nodes.Template) -> Pieces:
    """Return the line that mail programs show beside the subject, hidden in the body itself."""
    printed = [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]
    return [constant(f'<div style="{_HIDDEN}">'), *printed, constant("</div>")]  # type: ignore[list-item]


def body_start(skeleton: Skeleton) -> int:
    """Return where an HTML part's body begins: after `<body>`, else after the head, else at the start.

    The markup is known to be closed.
    """
    found = {(tag.name, tag.closing): tag.end for tag in scan(skeleton.text) if isinstance(tag, Tag)}
    places = (found.get(key) for key in (("body", False), ("head", True), ("html", False)))
    return next((place for place in places if place is not None), 0)


def body_end(skeleton: Skeleton) -> int:
    """Return where an HTML part's body ends: before the last `</body>`, else before `</html>`, else at the end."""
    closers = [found.start() for found in re.finditer(r"</body\s*>", skeleton.text, re.IGNORECASE)]
    closers = closers or [found.start() for found in re.finditer(r"</html\s*>", skeleton.text, re.IGNORECASE)]
    return closers[-1] if closers else len(skeleton.text)
