"""/v1/imports: members from a file, streamed into the vault as it arrives."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from api.auth import By, Requires
from api.files import CSV, JSON_LINES, CsvFile
from api.imports.fields import FIELDS, read_fields
from api.imports.schemas import UPLOAD, ImportShown, ReportShown, shown, shown_report
from api.pagination import Listed, Page
from api.route import Route
from api.services import From
from api.upload import Upload
from api.values import ImportPath
from core import ids
from core.errors import InvalidInput
from members.imports.store import ImportStore

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=Route)


class ImportsPage(Page):
    """Which imports are asked for."""

    count: Literal[False] = False


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[Requires("imports:write")],
    openapi_extra=UPLOAD,
)
async def create_import(request: Request, response: Response, by: By, services: From) -> ImportShown:
    """Upload a file and have it imported: a worker takes the good rows, the bad ones go to a reject file.

    With `dry_run` it counts and explains, and writes no member; `/apply` makes it the real one.
    """
    upload = Upload(request.headers.get("content-type", ""), FIELDS)
    async with _file(services.imports, by.account_id) as file:
        await upload.read(request.stream(), file.add)
        told = read_fields(upload.fields, has_file=file.blocks > 0)
        async with services.jobs.due_after(by.account_id, "import", file.import_id):
            with _as_sent():
                submitted = await services.imports.submit(
                    by.account_id,
                    file.import_id,
                    told.mapping,
                    told.consent_source,
                    told.options,
                    dry_run=told.dry_run,
                )
    response.headers["Location"] = f"/v1/imports/{ids.encode('imp', submitted.import_id)}"
    return shown(submitted)


@router.get("", dependencies=[Requires("imports:read")])
async def list_imports(page: Annotated[ImportsPage, Query()], by: By, services: From) -> Listed[ImportShown]:
    """List imports, newest first."""
    found = await services.imports.list(by.account_id, after=page.after, limit=page.limit)
    following = None if found.next is None else ids.encode("cur", found.next)
    return Listed(items=[shown(one) for one in found.items], next=following)


@router.get("/{import_id}", dependencies=[Requires("imports:read")])
async def get_import(import_id: ImportPath, by: By, services: From) -> ImportShown:
    """Read an import's state and progress."""
    return shown(await services.imports.get(by.account_id, import_id))


@router.get("/{import_id}/report", dependencies=[Requires("imports:read")])
async def read_report(import_id: ImportPath, by: By, services: From) -> ReportShown:
    """Read how an import understands its file: columns, what they become, and in a dry run a few masked rows."""
    return shown_report(await services.imports.report(by.account_id, import_id))


@router.post("/{import_id}/apply", status_code=status.HTTP_202_ACCEPTED, dependencies=[Requires("imports:write")])
async def apply_import(import_id: ImportPath, by: By, services: From) -> ImportShown:
    """Make a dry run that is checked the real import, of the same file."""
    await services.imports.require(by.account_id, import_id, "checked")
    async with services.jobs.due_after(by.account_id, "import", import_id):
        return shown(await services.imports.apply(by.account_id, import_id))


@router.post("/{import_id}/cancel", dependencies=[Requires("imports:write")])
async def cancel_import(import_id: ImportPath, by: By, services: From) -> ImportShown:
    """Cancel an import for good. What was taken already stays: its counts say how much."""
    return shown(await services.imports.cancel(by.account_id, import_id))


@router.get("/{import_id}/rejects", dependencies=[Requires("members:read")], response_class=CsvFile)
async def download_rejects(import_id: ImportPath, by: By, services: From) -> StreamingResponse:
    """Download the rows that were not taken, as they came, each with its line and reason."""
    found = await services.imports.get(by.account_id, import_id)
    await services.audit.record(
        by.account_id, by.actor, "import.rejects_downloaded", ids.encode("imp", import_id), {"rows": found.rejected}
    )
    name, kind = ("rejects.jsonl", JSON_LINES) if found.format == "jsonl" else ("rejects.csv", CSV)
    return StreamingResponse(
        services.imports.rejects(by.account_id, import_id),
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _File:
    """The blocks of one file on their way into the vault."""

    def __init__(self, imports: ImportStore, account_id: UUID, import_id: UUID) -> None:
        self.import_id = import_id
        self.blocks = 0
        self._imports = imports
        self._account_id = account_id

    async def add(self, block: bytes) -> None:
        await self._imports.add_block(self._account_id, self.import_id, self.blocks, block)
        self.blocks += 1


@asynccontextmanager
async def _file(imports: ImportStore, account_id: UUID) -> AsyncIterator[_File]:
    """Open a file in the vault, and drop it again if the block does not come to its end."""
    import_id = await imports.begin(account_id)
    try:
        yield _File(imports, account_id, import_id)
    except BaseException:
        await imports.discard(account_id, import_id)
        raise


@contextmanager
def _as_sent() -> Iterator[None]:
    """Name faults by the upload's parts: `mode`, not `options/mode`."""
    try:
        yield
    except InvalidInput as error:
        error.faults = tuple(replace(fault, pointer=fault.pointer.removeprefix("/options")) for fault in error.faults)
        raise
