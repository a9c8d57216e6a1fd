"""Leased jobs: work that needs keys, done by the workers of the pool `jobs`, each job by one worker at a time.

Failure model. A job is claimed by a worker whose lease lives, and each claim raises its epoch. When the worker is
retired its jobs are ready again; what it still does is fenced off by owner and epoch, in the transaction that would
commit it. A job that fails is tried again, later and later; a fault of its input ends it at once. While a database is
away nothing counts as an attempt.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from core import logs, sql
from core.database import AWAY, with_retry
from core.errors import InvalidInput, NotFound, Superseded, TodokuError
from scheduler.meters import JOBS

SQL = sql.load(__package__ or "", "jobs.sql")

log = logs.get()

MOST_ATTEMPTS = 8
LONGEST_DELAY = 300.0
AWAY_DELAY = 1.0
IDLE_SECONDS = 0.1
GRACE_SECONDS = 5.0
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job; `subject_id` is what it is about (a run, an import). Owner and epoch fence it."""

    job_id: UUID
    account_id: UUID
    kind: str
    subject_id: UUID
    payload: Mapping[str, Any]
    owner: UUID
    epoch: int
    attempts: int


Handler = Callable[[Job], Awaitable[None]]
"""Does one job. It may be called again after a crash at any point; InvalidInput and NotFound end the job for good.

A handler that ends its job itself, in the transaction of its work, is welcome to: then there is nothing left to end.
"""


class Lease(Protocol):
    """The worker process's lease (delivery/lease.py)."""

    @property
    def owner(self) -> UUID:
        """Who we are to the database, new at each start."""

    @property
    def lost(self) -> asyncio.Event:
        """Set once our work was given away."""

    def alive(self) -> bool:
        """Whether anything new may be begun."""


def delay_after(attempts: int) -> float | None:
    """Seconds until a job that has failed `attempts` times is tried again: 1, 2, 4 …; None: never."""
    return None if attempts >= MOST_ATTEMPTS else min(LONGEST_DELAY, 2.0 ** (attempts - 1))


class JobQueue:
    """The statements of the queue, for one owner."""

    def __init__(self, main: asyncpg.Pool, owner: UUID) -> None:
        self._main = main
        self._owner = owner

    async def claim(self, *kinds: str) -> Job | None:
        """Lease the job that has been due longest, or None."""
        row = await self._main.fetchrow(SQL["claim"], self._owner, kinds)
        return Job(**dict(row)) if row else None

    async def done(self, job: Job) -> bool:
        """End a job; False if it was not ours any more, or had ended already."""
        return await self._end("done", job) is not None

    async def postpone(self, job: Job, why: str, delay: float) -> bool:
        """Give a job back for `delay` seconds without counting the attempt."""
        return await self._end("postpone", job, why, delay) is not None

    async def fail(self, job: Job, why: str, delay: float | None) -> bool:
        """Have a job tried again in `delay` seconds, or never. `why` holds nothing personal."""
        return bool(await self._end("fail", job, why, delay))

    async def give_back_strays(self, known: set[UUID]) -> None:
        """Free jobs that a claim with a lost answer has leased to us."""
        await self._main.execute(SQL["give_back_strays"], self._owner, list(known))

    async def _end(self, statement: str, job: Job, *rest: object) -> object:
        return await self._main.fetchval(SQL[statement], job.job_id, self._owner, job.epoch, *rest)


