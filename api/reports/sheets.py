"""Reports as sheets to save."""

from typing import Annotated

from fastapi import Query, Response

from api.reports.asked import SheetAsked

AsSheet = Annotated[SheetAsked, Query()]


class Sheet(Response):
    """A CSV document (RFC 4180) to save."""

    media_type = "text/csv; charset=utf-8; header=present"


def sheet_of(content: str, name: str, *, bom: bool) -> Sheet:
    """Return a sheet that is saved as `name`; `bom`: Excel knows UTF-8 by a byte order mark in front."""
    return Sheet(
        ("\N{BYTE ORDER MARK}" if bom else "") + content,
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
