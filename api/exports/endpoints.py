"""/v1/exports: members into a file. Each order and each download stands in the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import StreamingResponse

from api.auth import By, Requires
from api.campaigns.schemas import stored_audience
from api.exports.schemas import ExportShown, NewExport, shown
from api.files import CSV, JSON_LINES, CsvFile
from api.pagination import Listed, Page
from api.route import Route
from api.services import From
from api.values import ExportPath
from core import ids
from core.errors import InvalidInput

router = APIRouter(prefix="/v1/exports", tags=["exports"], route_class=Route)


class ExportsPage(Page):
    """Which exports are asked for."""

    count: Literal[False] = False


@router.post("", status_code=status.HTTP_202_ACCEPTED, dependencies=[Requires("members:export")])
async def create_export(body: NewExport, response: Response, by: By, services: From) -> ExportShown:
    """Have members written into a file: a worker makes it, and it can be fetched for a day."""
    export_id = services.new_id()
    name = ids.encode("exp", export_id)
    detail = {"format": body.format, "columns": body.columns}
    await services.audit.record(by.account_id, by.actor, "export.created", name, detail)
    async with services.jobs.due_after(by.account_id, "export", export_id):
        with _in_audience():
            made = await services.exports.begin(
                by.account_id,
                export_id,
                stored_audience(body.audience),
                format_=body.format,
                columns=body.columns,
                bom=body.bom,
            )
    response.headers["Location"] = f"/v1/exports/{name}"
    return shown(made)


@router.get("", dependencies=[Requires("members:export")])
async def list_exports(page: Annotated[ExportsPage, Query()], by: By, services: From) -> Listed[ExportShown]:
    """List exports whose time is not over, newest first."""
    found = await services.exports.list(by.account_id, after=page.after, limit=page.limit)
    following = None if found.next is None else ids.encode("cur", found.next)
    return Listed(items=[shown(one) for one in found.items], next=following)


@router.get("/{export_id}", dependencies=[Requires("members:export")])
async def get_export(export_id: ExportPath, by: By, services: From) -> ExportShown:
    """Read an export's state and progress."""
    return shown(await services.exports.get(by.account_id, export_id))


@router.get("/{export_id}/file", dependencies=[Requires("members:export")], response_class=CsvFile)
async def download_export(export_id: ExportPath, by: By, services: From) -> StreamingResponse:
    """Download an export's file."""
    found = await services.exports.require_finished(by.account_id, export_id)
    name = ids.encode("exp", export_id)
    await services.audit.record(by.account_id, by.actor, "export.downloaded", name, {"members": found.written})
    return StreamingResponse(
        services.exports.file(by.account_id, export_id),
        media_type=JSON_LINES if found.format == "jsonl" else CSV,
        headers={"Content-Disposition": f'attachment; filename="members.{found.format}"'},
    )


@router.post("/{export_id}/cancel", dependencies=[Requires("members:export")])
async def cancel_export(export_id: ExportPath, by: By, services: From) -> ExportShown:
    """Cancel an export, or drop the file of one that is finished."""
    return shown(await services.exports.cancel(by.account_id, export_id))


@contextmanager
def _in_audience() -> Iterator[None]:
    """Point what is said of the audience at the field that holds it."""
    try:
        yield
    except InvalidInput as error:
        faults = (
            fault if fault.pointer.startswith("/columns") else replace(fault, pointer=f"/audience{fault.pointer}")
            for fault in error.faults
        )
        error.faults = tuple(faults)
        raise
