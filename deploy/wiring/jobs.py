"""The process of a worker of the pool `jobs`: audiences, imports, re-sealing."""

from delivery.lease import Lease
from deploy.process import Process
from deploy.wiring.opened import Opened, open_all
from members.audience import AudienceSource
from members.imports import run_import
from members.resealing import reseal
from scheduler import jobs
from scheduler.audience import AudienceCutter


async def serve(this: Process, slot: int) -> None:
    """Do jobs until told to stop."""
    settings = this.settings
    async with open_all(this, f"worker jobs {slot}", main_size=6, members_size=4) as opened:
        lease = Lease(
            opened.main,
            this.clock,
            owner=this.new_id(),
            pool="jobs",
            slot=slot,
            seconds=settings.worker_lease,
            beat=settings.worker_beat,
        )
        async with lease.kept():
            this.announce_ready()
            await jobs.work(main=opened.main, lease=lease, handlers=_handlers(this, opened, lease), stop=this.stop)


def _handlers(this: Process, opened: Opened, lease: Lease) -> dict[str, jobs.Handler]:
    async def bring_in(job: jobs.Job) -> None:
        await run_import(opened.members, opened.rings, job.subject_id, this.new_id, this.clock, lease.alive)

    async def bring_over(job: jobs.Job) -> None:
        await reseal(opened.members, opened.rings, job.account_id, lease.alive)

    return {
        "import": bring_in,
        "reseal": bring_over,
        "audience_slice": AudienceCutter(
            opened.main,
            AudienceSource(opened.members, opened.rings),
            new_id=this.new_id,
            slice_rows=this.settings.audience_slice,
        ),
    }
