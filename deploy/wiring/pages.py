"""The process of the members' own pages."""

from api.pages.app import create_app
from api.pages.client_address import ClientAddresses
from api.pages.limits import RateLimits
from api.pages.page import Pages
from api.pages.services import Bounds, PageServices
from api.pages.stamps import Stamps
from core.tokens import LinkSigner
from deploy import http_server, keys
from deploy.process import Process
from deploy.wiring.opened import Opened, open_all
from members.attributes import AttributeStore
from members.signup import SignupDesk
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterStore
from tracking.endpoint.protocol import BoundedProtocol


async def serve(this: Process) -> None:
    """Serve until told to stop."""
    settings = this.settings
    signer = keys.load_signer(settings.link_key_path)
    roles = ("main_pages", "members_pages")
    async with open_all(this, "pages", main_size=6, members_size=6, plan_once=True, roles=roles) as opened:
        await http_server.serve(
            create_app(_services(this, opened, signer)),
            host=settings.pages_host,
            port=settings.pages_port,
            setting="TODOKU_PAGES_PORT",
            stop=this.stop,
            on_ready=lambda: this.announce_ready(f"http://{settings.pages_host}:{settings.pages_port}"),
            http=BoundedProtocol,
        )


def _services(this: Process, opened: Opened, signer: LinkSigner) -> PageServices:
    settings = this.settings
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
        signups=SignupDesk(opened.members, opened.rings, this.new_id),
        letters=LetterStore(opened.main),
    )
