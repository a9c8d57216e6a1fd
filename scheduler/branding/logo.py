"""Which pictures are taken as a logo, known by their first bytes: whatever a caller calls them. Pure."""

MOST_BYTES = 20_000
"""So that a page with its logo stays under 50 KB."""

_FIRST = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def media_type(picture: bytes) -> str | None:
    """Return a picture's media type, None for what is no picture. SVG is none: it can hold scripts."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for first, kind in _FIRST.items() if picture.startswith(first)), None)
