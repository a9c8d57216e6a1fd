"""The process of the members' own pages."""

import os

import asyncpg

from api.pages.app import create_app
from api.pages.choosing import Choosing
from api.pages.client_address import ClientAddresses
from api.pages.limits import RateLimits
from api.pages.page import Pages
from api.pages.services import Bounds, PageServices
from api.pages.signup.known import KnownForms
from api.pages.stamps import Stamps
from core.tokens import LinkSigner
from deploy import databases, http_server, keys
from deploy.bounded_protocol import BoundedProtocol
from deploy.process import Process
from deploy.wiring.opened import Opened, open_all
from members.attributes import AttributeStore
from members.passwords import Passwords
from members.proven import ProvenMembers
from members.segments import SegmentRules
from members.signup import SignupDesk
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterStore
from tracking.leaving import Leaving
from tracking.mails import MailStore
from tracking.unsubscribes import Unsubscribes


async def serve(this: Process) -> None:
    """Serve until told to stop."""
    settings = this.settings
    signer = keys.load_signer(settings.link_key_path)
    roles = ("main_pages", "members_pages")
    async with (
        open_all(this, "pages", main_size=6, members_size=2, plan_once=True, roles=roles) as opened,
        # Apart from the pool that keys are read by: members/proven.py says why.
        databases.pool(settings, "members_pages", process="pages", size=6, plan_once=True) as proofs,
    ):
        await http_server.serve(
            create_app(_services(this, opened, proofs, signer)),
            host=settings.pages_host,
            port=settings.pages_port,
            setting="TODOKU_PAGES_PORT",
            stop=this.stop,
            on_ready=lambda: this.announce_ready(f"http://{settings.pages_host}:{settings.pages_port}"),
            http=BoundedProtocol,
        )


def _services(this: Process, opened: Opened, proofs: asyncpg.Pool, signer: LinkSigner) -> PageServices:
    settings = this.settings
    leaving, proven = Leaving(opened.main), ProvenMembers(proofs, opened.rings, this.new_id)
    return PageServices(
        clock=this.clock,
        new_id=this.new_id,
        signer=signer,
        pages=Pages(),
        branding=BrandingStore(opened.main),
        limits=RateLimits(opened.main, signer),
        stamps=Stamps(signer, this.clock),
        clients=ClientAddresses(settings.trusted_proxies),
        url=settings.public_pages_url,
        bounds=Bounds(settings.signups_per_network, settings.signups_per_account),
        attributes=AttributeStore(opened.members, this.new_id),
        topics=TopicStore(opened.members, this.new_id),
        forms=KnownForms(this.clock),
        signups=SignupDesk(opened.members, opened.rings, this.new_id),
        letters=LetterStore(opened.main),
        leaving=leaving,
        unsubscribes=Unsubscribes(opened.main, this.clock),
        proven=proven,
        choosing=Choosing(leaving, proven),
        segments=SegmentRules(opened.members, opened.rings),
        mails=MailStore(opened.main),
        passwords=Passwords(opened.members, opened.rings),
        vault=opened.members,
        random=os.urandom,
    )
