"""Repeatable POSTs: the first answer under an Idempotency-Key is kept for a day and given again.

Nothing of the request is stored as it came: the key as a digest, the request as an HMAC under the key, the answer
sealed (api/answers.py), since it may hold a member's address and this database may not. An answer of 5xx is not kept,
so that a retry tries again; after a crash the key is free again in a minute.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg

from api.answers import SealedAnswers
from api.errors import KeyReused, MalformedRequest, StillRunning
from core import sql
from core.errors import Fault
from members.kek import KekProvider

SQL = sql.load(__package__ or "", "idempotency.sql")

HEADER = "idempotency-key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY = 255
RENEW_AFTER = 20.0
"""Seconds after which a long upload says that it is still at work."""

_KEPT_HEADERS = ("content-type", "location", "etag")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is kept: status, the headers that matter, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Claim:
    """The right to be the first request under a key; `stamp` fences it against whoever takes it over."""

    account_id: UUID
    key: str
    stamp: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """An answer that was given before, and the fingerprint of the request that got it."""

    fingerprint: bytes
    answer: Answer

    def for_request(self, fingerprint: bytes) -> Answer:
        """Return the answer if this is the same request; raise KeyReused if it is another."""
        if not hmac.compare_digest(self.fingerprint, fingerprint):
            raise KeyReused(
                "Use a new key for a new request", [Fault("/header/idempotency-key", "reused", "Used before")]
            )
        return self.answer


class IdempotencyStore:
    """The kept answers of one installation."""

    def __init__(self, main: asyncpg.Pool, kek: KekProvider) -> None:
        self._main = main
        self._sealed = SealedAnswers(kek)

    async def claim(self, account_id: UUID, key: str, fingerprint: bytes) -> Claim | Known:
        """Become the first request under `key`, or get what the first was answered.

        Raises StillRunning while the first has no answer. `fingerprint` is empty where it is not known yet.
        """
        shown = key_digest(key)
        while True:
            stamp = await self._main.fetchval(SQL["claim"], account_id, shown, fingerprint)
            if stamp is not None:
                return Claim(account_id, shown, stamp)
            row = await self._main.fetchrow(SQL["find"], account_id, shown)
            if row is None:
                continue  # it was released between the two statements
            if row["status"] is None:
                raise StillRunning("Try again in a moment")
            body = await self._sealed.open(row["body"], _aad(account_id, shown))
            return Known(row["fingerprint"], Answer(row["status"], row["headers"], body))

    async def renew(self, claim: Claim) -> None:
        """Say that the work goes on; raise StillRunning if another request has taken it over."""
        stamp = await self._main.fetchval(SQL["renew"], claim.account_id, claim.key, claim.stamp)
        if stamp is None:
            raise StillRunning("Another request took over")
        claim.stamp = stamp

    async def keep(self, claim: Claim, fingerprint: bytes, answer: Answer) -> None:
        """Keep the answer for a day."""
        body = await self._sealed.seal(answer.body, _aad(claim.account_id, claim.key))
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        await self._main.execute(
            SQL["keep"], claim.account_id, claim.key, claim.stamp, fingerprint, answer.status, headers, body
        )

    async def rewrap(self) -> int:
        """Wrap the keys of all kept answers by the present KEK; return how many keys that were."""
        prefixes = [row["prefix"] for row in await self._main.fetch(SQL["wrapped_keys"])]
        for prefix in prefixes:
            await self._main.execute(SQL["rewrap"], prefix, await self._sealed.rewrapped(prefix))
        return len(prefixes)

    async def release(self, claim: Claim) -> None:
        """Let the next request under this key be the first."""
        await self._main.execute(SQL["release"], claim.account_id, claim.key, claim.stamp)


def check_key(key: str) -> str:
    """Return the key of a request's header; raise MalformedRequest if it is empty, too long or not printable ASCII."""
    if not 0 < len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        fault = Fault("/header/idempotency-key", "invalid", f"1 to {MAX_KEY} printable ASCII characters")
        raise MalformedRequest("The Idempotency-Key can't be used", [fault])
    return key


def key_digest(key: str) -> str:
    """Return what a key is stored as: callers put all kinds of things into keys."""
    return sha256(b"todoku idempotency key\0" + key.encode()).hexdigest()


class Fingerprint:
    """An HMAC of a request, fed piece by piece, under the caller's own key, which is not stored.

    A multipart `boundary` is left out of it: a client that repeats an upload makes a new one.
    """

    def __init__(self, key: str, method: str, target: str, boundary: bytes = b"") -> None:
        self._mac = hmac.new(key.encode(), f"{method} {target}\0".encode(), sha256)
        self._boundary = boundary
        self._rest = b""

    def add(self, block: bytes) -> None:
        """Take the next piece of the body."""
        if not self._boundary:
            self._mac.update(block)
            return
        *whole, last = (self._rest + block).split(self._boundary)
        for piece in whole:
            self._mac.update(piece)
        # A boundary may be cut by the end of the block.
        keep = min(len(last), len(self._boundary) - 1)
        self._mac.update(last[: len(last) - keep])
        self._rest = last[len(last) - keep :]

    def digest(self) -> bytes:
        """Return the 32 bytes that stand for the whole request."""
        whole = self._mac.copy()
        whole.update(self._rest)
        return whole.digest()


def _aad(account_id: UUID, key: str) -> bytes:
    return b"idempotency\0" + account_id.bytes + key.encode()
