"""A key-encryption key that a command keeps: any KMS or HSM with a tool of its own.

    <command> fingerprint    prints what names the key
    <command> wrap           reads a line of base64, prints a line of base64
    <command> unwrap         the other way round

A KMS may know of no AAD, so a digest of it is wrapped with the key and compared afterwards: a wrapped key that was
moved to another place is noticed all the same. Input and output are bounded in size and time; what the command says
on standard error is nobody's business and is dropped.
"""

import asyncio
import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

from core.errors import ConfigurationError, Tampered, Unavailable

SECONDS = 15.0
MAX_OUTPUT = 65_536
_DIGEST_BYTES = 32
_FINGERPRINT = re.compile(r"[\x21-\x7e]{1,64}")


class CommandKek:
    """Wraps and unwraps by running `command`, once a call. Made by `opened`."""

    def __init__(self, command: Sequence[str], fingerprint: str, seconds: float = SECONDS) -> None:
        self._command = command
        self._seconds = seconds
        self.fingerprint = fingerprint

    @classmethod
    async def opened(cls, command: Sequence[str], seconds: float = SECONDS) -> "CommandKek":
        """Ask the command for its key's fingerprint; ConfigurationError if it gives none."""
        try:
            said = (await _run(command, "fingerprint", b"", seconds)).decode("ascii").strip()
        except (Unavailable, Tampered, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The KEK's command gives no fingerprint: {error}") from None
        if not _FINGERPRINT.fullmatch(said):
            raise ConfigurationError("The KEK's command gives no fingerprint: 1 to 64 visible ASCII characters")
        return cls(command, said, seconds)

    async def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Seal `key` with the digest of `aad`; raise Unavailable if the command fails."""
        line = base64.b64encode(sha256(aad).digest() + key) + b"\n"
        try:
            return _decoded(await _run(self._command, "wrap", line, self._seconds))
        except Tampered:
            raise Unavailable("The KEK's command answers something else than base64") from None

    async def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Open a wrapped key; raise Tampered unless it was wrapped for `aad`, Unavailable if the command fails."""
        line = base64.b64encode(wrapped) + b"\n"
        opened = _decoded(await _run(self._command, "unwrap", line, self._seconds))
        if not hmac.compare_digest(opened[:_DIGEST_BYTES], sha256(aad).digest()):
            raise Tampered("A wrapped key was moved")
        return opened[_DIGEST_BYTES:]


async def _run(command: Sequence[str], what: str, line: bytes, seconds: float) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            what,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=MAX_OUTPUT,
        )
    except OSError as error:
        raise ConfigurationError(f"The KEK's command can't be run: {error.strerror}") from None
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101
    try:
        async with asyncio.timeout(seconds):
            with suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(line)
                await process.stdin.drain()
            process.stdin.close()
            output = await process.stdout.read(MAX_OUTPUT + 1)
            while len(output) <= MAX_OUTPUT and (more := await process.stdout.read(MAX_OUTPUT + 1)):
                output += more
            if len(output) > MAX_OUTPUT:
                raise Unavailable(f"The KEK's command says more than {MAX_OUTPUT} bytes")
            code = await process.wait()
    except TimeoutError:
        raise Unavailable(f"The KEK's command took longer than {seconds:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if code != 0:
        raise Unavailable(f"The KEK's command failed with code {code}")
    return output


def _decoded(output: bytes) -> bytes:
    try:
        return base64.b64decode(output.strip(), validate=True)
    except (ValueError, binascii.Error):
        raise Tampered("The KEK's command answers something else than base64") from None
