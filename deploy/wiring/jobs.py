"""The process of a worker of the pool `jobs`: audiences, previews, imports, exports, re-sealing, letters."""

import asyncio
from datetime import timedelta

from delivery.lease import Lease
from delivery.neighbours import beside
from deploy.process import Process
from deploy.wiring.opened import Opened, open_all
from members.audience import AudienceSource
from members.exports import run_export
from members.imports import Bounds, run_import
from members.members import MemberStore
from members.moving import Moving
from members.previews import PreviewStore
from members.reach import MemberReach
from members.resealing import reseal
from members.signup import SignupAnswers, SignupTaking
from scheduler import jobs, rounds
from scheduler.audience import AudienceCutter
from scheduler.letters import LetterDispatch
from scheduler.moves import Moves
from scheduler.signups import Signups
from tracking.engagement import MemberEngagement


async def serve(this: Process, slot: int) -> None:
    """Do jobs until told to stop."""
    settings = this.settings
    async with open_all(this, f"worker jobs {slot}", main_size=8, members_size=10) as opened:
        owner = this.new_id()
        lease = Lease(
            opened.main,
            this.clock,
            owner=owner,
            pool="jobs",
            slot=slot,
            seconds=settings.worker_lease,
            beat=settings.worker_beat,
        )
        async with beside(opened.main, settings.journal_dir, owner), lease.kept():
            taking = [
                asyncio.create_task(rounds.follow(name, step, stop=this.stop, alive=lease.alive), name=name)
                for name, step in _rounds(this, opened).items()
            ]
            this.announce_ready()
            try:
                await jobs.work(main=opened.main, lease=lease, handlers=_handlers(this, opened, lease), stop=this.stop)
            finally:
                for task in taking:
                    task.cancel()
                await asyncio.gather(*taking, return_exceptions=True)


def _rounds(this: Process, opened: Opened) -> dict[str, rounds.Step]:
    """Return what is taken up as it comes: short work, for which somebody waits."""
    main, members, rings, new_id = opened.main, opened.members, opened.rings, this.new_id
    store = MemberStore(members, rings, new_id)
    signups = Signups(
        main,
        members,
        SignupTaking(members, rings, new_id),
        SignupAnswers(members, rings, store),
        valid=timedelta(seconds=this.settings.confirm_within),
    )
    letters = LetterDispatch(main, MemberReach(members), new_id=new_id, pages_url=this.settings.public_pages_url)
    return {
        "signups": signups.take,
        "signup answers": signups.carry,
        "letters": letters.once,
        "moves": Moves(main, Moving(members, rings, store)).carry,
    }


def _handlers(this: Process, opened: Opened, lease: Lease) -> dict[str, jobs.Handler]:
    audiences = AudienceSource(opened.members, opened.rings, MemberEngagement(opened.main))
    previews = PreviewStore(opened.members, opened.rings, audiences)

    async def bring_in(job: jobs.Job) -> None:
        settings = this.settings
        bounds = Bounds(settings.import_max_unpacked_bytes, settings.import_max_ratio)
        await run_import(opened.members, opened.rings, job.subject_id, this.new_id, this.clock, lease.alive, bounds)

    async def take_out(job: jobs.Job) -> None:
        keep = this.settings.export_keep
        await run_export(opened.members, opened.rings, audiences, job.subject_id, this.clock, lease.alive, keep)

    async def preview(job: jobs.Job) -> None:
        await previews.run(job.account_id, job.subject_id, lease.alive)

    async def bring_over(job: jobs.Job) -> None:
        await reseal(opened.members, opened.rings, job.account_id, lease.alive)

    return {
        "import": bring_in,
        "export": take_out,
        "preview": preview,
        "reseal": bring_over,
        "audience_slice": AudienceCutter(
            opened.main,
            audiences,
            new_id=this.new_id,
            slice_rows=this.settings.audience_slice,
        ),
    }
