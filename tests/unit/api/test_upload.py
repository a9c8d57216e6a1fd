"""Uploads are read as they come, in whatever pieces, and every bound holds."""

from collections.abc import AsyncIterator

import pytest

from api.errors import MalformedRequest, UnsupportedMediaType
from api.upload import BLOCK, MAX_FIELD, Upload
from core.errors import InvalidInput, TodokuError

BOUNDARY = "xx--yy"
TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def read(body: bytes, cut: int = 1000) -> tuple[dict[str, str], list[bytes], bool]:
    upload = Upload(TYPE, ("mapping", "consent_source"))
    blocks: list[bytes] = []

    async def keep(block: bytes) -> None:
        blocks.append(block)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), cut):
            yield body[at : at + cut]
        yield b""

    await upload.read(pieces(), keep)
    return upload.fields, blocks, upload.has_file


@pytest.mark.parametrize("cut", [1, 7, 64, 10**9])
async def test_fields_may_stand_before_and_after_the_file(cut: int) -> None:
    file = b"email\r\ntaro@example.jp\r\n--xx-\r\n"
    body = (
        part("mapping", '{"メール":"email"}'.encode())
        + part("file", file, '; filename="a.csv"')
        + part("consent_source", b"form")
        + END
    )
    fields, blocks, has_file = await read(body, cut)
    assert fields == {"mapping": '{"メール":"email"}', "consent_source": "form"}
    assert b"".join(blocks) == file
    assert has_file


async def test_a_big_file_comes_in_blocks_of_a_mebibyte() -> None:
    file = bytes(range(256)) * (BLOCK * 5 // 2 // 256)
    _, blocks, _ = await read(part("file", file) + END, 65_536)
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, BLOCK // 2]
    assert b"".join(blocks) == file


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (part("file", b"abc"), MalformedRequest),
        (b"", MalformedRequest),
        (b"nonsense", MalformedRequest),
        (part("surprise", b"x") + END, InvalidInput),
        (part("mapping", b"x") + part("mapping", b"x") + END, InvalidInput),
        (part("file", b"x") + part("file", b"x") + END, InvalidInput),
        (part("mapping", b"x" * (MAX_FIELD + 1)) + END, InvalidInput),
        (part("mapping", b"\xff\xfe") + END, InvalidInput),
        (b"".join(part("mapping", b"") for _ in range(30)) + END, InvalidInput),
    ],
)
async def test_what_is_no_upload_of_ours_is_refused(body: bytes, error: type[TodokuError]) -> None:
    with pytest.raises(error):
        await read(body)


@pytest.mark.parametrize("content_type", ["", "application/json", "text/csv; x=y", "multipart/mixed; boundary=x"])
def test_another_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        Upload(content_type, ())


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        Upload("multipart/form-data; boundary=" + "x" * 5000, ())
