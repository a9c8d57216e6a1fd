"""Reading a message up to the lone dot (RFC 5321 section 4.5.2)."""

import asyncio

_LONE_DOT = b".\r\n"
_END = b"\r\n.\r\n"


async def read_message(reader: asyncio.StreamReader, most: int) -> bytes | None:
    """Return the message with its dots un-stuffed and its last CRLF, or None if it was over `most` bytes.

    Only CRLF . CRLF ends it: a bare LF is content, so no second message can be smuggled in. What is over the bound is
    read on to the end and dropped. Not line by line: a mail of 10 KB is one or two reads, not 150.
    """
    message = bytearray()
    too_large = False
    while True:
        try:
            message += await reader.readuntil(_LONE_DOT)
            ended = message.endswith(_END) or message == _LONE_DOT
        except asyncio.LimitOverrunError as overrun:
            message += await reader.read(overrun.consumed)
            ended = False
        if len(message) > most + len(_LONE_DOT):
            too_large = True
            # The end is still to be found, over the seam too.
            del message[: -len(_END)]
        if ended:
            return None if too_large else _unstuffed(bytes(message[: -len(_LONE_DOT)]))


def _unstuffed(message: bytes) -> bytes:
    if message.startswith(b"."):
        message = message[1:]
    return message.replace(b"\r\n.", b"\r\n")
