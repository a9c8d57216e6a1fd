"""The process of a worker that sends: the pools `bulk` and `fast`."""

from delivery import worker
from delivery.contents import ContentCache
from delivery.senders import SenderStore
from deploy import keys
from deploy.process import Process
from deploy.wiring.opened import open_all
from members.vault import Vault


async def serve(this: Process, pool: str, slot: int) -> None:
    """Send until told to stop."""
    settings = this.settings
    signer = keys.load_signer(settings.link_key_path)
    async with open_all(this, f"worker {pool} {slot}", main_size=6, members_size=4, plan_once=True) as opened:
        contents = ContentCache(
            opened.main,
            signers=SenderStore(opened.main, opened.kek, this.new_id),
            link_signer=signer,
            tracker_url=settings.public_tracker_url,
            return_path_domain=settings.return_path_domain,
            forward_replies=settings.forward_replies,
        )
        this.announce_ready()
        await worker.run(
            settings=settings,
            main=opened.main,
            members=Vault(opened.members, opened.rings),
            contents=contents,
            pool=pool,
            slot=slot,
            clock=this.clock,
            new_id=this.new_id,
            stop=this.stop,
            jitter=this.jitter,
        )
