"""Finding a message's end, and what its dots were."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.inbound.dot_stuffing import read_message

MOST = 1000


async def read(wire: bytes, *, pieces: int = 0, limit: int = 64, most: int = MOST) -> tuple[bytes | None, bytes]:
    """Return the message and what is left on the wire, fed at once or in pieces."""
    reader = asyncio.StreamReader(limit=limit)
    reading = asyncio.create_task(read_message(reader, most))
    step = pieces or max(len(wire), 1)
    for start in range(0, len(wire), step):
        reader.feed_data(wire[start : start + step])
        await asyncio.sleep(0)
    message = await asyncio.wait_for(reading, 5)
    reader.feed_eof()
    return message, await reader.read()


@pytest.mark.parametrize("pieces", [0, 1, 3])
@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n..b\r\n.\r\n", b"..\r\n.b\r\n"),
        (b"ends with.\r\nand goes on.\r\n.\r\n", b"ends with.\r\nand goes on.\r\n"),
        (b"bare\n.\nand\r.\rstay\r\n.\r\n", b"bare\n.\nand\r.\rstay\r\n"),
        (b"x" * 500 + b"\r\n.\r\n", b"x" * 500 + b"\r\n"),
    ],
)
async def test_a_message_ends_at_the_lone_dot_and_nothing_after_it_is_taken(
    wire: bytes, message: bytes, pieces: int
) -> None:
    assert await read(wire + b"MAIL FROM:<>\r\n", pieces=pieces) == (message, b"MAIL FROM:<>\r\n")


@pytest.mark.parametrize("pieces", [0, 7])
@pytest.mark.parametrize("line", [b"x" * 5000, b"short line.\r\n" * 400, b"\r\n" * 2000])
async def test_a_message_over_the_bound_is_read_to_its_end_and_dropped(line: bytes, pieces: int) -> None:
    assert await read(line + b"\r\n.\r\nQUIT\r\n", pieces=pieces) == (None, b"QUIT\r\n")


async def test_a_message_at_the_bound_is_kept() -> None:
    message = b"x" * (MOST - 2) + b"\r\n"
    assert await read(message + b".\r\n") == (message, b"")
    assert await read(b"x" + message + b".\r\n") == (None, b"")


async def test_a_line_of_almost_only_dots_never_ends_a_message_early() -> None:
    for seam in range(56, 72):
        message = b"x" * seam + b".\r\n" + b"y" * 10 + b"\r\n"
        assert await read(message + b".\r\n", limit=64) == (message, b"")


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\r\n", b""))), st.integers(1, 50))
async def test_what_a_sender_stuffed_comes_out_as_it_was(lines: list[bytes], pieces: int) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join(
        (b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in message.split(b"\r\n")[:-1]
    )
    assert await read(stuffed + b".\r\n", pieces=pieces, most=100_000) == (message, b"")
