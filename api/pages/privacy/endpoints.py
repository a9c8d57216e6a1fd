"""What is held on a member, for the member: seen, downloaded, erased.

GET  /my/{account}/privacy      all of it, and the history of consents
GET  /my/{account}/data.json    all of it to keep
GET  /my/{account}/data.csv     the same for a spreadsheet
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from api.pages.language import locale_of
from api.pages.language import mark as _
from api.pages.preferences.details import label
from api.pages.privacy.held import as_csv, as_json, gather
from api.pages.privacy.reasons import topic_names
from api.pages.privacy.sources import source_in_words
from api.pages.services import From
from api.pages.sessions import visit_of
from api.pages.stamps import FIELD
from members.attribute import Attribute
from members.attributes import load_definitions
from members.scopes import ALL

router = APIRouter()


@router.get("/my/{account}/privacy")
async def show(account: str, request: Request, services: From) -> Response:
    """Show all that is held."""
    visit = await visit_of(request, account)
    held = await gather(services, visit.proof)
    locale = locale_of(held.member)
    language = services.pages.language(request, visit.branding, member=locale)
    words = partial(services.pages.words, language)
    definitions = await load_definitions(services.vault, visit.proof.account_id)
    topics = topic_names(await services.topics.list(visit.proof.account_id), language)
    scopes = {f"topic:{topic}": words(_("“%(topic)s”")) % {"topic": name} for topic, name in topics.items()}
    scopes[ALL], gone = words(_("all mail")), words(_("a topic that is no more"))
    return services.pages.render(
        request,
        "privacy.html",
        branding=visit.branding,
        member_locale=locale,
        held=held,
        values=[
            (label(definition.label, definition.name, language), _said(definition, held.member.values, language))
            for definition in definitions.values()
            if definition.name in held.member.values
        ],
        topics=[topics.get(topic, "?") for topic in held.member.topics],
        events=sum(len(mail.events) for mail in held.mails),
        consents=[
            (record, scopes.get(record.scope, gone), source_in_words(record.source, words)) for record in held.consents
        ],
        asked=request.query_params.get("asked") == "erase",
        path=visit.path,
        stamp=(FIELD, services.stamps.make(visit.subject)),
    )


@router.get("/my/{account}/data.json")
async def download_json(account: str, request: Request, services: From) -> Response:
    """Download all that is held."""
    visit = await visit_of(request, account)
    return _file(as_json(await gather(services, visit.proof)), "application/json", "my-data.json")


@router.get("/my/{account}/data.csv")
async def download_csv(account: str, request: Request, services: From) -> Response:
    """Download all that is held, for a spreadsheet."""
    visit = await visit_of(request, account)
    return _file(as_csv(await gather(services, visit.proof)), "text/csv; charset=utf-8", "my-data.csv")


def _said(definition: Attribute, values: Mapping[str, Any], language: str) -> Any:
    """Return a value as its member knows it: a choice by its label."""
    value = values[definition.name]
    labels = {choice.value: label(choice.label, choice.value, language) for choice in definition.choices}
    return labels.get(value, value) if definition.type == "choice" else value


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=kind, headers=headers)
