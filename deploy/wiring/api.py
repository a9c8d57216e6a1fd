"""The API's process."""

import os

from api.app import create_app
from api.idempotency import IdempotencyStore
from api.jobs import VaultJobs
from api.keys import KeyStore
from api.members.stops import StopStore
from api.pages.page import Pages
from api.services import Services
from core.audit import AuditLog
from core.outbox import NoticeStore
from delivery.attachments import AttachmentStore
from delivery.senders import SenderStore
from delivery.templates import TemplateStore
from deploy import http_server, keys
from deploy.process import Process
from deploy.wiring.opened import Opened, open_all
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.bulk import BulkStore
from members.exports.store import ExportStore
from members.groups import GroupStore
from members.growth import GrowthStore
from members.imports import ImportStore
from members.listing import MemberList
from members.members import MemberStore
from members.previews import PreviewStore
from members.search import MemberSearch
from members.segments import SegmentStore
from members.suppression_lists import SuppressionLists
from members.suppressions import SuppressionStore
from members.topics import TopicStore
from members.vault import Vault
from scheduler.accounts import AccountStore
from scheduler.branding import BrandingStore
from scheduler.campaigns.addressees import VaultAddressees
from scheduler.campaigns.store import CampaignStore
from scheduler.resealing import ResealJobs
from scheduler.runs import RunStore
from scheduler.webhooks.deliveries import WebhookDeliveries
from scheduler.webhooks.store import WebhookStore
from tracking.breakdown import BreakdownStore
from tracking.engagement import MemberEngagement
from tracking.feed import EventFeed
from tracking.mails import MailStore
from tracking.reports import ReportStore
from tracking.traits import TraitStore
from tracking.why_left import WhyLeft


async def serve(this: Process) -> None:
    """Serve until told to stop."""
    settings = this.settings
    async with open_all(this, "api", main_size=8, members_size=8) as opened:
        await http_server.serve(
            create_app(_services(this, opened)),
            host=settings.api_host,
            port=settings.api_port,
            setting="TODOKU_API_PORT",
            stop=this.stop,
            on_ready=lambda: this.announce_ready(f"http://{settings.api_host}:{settings.api_port}"),
        )


def _services(this: Process, opened: Opened) -> Services:
    main, members, rings = opened.main, opened.members, opened.rings
    attributes = AttributeStore(members, this.new_id, ResealJobs(main, this.new_id).due_after)
    audiences = AudienceSource(members, rings, MemberEngagement(main))
    suppressions = SuppressionStore(members, rings)
    return Services(
        clock=this.clock,
        new_id=this.new_id,
        import_max_bytes=this.settings.import_max_bytes,
        pages_url=this.settings.public_pages_url,
        keys=KeyStore(main, this.new_id, os.urandom),
        idempotency=IdempotencyStore(main, opened.kek),
        accounts=AccountStore(main, this.new_id),
        branding=BrandingStore(main),
        pages=Pages(),
        attributes=attributes,
        members=MemberStore(members, rings, this.new_id),
        listing=MemberList(members, rings),
        vault=Vault(members, rings),
        search=MemberSearch(members, rings, this.clock),
        stops=StopStore(main),
        groups=GroupStore(members, this.new_id),
        audiences=audiences,
        segments=SegmentStore(members, rings, audiences, this.new_id),
        previews=PreviewStore(members, rings, audiences),
        suppressions=suppressions,
        suppression_lists=SuppressionLists(members, suppressions),
        topics=TopicStore(members, this.new_id),
        bulk=BulkStore(members, rings, this.new_id),
        exports=ExportStore(members, rings, audiences, keep=this.settings.export_keep),
        imports=ImportStore(members, rings, this.new_id, max_bytes=this.settings.import_max_bytes),
        jobs=VaultJobs(main, this.new_id),
        senders=SenderStore(main, opened.kek, this.new_id),
        attachments=AttachmentStore(main, this.new_id),
        templates=TemplateStore(main, this.new_id),
        campaigns=CampaignStore(
            main,
            attributes=attributes,
            audiences=audiences,
            addressees=VaultAddressees(members),
            new_id=this.new_id,
        ),
        runs=RunStore(main),
        reports=ReportStore(main),
        breakdowns=BreakdownStore(main),
        traits=TraitStore(main),
        why_left=WhyLeft(main),
        growth=GrowthStore(members),
        events=EventFeed(main),
        mails=MailStore(main),
        notices=NoticeStore(main),
        webhooks=WebhookStore(
            main,
            keys.load_webhook_keys(this.settings.webhook_key_path),
            this.new_id,
            loopback=this.settings.webhook_loopback,
        ),
        webhook_deliveries=WebhookDeliveries(main),
        audit=AuditLog(main, this.new_id),
    )
