"""HTTP by hand, for what no client would send."""

import asyncio


async def said(port: int, *pieces: bytes, end: bool = False) -> bytes:
    """Send bytes as they are, and then the end of them if `end`; return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if end:
            writer.write_eof()
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
