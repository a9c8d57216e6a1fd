"""/v1/attachments: files that templates send along, and images that they show."""

from email.message import Message

from fastapi import APIRouter, Request, Response, status

from api.attachments.schemas import UPLOAD, AttachmentShown, shown
from api.auth import By, Requires
from api.pagination import Listed, Paged, cut
from api.route import Route
from api.services import From
from api.upload import Upload
from api.values import AttachmentPath
from core import ids
from core.errors import Fault, InvalidInput

router = APIRouter(prefix="/v1/attachments", tags=["attachments"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("templates:write")], openapi_extra=UPLOAD)
async def create_attachment(request: Request, response: Response, by: By, services: From) -> AttachmentShown:
    """Upload a file. A template names it in `attachments`, and shows an image by `<img src="cid:NAME">`."""
    upload = Upload(request.headers.get("content-type", ""), ("name",))
    content = bytearray()

    async def keep(block: bytes) -> None:
        content.extend(block)

    await upload.read(request.stream(), keep)
    if not upload.has_file:
        raise InvalidInput("The upload has no file", [Fault("/file", "missing", "Send the file in a part named file")])
    name = upload.fields.get("name", upload.filename)
    made = await services.attachments.add(by.account_id, name, upload.content_type, bytes(content))
    response.headers["Location"] = f"/v1/attachments/{ids.encode('att', made.attachment_id)}"
    return shown(made)


@router.get("", dependencies=[Requires("templates:read")])
async def list_attachments(page: Paged, by: By, services: From) -> Listed[AttachmentShown]:
    """List attachments, oldest first."""
    found = await services.attachments.list(by.account_id, after=page.after, limit=page.limit)
    return Listed(
        items=[shown(one) for one in found],
        next=cut(found, page, found[-1].attachment_id if found else None),
        count=await services.attachments.count(by.account_id) if page.count else None,
    )


@router.get("/{attachment_id}", dependencies=[Requires("templates:read")])
async def get_attachment(attachment_id: AttachmentPath, by: By, services: From) -> AttachmentShown:
    """Read an attachment's particulars."""
    return shown(await services.attachments.get(by.account_id, attachment_id))


@router.get("/{attachment_id}/content", dependencies=[Requires("templates:read")], response_class=Response)
async def download_attachment(attachment_id: AttachmentPath, by: By, services: From) -> Response:
    """Download the file."""
    found = await services.attachments.get(by.account_id, attachment_id)
    content = await services.attachments.content(by.account_id, attachment_id)
    disposition = Message()
    disposition.add_header("Content-Disposition", "attachment", filename=("utf-8", "", found.name))
    headers = {"Content-Disposition": str(disposition["Content-Disposition"])}
    return Response(content, media_type=found.content_type, headers=headers)


@router.delete("/{attachment_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("templates:write")])
async def remove_attachment(attachment_id: AttachmentPath, by: By, services: From) -> None:
    """Remove an attachment that no version of a template has: what was sent can still be shown."""
    await services.attachments.remove(by.account_id, attachment_id)
