"""Posts what is due to webhooks, beside the sweep: a few at once to each, many in all.

Failure model. Whatever a receiver does (no address, no TLS, no answer in 10 s, a redirect, a 5xx) costs that delivery
one attempt and nobody else anything. A 410 turns the webhook off. While the database is away nothing is posted, since
nothing can be claimed; a post whose outcome could not be noted is made again, under the same id.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

import asyncpg
import orjson

from core import ids, logs, outbox
from core.clock import Clock
from core.database import AWAY
from core.errors import ConfigurationError, InvalidInput
from scheduler.meters import WEBHOOK_POSTS, WEBHOOKS_WAITING
from scheduler.webhooks import backoff, destination, posting, signing
from scheduler.webhooks.deliveries import Post, WebhookDeliveries
from scheduler.webhooks.destination import Address, Destination, Forbidden, Resolve
from scheduler.webhooks.posting import NotHttp
from scheduler.webhooks.signing import WebhookKeys

POST_SECONDS = 10.0
IDLE_SECONDS = 0.5
MEASURE_SECONDS = 5.0
AT_ONCE = 32
AT_ONCE_EACH = 4
GONE = 410

log = logs.get()

WORDS: Mapping[type[Exception], str] = {
    InvalidInput: "forbidden_address",
    Forbidden: "forbidden_address",
    ConfigurationError: "no_key",
    NotHttp: "not_http",
    UnicodeError: "unreachable",
    # Each of these is an OSError too.
    TimeoutError: "timeout",
    ssl.SSLError: "tls",
    OSError: "unreachable",
}
"""What a delivery says of a post that got no answer; the first that fits."""
_FAULTS = tuple(WORDS)


class WebhookSender:
    """Posts until it is cancelled. `jitter` returns a number in [0, 1); `tls` verifies receivers."""

    def __init__(
        self,
        main: asyncpg.Pool,
        keys: WebhookKeys,
        clock: Clock,
        *,
        jitter: Callable[[], float],
        loopback: bool = False,
        resolve: Resolve = destination.resolve_by_system,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._deliveries = WebhookDeliveries(main)
        self._keys = keys
        self._clock = clock
        self._jitter = jitter
        self._loopback = loopback
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._busy: dict[asyncio.Task[None], UUID] = {}

    async def run(self) -> None:
        """Post what is due until cancelled; then posts under way are dropped, and made again by whoever comes next."""
        measured = self._clock.monotonic() - MEASURE_SECONDS
        try:
            while True:
                try:
                    begun = await self.begin_due()
                    if self._clock.monotonic() - measured >= MEASURE_SECONDS:
                        measured = self._clock.monotonic()
                        await self._measure()
                except AWAY as error:
                    log.warning("database_away", what="webhooks", error=type(error).__name__)
                    begun = 0
                if not begun:
                    await asyncio.sleep(IDLE_SECONDS)
                else:
                    await asyncio.wait(self._busy, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def begin_due(self) -> int:
        """Begin as many posts as there is room for; return how many."""
        room = AT_ONCE - len(self._busy)
        if room <= 0:
            return 0
        posts = await self._deliveries.claim(set(self._busy.values()), each=AT_ONCE_EACH, most=room)
        for post in posts:
            task = asyncio.create_task(self._make(post), name="webhook post")
            self._busy[task] = post.webhook_id
            task.add_done_callback(lambda done: self._busy.pop(done, None))
        return len(posts)

    async def settle(self) -> None:
        """Wait for the posts that were begun."""
        while self._busy:
            await asyncio.wait(self._busy)

    async def _make(self, post: Post) -> None:
        status, fault = await self._attempt(post)
        with suppress(*AWAY):
            await self._note(post, status, fault)

    async def _attempt(self, post: Post) -> tuple[int | None, str | None]:
        """Return the status, if there is one, and what went wrong, if something did."""
        try:
            where = destination.parse(post.url, loopback=self._loopback)
            body = body_of(post)
            made = signing.headers(
                ids.encode("ntc", post.event_id),
                int(self._clock.now().timestamp()),
                body,
                [self._keys.secret(name) for name in post.secrets],
            )
            async with asyncio.timeout(POST_SECONDS):
                found = await destination.addresses(where, self._resolve, loopback=self._loopback)
                status = await self._post_to_first(where, found, made, body)
        except _FAULTS as error:
            return None, next(word for kind, word in WORDS.items() if isinstance(error, kind))
        return status, None if 200 <= status < 300 else "refused"  # noqa: PLR2004

    async def _post_to_first(
        self, where: Destination, found: list[Address], headers: dict[str, str], body: bytes
    ) -> int:
        """Post to the first address that answers: a name may have one that no route leads to."""
        for address in found[:-1]:
            with suppress(OSError):
                return await posting.post(where, address, headers, body, self._tls)
        return await posting.post(where, found[-1], headers, body, self._tls)

    async def _note(self, post: Post, status: int | None, fault: str | None) -> None:
        WEBHOOK_POSTS.labels(fault or "sent").inc()
        if fault is None and status is not None:
            await self._deliveries.sent(post, status)
            return
        gone = status == GONE
        delay = None if gone else backoff.delay_after(post.attempts, jitter=self._jitter())
        if gone:
            await self._deliveries.turn_off(post.webhook_id, "The receiver says that it is gone for good (410)")
        if delay is None:
            log.warning("webhook_given_up", webhook=str(post.webhook_id), attempts=post.attempts, fault=fault)
        await self._deliveries.failed(post, status=status, fault=fault or "refused", delay=delay)

    async def _measure(self) -> None:
        waiting, dead = await self._deliveries.counts()
        WEBHOOKS_WAITING.labels("waiting").set(waiting)
        WEBHOOKS_WAITING.labels("dead").set(dead)


def body_of(post: Post) -> bytes:
    """Return what is posted: JSON of ids and figures, the same bytes at each attempt."""
    subject = outbox.KINDS[post.kind].subject
    told = {
        "type": post.kind,
        "timestamp": post.created_at.isoformat(timespec="milliseconds"),
        "data": {"subject": ids.encode(subject, post.subject_id), **post.payload},
    }
    return orjson.dumps(told)
