"""The page on which people read the mail."""

from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from deploy.mailbox.listing import list_mails
from deploy.mailbox.lookup import LAST, Cursor, Number, Store, kept
from deploy.mailbox.reading import read_mail
from deploy.mailbox.rendering import STYLESHEET, render

_ROWS = 50

router = APIRouter()


@router.get("/")
def show_list(store: Store, q: Annotated[str, Query(max_length=200)] = "", before: Cursor = LAST) -> HTMLResponse:
    """List the newest mails, or those before a cursor, or those that a search finds."""
    listing = list_mails(store.before(before), query=q, limit=_ROWS)
    older = None if listing.older is None else "/?" + urlencode({"q": q, "before": listing.older})
    return render(store, "list.html", listing=listing, query=q, older=older, newest=before == LAST)


@router.get("/messages/{number}")
def show_mail(
    store: Store, number: Number, view: Literal["html", "text", "headers", "attachments"] | None = None
) -> HTMLResponse:
    """Show one mail: its HTML part if it has one, unless another view is asked for."""
    entry, message = kept(store, number)
    mail = read_mail(message)
    newer = next((found.id for found, _ in store.after(number, 1)), None)
    older = next((found.id for found, _ in store.before(number)), None)
    view = view or ("text" if mail.html is None else "html")
    return render(store, "mail.html", entry=entry, mail=mail, view=view, newer=newer, older=older)


@router.get("/clear")
async def ask_to_clear(store: Store) -> HTMLResponse:
    """Ask before the mailbox is emptied."""
    return render(store, "clear.html")


@router.post("/clear")
async def clear(store: Store) -> RedirectResponse:
    """Empty the mailbox."""
    store.clear()
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


@router.get("/style.css")
async def style() -> Response:
    """Serve the stylesheet."""
    return Response(STYLESHEET, media_type="text/css")