async def work(
    *,
    main: asyncpg.Pool,
    lease: Lease,
    handlers: Mapping[str, Handler],
    stop: asyncio.Event,
    slots: int = 2,
    idle_seconds: float = IDLE_SECONDS,
) -> None:
    """Do jobs, at most `slots` of each kind at once, until `stop` is set. The lease is the caller's to keep.

    Each kind has slots of its own, so that a long import never holds up an audience. On `stop` what runs has 5 s to
    end; then it is dropped, and given back when the lease is closed. Raises Superseded when the lease is lost.
    """
    desk = _Desk(JobQueue(main, lease.owner), handlers, slots)
    serving = asyncio.create_task(desk.serve(lease, stop, idle_seconds), name="jobs")
    ends = [asyncio.create_task(event.wait()) for event in (stop, lease.lost)]
    try:
        await asyncio.wait((serving, *ends), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await asyncio.wait((serving,), timeout=GRACE_SECONDS)
    finally:
        for task in (serving, *ends):
            task.cancel()
        ended = await asyncio.gather(serving, *ends, return_exceptions=True)
    for outcome in ended:
        # A database that is away while we stop keeps the job leased; closing the lease, or its end, frees it.
        if isinstance(outcome, Exception) and not (stop.is_set() and isinstance(outcome, AWAY)):
            raise outcome
    if not stop.is_set():
        raise Superseded("The worker's lease was lost")


class _Desk:
    """Claims for all slots of the process, and knows which jobs are under way in it."""

    def __init__(self, queue: JobQueue, handlers: Mapping[str, Handler], slots: int) -> None:
        self._queue = queue
        self._handlers = handlers
        self._slots = slots
        self._under_way: dict[asyncio.Task[None], Job] = {}
        self._strays = False

    async def serve(self, lease: Lease, stop: asyncio.Event, idle_seconds: float) -> None:
        """Do jobs until `stop` is set and none is left; raise what no job may raise. Afterwards nothing is under way.

        One question asks for all kinds that have a slot free: asked by each slot for itself, a worker that had nothing
        to do kept a twentieth of a core busy.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                job = await self._take() if lease.alive() else None
                if job is not None:
                    work = self._work(job, self._handlers[job.kind], stop.is_set)
                    self._under_way[asyncio.create_task(work, name=f"job {job.kind}")] = job
                else:
                    await asyncio.wait(
                        (stopping, *self._under_way), timeout=idle_seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                self._ended()
            while self._under_way:
                await asyncio.wait(self._under_way)
                self._ended()
        finally:
            left = (stopping, *self._under_way)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _take(self) -> Job | None:
        """Claim the job that has been due longest of those that there is a slot for."""
        busy = Counter(job.kind for job in self._under_way.values())
        free = [kind for kind in self._handlers if busy[kind] < self._slots]
        if not free:
            return None
        try:
            if self._strays:
                await self._queue.give_back_strays({job.job_id for job in self._under_way.values()})
                self._strays = False
            return await self._queue.claim(*free)
        except AWAY as error:
            self._strays = True
            log.warning("database_away", what="jobs", error=type(error).__name__)
            await asyncio.sleep(AWAY_DELAY)
            return None

    async def _work(self, job: Job, handler: Handler, give_up: Callable[[], bool]) -> None:
        JOBS.labels(job.kind, await _do(self._queue, handler, job, give_up=give_up)).inc()

    def _ended(self) -> None:
        """Forget what is no longer under way; raise what it raised."""
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            task.result()


async def _do(queue: JobQueue, handler: Handler, job: Job, *, give_up: Callable[[], bool]) -> str:
    """Run one job and record what came of it; return that as a metric's label."""
    try:
        await handler(job)
    except AWAY as error:
        why, end = type(error).__name__, "postponed"
    except Superseded:
        return "superseded"
    except (InvalidInput, NotFound) as error:
        why, end = _said(error), "refused"
    except TodokuError as error:
        why, end = _said(error), "failed"
    except Exception as error:
        log.exception("job_failed", kind=job.kind, job=str(job.job_id))
        why, end = type(error).__name__, "failed"
    else:
        await with_retry(lambda: queue.done(job), what="job", give_up=give_up)
        return "done"
    log.warning("job_not_done", kind=job.kind, job=str(job.job_id), attempt=job.attempts, outcome=end, why=why)
    match end:
        case "postponed":
            await with_retry(lambda: queue.postpone(job, why, AWAY_DELAY), what="job", give_up=give_up)
        case "refused":
            await with_retry(lambda: queue.fail(job, why, None), what="job", give_up=give_up)
        case _:
            delay = delay_after(job.attempts)
            await with_retry(lambda: queue.fail(job, why, delay), what="job", give_up=give_up)
    return end


def _said(error: TodokuError) -> str:
    return "; ".join([error.detail, *(f"{fault.pointer}: {fault.detail}" for fault in error.faults)])[:_LONGEST_REASON]
