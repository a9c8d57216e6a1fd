"""What the API stands on: the stores of the packages below, made by deploy/wiring.py and handed to create_app."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from api.idempotency import IdempotencyStore
from api.jobs import VaultJobs
from api.keys import KeyStore
from api.members.stops import StopStore
from api.pages.page import Pages
from core.audit import AuditLog
from core.clock import Clock
from core.ids import IdSource
from core.outbox import NoticeStore
from delivery.attachments import AttachmentStore
from delivery.senders import SenderStore
from delivery.templates import TemplateStore
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.bulk import BulkStore
from members.exports.store import ExportStore
from members.groups import GroupStore
from members.growth import GrowthStore
from members.imports.store import ImportStore
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
from scheduler.campaigns.store import CampaignStore
from scheduler.runs import RunStore
from scheduler.webhooks.deliveries import WebhookDeliveries
from scheduler.webhooks.store import WebhookStore
from tracking.breakdown import BreakdownStore
from tracking.feed import EventFeed
from tracking.mails import MailStore
from tracking.reports import ReportStore
from tracking.traits import TraitStore
from tracking.why_left import WhyLeft


@dataclass(frozen=True, slots=True)
class Services:
    """The stores, one each. All of them take the account first, so that none can be asked for another's."""

    clock: Clock
    new_id: IdSource
    import_max_bytes: int
    pages_url: str
    keys: KeyStore
    idempotency: IdempotencyStore
    accounts: AccountStore
    branding: BrandingStore
    pages: Pages
    attributes: AttributeStore
    members: MemberStore
    listing: MemberList
    vault: Vault
    search: MemberSearch
    stops: StopStore
    groups: GroupStore
    topics: TopicStore
    bulk: BulkStore
    imports: ImportStore
    exports: ExportStore
    jobs: VaultJobs
    audiences: AudienceSource
    segments: SegmentStore
    previews: PreviewStore
    suppressions: SuppressionStore
    suppression_lists: SuppressionLists
    senders: SenderStore
    attachments: AttachmentStore
    templates: TemplateStore
    campaigns: CampaignStore
    runs: RunStore
    reports: ReportStore
    breakdowns: BreakdownStore
    traits: TraitStore
    why_left: WhyLeft
    growth: GrowthStore
    events: EventFeed
    mails: MailStore
    notices: NoticeStore
    webhooks: WebhookStore
    webhook_deliveries: WebhookDeliveries
    audit: AuditLog


def services_of(request: Request) -> Services:
    """Return the services of the application that serves this request."""
    return cast("Services", request.app.state.services)


async def _services_of(request: Request) -> Services:
    return services_of(request)


# FastAPI calls a plain function in a thread, which takes as long as all else that it does for a request.
From = Annotated[Services, Depends(_services_of)]
"""The services, as an endpoint's argument."""
