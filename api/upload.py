"""Reads an upload as it comes (multipart/form-data, RFC 7578): the file in blocks, nothing kept or put on disk.

What a caller says of the file itself (`filename`, `content_type`) is as it came: whoever uses it checks it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.errors import MalformedRequest, UnsupportedMediaType
from core.errors import Fault, InvalidInput

BLOCK = 1024 * 1024
"""Bytes of a block of the file; the last one is shorter."""
MAX_FIELD = 64 * 1024
MAX_PARTS = 20


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str = ""
    content_type: str | None = None
    is_file: bool = False


class Upload:
    """One request's body. `fields` are the names it may have; the file is the part `file`."""

    def __init__(self, content_type: str, fields: Collection[str]) -> None:
        kind, options = parse_options_header(content_type.encode("latin-1"))
        if kind != b"multipart/form-data":
            fault = Fault("/header/content-type", "unsupported", "Send multipart/form-data with a part named file")
            raise UnsupportedMediaType("A file is uploaded as multipart/form-data", [fault])
        self.fields: dict[str, str] = {}
        self.has_file = False
        self.filename = ""
        self.content_type: str | None = None
        self._known = fields
        self._parts = 0
        self._part = _Part()
        self._header = [b"", b""]
        self._value = bytearray()
        self._block = bytearray()
        self._ended = False
        try:
            self._parser = MultipartParser(
                options.get(b"boundary", b""),
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise _malformed() from None

    async def read(self, body: AsyncIterator[bytes], keep: Callable[[bytes], Awaitable[object]]) -> None:
        """Read the whole body; give the file to `keep` block by block, in order.

        Raises MalformedRequest, or InvalidInput for a part that is unknown, too large or there twice.
        """
        async for piece in body:
            if piece:
                try:
                    self._parser.write(piece)
                except FormParserError:
                    raise _malformed() from None
            while len(self._block) >= BLOCK:
                await keep(bytes(self._block[:BLOCK]))
                del self._block[:BLOCK]
        if not self._ended:
            raise MalformedRequest("The upload ends before its last boundary")
        if self._block:
            await keep(bytes(self._block))

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedRequest("The upload has too many parts")
        self._part = _Part()

    def _header_name(self, piece: bytes, start: int, end: int) -> None:
        self._header[0] += piece[start:end]

    def _header_value(self, piece: bytes, start: int, end: int) -> None:
        self._header[1] += piece[start:end]

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            options = parse_options_header(value)[1]
            self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
            self._part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        elif name.lower() == b"content-type":
            self._part.content_type = value.decode("latin-1")
        self._header = [b"", b""]

    def _end_headers(self) -> None:
        name = self._part.name
        self._part.is_file = name == "file"
        if not self._part.is_file and name not in self._known:
            detail = f"Known parts: {', '.join(('file', *self._known))}"
            raise InvalidInput("The upload has an unknown part", [Fault("", "unknown-part", detail)])
        if name in self.fields or (self._part.is_file and self.has_file):
            raise InvalidInput("A part is there twice", [Fault(f"/{name}", "twice", "Once is enough")])
        if self._part.is_file:
            self.has_file = True
            self.filename, self.content_type = self._part.filename, self._part.content_type

    def _take(self, piece: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._block += memoryview(piece)[start:end]
            return
        self._value += piece[start:end]
        if len(self._value) > MAX_FIELD:
            fault = Fault(f"/{self._part.name}", "too-large", f"At most {MAX_FIELD} bytes")
            raise InvalidInput("A part is too large", [fault])

    def _end_part(self) -> None:
        if self._part.is_file:
            return
        try:
            self.fields[self._part.name] = self._value.decode()
        except UnicodeDecodeError:
            fault = Fault(f"/{self._part.name}", "encoding", "Send UTF-8")
            raise InvalidInput("A part is not UTF-8", [fault]) from None
        self._value = bytearray()

    def _end(self) -> None:
        self._ended = True


def _malformed() -> MalformedRequest:
    return MalformedRequest("The upload is not well-formed multipart/form-data")
