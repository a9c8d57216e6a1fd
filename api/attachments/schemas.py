"""Attachments as they are shown, and the form of an upload."""

from datetime import datetime
from typing import Any

from api.values import Answer, AttachmentId
from delivery.attachments import StoredAttachment


class AttachmentShown(Answer):
    """A file that templates can send along; `size` in bytes, `sha256` in hexadecimal digits."""

    id: AttachmentId
    name: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime


UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "With its name and media type"},
                        "name": {"type": "string", "description": "Another name than the file's own"},
                    },
                    "example": {"file": "%PDF-1.7 …", "name": "price list.pdf"},
                }
            }
        },
    }
}
"""The form of POST /v1/attachments for the API's description: the endpoint reads it as a stream."""


def shown(found: StoredAttachment) -> AttachmentShown:
    """Return what the API shows of an attachment."""
    return AttachmentShown(
        id=found.attachment_id,
        name=found.name,
        content_type=found.content_type,
        size=found.size,
        sha256=found.sha256.hex(),
        created_at=found.created_at,
    )
