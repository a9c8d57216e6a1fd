"""Kept answers, sealed: each process has a key of its own for them, which the KEK wraps once, kept beside each answer.

    body = length of the wrapped key (2) | wrapped key | nonce (12) | ciphertext

So a KEK that a command keeps is not asked at each request.
"""

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Tampered
from members.kek import KekProvider
from members.sealing import KEY_BYTES, NONCE_BYTES, unwrap, wrap

_AAD = b"answers"
_LENGTH = 2
_MOST_KEYS = 1000


class SealedAnswers:
    """Seals and opens answers. `random` returns n random bytes."""

    def __init__(self, kek: KekProvider, random: Callable[[int], bytes] = os.urandom) -> None:
        self._kek = kek
        self._random = random
        self._mine: bytes | None = None
        self._ciphers: dict[bytes, AESGCM] = {}

    async def seal(self, answer: bytes, aad: bytes) -> bytes:
        """Seal an answer for its place."""
        if self._mine is None:
            key = self._random(KEY_BYTES)
            prefix = await self._wrapped(key)
            # Of two first answers at once either key will do.
            self._mine, self._ciphers[prefix] = prefix, AESGCM(key)
        return self._mine + wrap(self._ciphers[self._mine], answer, aad, self._random(NONCE_BYTES))

    async def open(self, body: bytes, aad: bytes) -> bytes:
        """Open a sealed answer; raise Tampered if it is not what was sealed for this place."""
        prefix = body[: _LENGTH + int.from_bytes(body[:_LENGTH], "big")]
        cipher = self._ciphers.get(prefix)
        if cipher is None:
            if len(self._ciphers) >= _MOST_KEYS:
                self._ciphers, self._mine = {}, None
            cipher = self._ciphers[prefix] = AESGCM(await self._key(prefix))
        return unwrap(cipher, body[len(prefix) :], aad)

    async def rewrapped(self, prefix: bytes) -> bytes:
        """Return what stands before an answer with its key wrapped by the present KEK."""
        return await self._wrapped(await self._key(prefix))

    async def _wrapped(self, key: bytes) -> bytes:
        wrapped = await self._kek.wrap(key, _AAD)
        return len(wrapped).to_bytes(_LENGTH, "big") + wrapped

    async def _key(self, prefix: bytes) -> bytes:
        key = await self._kek.unwrap(prefix[_LENGTH:], _AAD)
        if len(key) != KEY_BYTES:
            raise Tampered("A kept answer is not sealed as answers are")
        return key
