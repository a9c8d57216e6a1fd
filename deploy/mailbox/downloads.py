"""Parts of a mail as they are: its HTML in a sandbox, its bytes, its attachments."""

import re
from base64 import b64encode
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response

from core.errors import NotFound
from deploy.mailbox.guard import MAIL_POLICY
from deploy.mailbox.lookup import LAST, Number, Store, kept
from deploy.mailbox.reading import Mail, read_mail

_CID = re.compile(r"""cid:([^\s"'()<>]+)""", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]+")

# Links open beside the mailbox, not inside the frame.
_BEFORE_HTML = '<!doctype html><meta charset="utf-8"><base target="_blank">'

router = APIRouter(prefix="/messages/{number}")


@router.get("/html")
def show_html(store: Store, number: Number) -> HTMLResponse:
    """Serve the HTML part for the frame: no script runs in it, wherever it is opened."""
    mail = read_mail(kept(store, number)[1])
    if mail.html is None:
        raise NotFound("This mail has no HTML part")
    content = (_BEFORE_HTML + _with_images(mail, mail.html)).encode("utf-8", "replace")
    return HTMLResponse(content, headers={"content-security-policy": MAIL_POLICY})


@router.get("/raw")
def download(store: Store, number: Number) -> Response:
    """Serve the message as it came."""
    return _file(kept(store, number)[1], f"{number}.eml", "message/rfc822")


@router.get("/attachments/{place}")
def download_attachment(store: Store, number: Number, place: Annotated[int, Path(ge=0, le=LAST)]) -> Response:
    """Serve one attachment, always as a file and never as something to show."""
    attachments = read_mail(kept(store, number)[1]).attachments
    if place >= len(attachments):
        raise NotFound("This mail has no such attachment")
    return _file(attachments[place].content, attachments[place].name, "application/octet-stream")


def _with_images(mail: Mail, html: str) -> str:
    """Put images of the mail's own in the place of their Content-IDs (RFC 2392): the frame can reach nothing here."""
    images = {one.content_id: one for one in mail.attachments if one.content_id and _IMAGE.fullmatch(one.content_type)}

    def shown(found: re.Match[str]) -> str:
        image = images.get(unquote(found[1]))
        return found[0] if image is None else f"data:{image.content_type};base64,{b64encode(image.content).decode()}"

    return _CID.sub(shown, html) if images else html


def _file(content: bytes, name: str, media_type: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return Response(content, media_type=media_type, headers={"content-disposition": disposition})
