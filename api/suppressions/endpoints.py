"""/v1/suppressions: addresses and domains that get no mail, whatever else holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from api.auth import By, Requires
from api.errors import UnsupportedMediaType
from api.pagination import Listed
from api.route import Route
from api.services import From, Services
from api.suppressions.schemas import (
    LIST_BODY,
    ListTaken,
    NewSuppression,
    SuppressionPath,
    SuppressionShown,
    SuppressionsPage,
    read_id,
    show_id,
    shown,
    taken,
)
from core.errors import Fault
from members.errors import BadAddress
from members.scopes import read_scope
from members.suppression_lists import Form, ListReport
from members.suppressions import Reason, Suppression, SuppressionStore, read_hash

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], route_class=Route)

_FORMS: dict[str, Form] = {"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}


class ListFile(StreamingResponse):
    """CSV in UTF-8; it holds hashes and no text of anyone's."""

    media_type = "text/csv; charset=utf-8; header=present"


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("suppressions:write")])
async def suppress(body: NewSuppression, response: Response, by: By, services: From) -> SuppressionShown:
    """Suppress an address or a domain. What is suppressed already keeps its first reason; what runs stops too."""
    topics = {topic.topic_id for topic in await services.topics.list(by.account_id)}
    scope = read_scope(body.scope, topics)
    made = await _add(services.suppressions, by.account_id, body, scope)
    await _stop(services, by.account_id, [made.hash], scope, made.reason)
    response.headers["Location"] = f"/v1/suppressions/{show_id(made.hash, made.scope)}"
    return shown(made)


@router.get("", dependencies=[Requires("suppressions:read")])
async def list_suppressions(
    page: Annotated[SuppressionsPage, Query()], by: By, services: From
) -> Listed[SuppressionShown]:
    """List what is suppressed."""
    found, following = await services.suppressions.list(
        by.account_id, after=page.after_entry, limit=page.limit, scope=page.stored_scope, reason=page.reason
    )
    return Listed(items=[shown(entry) for entry in found], next=None if following is None else show_id(*following))


@router.post("/import", dependencies=[Requires("suppressions:write")], openapi_extra=LIST_BODY)
async def import_suppressions(request: Request, by: By, services: From) -> ListTaken:
    """Suppress all that a list names, CSV or JSON Lines: email, domain or hash, scope, reason, occurred_at."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        fault = Fault("/header/content-type", "unsupported", f"Send one of: {', '.join(_FORMS)}")
        raise UnsupportedMediaType("A list is CSV or JSON Lines", [fault])
    report = ListReport()
    parts = services.suppression_lists.take_in(by.account_id, await request.body(), _FORMS[kind], report)
    async for digests, scope in parts:
        await _stop(services, by.account_id, digests, scope)
    return taken(report)


@router.get("/export", dependencies=[Requires("suppressions:read")], response_class=ListFile)
async def export_suppressions(by: By, services: From) -> ListFile:
    """Download the list as CSV: hashes, since addresses are not kept. It can be imported again into this account."""
    await services.audit.record(by.account_id, by.actor, "suppression.exported", "suppressions")
    return ListFile(
        services.suppression_lists.give_out(by.account_id),
        headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
    )


@router.get("/{suppression_id}", dependencies=[Requires("suppressions:read")])
async def get_suppression(suppression_id: SuppressionPath, by: By, services: From) -> SuppressionShown:
    """Read an entry."""
    return shown(await services.suppressions.get(by.account_id, *read_id(suppression_id)))


@router.delete(
    "/{suppression_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("suppressions:write")]
)
async def lift_suppression(suppression_id: SuppressionPath, by: By, services: From) -> None:
    """Lift a suppression. A member who unsubscribed stays unsubscribed until consenting again."""
    digest, scope = read_id(suppression_id)
    await services.suppressions.get(by.account_id, digest, scope)
    # The queue first: were the list's entry gone already, nobody could ask for the rest again.
    async for members in services.suppressions.members_of(by.account_id, [digest], scope):
        await services.stops.forgive(by.account_id, members, scope)
    await services.suppressions.remove(by.account_id, digest, scope)


async def _add(store: SuppressionStore, account_id: UUID, body: NewSuppression, scope: str) -> Suppression:
    if body.email is not None:
        with _at("/email"):
            return await store.add(account_id, body.email, body.reason, scope=scope)
    if body.domain is not None:
        with _at("/domain"):
            return await store.add_hash(
                account_id, await store.of_domain(account_id, body.domain), body.reason, scope=scope
            )
    return await store.add_hash(account_id, read_hash(body.hash or ""), body.reason, scope=scope)


async def _stop(
    services: Services, account_id: UUID, digests: list[bytes], scope: str, reason: Reason = "manual"
) -> None:
    """Have nothing more intended for the members whom these entries keep from the scope's mail."""
    reason = "manual" if reason == "erased" else reason
    async for members in services.suppressions.members_of(account_id, digests, scope):
        await services.stops.stop(account_id, members, reason, [scope])


@contextmanager
def _at(pointer: str) -> Iterator[None]:
    """Point what is said of an address at the field that holds it."""
    try:
        yield
    except BadAddress as error:
        error.faults = (Fault(pointer, error.code, error.detail),)
        raise
