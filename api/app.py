"""Puts the API together: every resource, what every request needs, one form for errors."""

from itertools import chain

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api import openapi, problems, reference
from api.account.endpoints import router as account
from api.attachments.endpoints import router as attachments
from api.attributes.endpoints import router as attributes
from api.audit.endpoints import router as audit
from api.branding.endpoints import router as branding
from api.campaigns.endpoints import router as campaigns
from api.events.endpoints import router as events
from api.exports.endpoints import router as exports
from api.groups.endpoints import router as groups
from api.guard import Guard
from api.imports.endpoints import router as imports
from api.members.bulk import router as bulk
from api.members.endpoints import router as members
from api.members.export import router as own_export
from api.members.timeline import router as timeline
from api.notices.endpoints import router as notices
from api.reports.endpoints import router as reports
from api.reports.leaving import router as leaving_report
from api.reports.parts import router as report_parts
from api.runs.endpoints import router as runs
from api.segments.endpoints import router as segments
from api.senders.endpoints import router as senders
from api.services import Services
from api.suppressions.endpoints import router as suppressions
from api.templates.endpoints import router as templates
from api.topics.endpoints import router as topics
from api.webhooks.endpoints import router as webhooks
from core.database import AWAY
from core.errors import TodokuError

ROUTERS = (
    account, branding, attributes, members, bulk, own_export, timeline, groups, topics, imports, exports, segments,
    suppressions, senders, attachments, templates, campaigns, runs, report_parts, reports, leaving_report,
    events, notices, webhooks, audit,
)  # fmt: skip


def api_routes() -> list[APIRoute]:
    """Return every route of every resource: each has a permission, which tests and the description read."""
    return [route for route in chain.from_iterable(router.routes for router in ROUTERS) if isinstance(route, APIRoute)]


def create_app(services: Services) -> FastAPI:
    """Return the ASGI application."""
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    reference.add_to(app, lambda: openapi.describe(app, api_routes()))
    for kind in (TodokuError, RequestValidationError, HTTPException, *AWAY):
        app.add_exception_handler(kind, problems.on_error)
    app.add_middleware(Guard, new_id=services.new_id, clock=services.clock, import_max_bytes=services.import_max_bytes)
    return app
